import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { loadCookie } from '../../packages.cjs';
import type { AdminSession } from '../admin-caller.js';

/** The longest time for which a session lasts, in milliseconds. */
export const MAX_SESSION_MS = 60 * 60_000;
/** How far the clocks of instances may differ. */
const MAX_CLOCK_SKEW_MS = 60_000;
const COOKIE_FORMAT = 'v1';
/** Part of the key, so that nothing else that is signed with the token is a valid cookie. */
const KEY_PURPOSE = 'nestjs-maintenance panel session';

/** The members of a request that sessions depend on. */
export interface SessionRequest {
  headers: { cookie?: string };
  /** The protocol by the adapter's trust-proxy setting. */
  protocol?: string;
}

/** The options of {@link SessionCookies}. */
export interface SessionCookieOptions {
  adminToken: string;
  viewerToken?: string;
  /** The name of the application: the cookies of two applications on one host do not replace each other. */
  application: string;
}

/**
 * Creates and verifies the cookies of sessions. They are signed with a key made from the token, so that all instances
 * accept them and a change of the token ends them.
 */
export class SessionCookies {
  readonly #keys: Record<AdminSession['access'], Buffer | null>;
  readonly #name: string;

  constructor({ adminToken, viewerToken, application }: SessionCookieOptions) {
    this.#keys = {
      change: createKey(adminToken, application),
      view: viewerToken === undefined ? null : createKey(viewerToken, application),
    };
    this.#name = `maintenance-session-${createHash('sha256').update(application).digest('hex').slice(0, 8)}`;
  }

  /** Creates a session, and the `Set-Cookie` header for it. */
  create(
    access: AdminSession['access'],
    name: string | undefined,
    request: SessionRequest,
    now: number,
  ): { session: AdminSession; header: string } {
    const id = randomBytes(12).toString('base64url');
    const endsAt = now + MAX_SESSION_MS;
    const fields = [COOKIE_FORMAT, access, id, String(now), String(endsAt), encode(name ?? '')];
    const value = [...fields, sign(fields, this.#keys[access]!)].join('.');
    const session = { id, access, endsAt, ...(name !== undefined && { name }) };
    return { session, header: this.#createHeader(value, MAX_SESSION_MS / 1000, request) };
  }

  /** Creates the `Set-Cookie` header that removes the cookie from the browser. */
  createRemoval(request: SessionRequest): string {
    return this.#createHeader('', 0, request);
  }

  /** Returns the session of a cookie that has not expired; `null` for any other. */
  find(request: SessionRequest, now: number): AdminSession | null {
    const { cookie } = request.headers;
    const value = typeof cookie === 'string' ? loadCookie().parse(cookie)[this.#getName(request)] : undefined;
    const fields = value?.split('.') ?? [];
    const signature = fields.pop();
    const [format, access, id, startedAt, endsAt, name] = fields;
    if (fields.length !== 6 || format !== COOKIE_FORMAT || !signature || !id) return null;
    const key = access === 'change' || access === 'view' ? this.#keys[access] : null;
    if (!key || !isEqual(signature, sign(fields, key))) return null;
    if (!(Number(startedAt) <= now + MAX_CLOCK_SKEW_MS && now < Number(endsAt))) return null;
    return {
      id,
      access: access as AdminSession['access'],
      endsAt: Number(endsAt),
      ...(name && { name: Buffer.from(name, 'base64url').toString() }),
    };
  }

  #createHeader(value: string, maxAge: number, request: SessionRequest): string {
    return loadCookie().stringifySetCookie({
      name: this.#getName(request),
      value,
      // Proxies may serve the application under another path, and the prefix demands this one.
      path: '/',
      maxAge,
      secure: isSecure(request),
      httpOnly: true,
      sameSite: 'strict',
    });
  }

  // Browsers keep a cookie with the prefix only if this host has set it over HTTPS.
  #getName(request: SessionRequest): string {
    return isSecure(request) ? `__Host-${this.#name}` : this.#name;
  }
}

function isSecure({ protocol }: SessionRequest): boolean {
  return protocol === 'https';
}

function createKey(token: string, application: string): Buffer {
  return createHmac('sha256', token)
    .update(JSON.stringify([KEY_PURPOSE, application]))
    .digest();
}

function sign(fields: readonly string[], key: Buffer): string {
  return createHmac('sha256', key).update(JSON.stringify(fields)).digest('base64url');
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function isEqual(a: string, b: string): boolean {
  const [first, second] = [Buffer.from(a), Buffer.from(b)];
  return first.length === second.length && timingSafeEqual(first, second);
}
