import type { InstanceReporter } from '../../drain/instance-reporter.js';
import type { Clock } from '../../utils/clock.js';
import type { AdminSession } from '../admin-caller.js';
import { MAX_SESSION_MS } from './session-cookie.js';
import type { ReportsReader } from './reports-reader.js';

/** The member of a report with the sessions that were ended: `<id> <end in milliseconds since the epoch>`. */
const REPORT_MEMBER = 'endedSessions';
/** The number of ended sessions that an instance remembers; beyond that, those that expire first are forgotten. */
const MAX_ENDED_SESSIONS = 200;
const ENTRY_PATTERN = /^([\w-]{16}) (\d{1,15})$/;

/**
 * Remembers the sessions that were ended before they expire, so that a copy of the cookie is refused. The instances
 * tell each other in their reports, and each passes on what it has read: no write of the state is needed.
 */
export class EndedSessions {
  readonly #endsAt = new Map<string, number>();

  constructor(
    private readonly reader: ReportsReader,
    private readonly reporter: InstanceReporter,
    private readonly clock: Clock,
  ) {
    reader.onRead((reports) => this.#adopt(reports));
    reporter.addMembers(() => this.#createMembers());
  }

  /**
   * Ends a session.
   *
   * @returns whether the other instances can read it
   */
  async add({ id, endsAt }: AdminSession): Promise<boolean> {
    this.#remember(id, endsAt);
    return this.reporter.publish();
  }

  /** Whether a session was ended, here or on another instance. While the reports can't be read, only here counts. */
  async has({ id }: AdminSession): Promise<boolean> {
    if (this.#endsAt.has(id)) return true;
    await this.reader.read().catch(() => undefined);
    return this.#endsAt.has(id);
  }

  #adopt(reports: readonly unknown[]): void {
    for (const report of reports) {
      const listed = (report as Record<string, unknown> | null)?.[REPORT_MEMBER];
      if (!Array.isArray(listed)) continue;
      for (const entry of listed.slice(0, MAX_ENDED_SESSIONS) as unknown[]) {
        const [, id, endsAt] = (typeof entry === 'string' && ENTRY_PATTERN.exec(entry)) || [];
        if (id !== undefined) this.#remember(id, Number(endsAt));
      }
    }
  }

  #remember(id: string, endsAt: number): void {
    const now = this.clock.now();
    if (endsAt <= now || endsAt > now + 2 * MAX_SESSION_MS) return;
    this.#endsAt.set(id, endsAt);
    if (this.#endsAt.size > MAX_ENDED_SESSIONS) {
      const [first] = [...this.#endsAt].sort(([, a], [, b]) => a - b);
      this.#endsAt.delete(first![0]);
    }
  }

  #createMembers(): Record<string, unknown> {
    const now = this.clock.now();
    for (const [id, endsAt] of this.#endsAt) if (endsAt <= now) this.#endsAt.delete(id);
    if (this.#endsAt.size === 0) return {};
    return { [REPORT_MEMBER]: [...this.#endsAt].map(([id, endsAt]) => `${id} ${endsAt}`) };
  }
}
