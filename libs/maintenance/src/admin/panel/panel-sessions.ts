import { createHash, timingSafeEqual } from 'node:crypto';
import type { ResolvedOptions } from '../../options/resolved-options.js';
import type { Clock } from '../../utils/clock.js';
import type { AdminSession } from '../admin-caller.js';
import { TryLimiter } from '../try-limiter.js';
import type { EndedSessions } from './ended-sessions.js';
import { SessionCookies, type SessionRequest } from './session-cookie.js';

/** The result of a try to sign in: the seconds until the next try where there were too many. */
export type SignIn =
  { result: 'done'; session: AdminSession; header: string } | { result: 'wrong' } | { result: 'wait'; seconds: number };

/** The sessions of the panel. There are none where only guards of the application protect it. */
export class PanelSessions {
  readonly #cookies: SessionCookies | null;
  readonly #limiter: TryLimiter;

  constructor(
    private readonly options: Pick<ResolvedOptions, 'adminToken' | 'viewerToken' | 'application'>,
    private readonly ended: EndedSessions,
    private readonly clock: Clock,
  ) {
    const { adminToken, viewerToken, application } = options;
    this.#cookies = adminToken === undefined ? null : new SessionCookies({ adminToken, viewerToken, application });
    this.#limiter = new TryLimiter(clock);
  }

  /** Whether operators sign in with a token. */
  get areUsed(): boolean {
    return this.#cookies !== null;
  }

  /** Exchanges a token for a session. After too many wrong tokens, not even the right one is looked at. */
  signIn(token: string, name: string | undefined, request: SessionRequest & { ip?: string }): SignIn {
    const seconds = this.#limiter.getWaitSeconds(request.ip);
    if (seconds > 0) return { result: 'wait', seconds };
    const access = this.#findAccess(token);
    if (!access || !this.#cookies) {
      this.#limiter.recordFailure(request.ip);
      return { result: 'wrong' };
    }
    return { result: 'done', ...this.#cookies.create(access, name, request, this.clock.now()) };
  }

  /** Returns the session of a request; `null` without one, and for one that was ended. */
  async find(request: SessionRequest): Promise<AdminSession | null> {
    const session = this.#cookies?.find(request, this.clock.now()) ?? null;
    return session && !(await this.ended.has(session)) ? session : null;
  }

  /** Whether a session that was found before has not ended since. */
  async isOpen(session: AdminSession): Promise<boolean> {
    return this.clock.now() < session.endsAt && !(await this.ended.has(session));
  }

  /** Ends a session. Returns whether all instances can know. */
  end(session: AdminSession): Promise<boolean> {
    return this.ended.add(session);
  }

  /** Creates the `Set-Cookie` header that removes the cookie from the browser. */
  createRemoval(request: SessionRequest): string | null {
    return this.#cookies?.createRemoval(request) ?? null;
  }

  #findAccess(token: string): AdminSession['access'] | null {
    const { adminToken, viewerToken } = this.options;
    const isAdmin = isEqual(token, adminToken);
    const isViewer = isEqual(token, viewerToken);
    return isAdmin ? 'change' : isViewer ? 'view' : null;
  }
}

function isEqual(given: string, expected: string | undefined): boolean {
  return expected !== undefined && timingSafeEqual(hash(given), hash(expected));
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
