import type { Clock } from '../utils/clock.js';
import { publicWindow, startOf, type MaintenanceWindow } from '../core/maintenance-window.js';
import type { StateMonitor } from '../core/state-monitor.js';

/** The header of answers while a window is announced. */
export const ANNOUNCEMENT = 'Maintenance-Announcement';

interface Announced {
  from: number;
  until: number;
  window: MaintenanceWindow;
  header: string;
}

/** Tells of the next planned window, from some time before it starts. */
export class Announcer {
  #next: Announced | null = null;

  /** @param before - milliseconds; `undefined`: nothing is announced */
  constructor(
    private readonly before: number | undefined,
    private readonly monitor: StateMonitor,
    private readonly clock: Clock,
  ) {
    this.review();
  }

  /** Looks what is planned; to be called whenever that may have changed. */
  review(): void {
    const [planned] = this.before === undefined ? [] : this.monitor.planned();
    // What is forced is not opened or closed by any window.
    if (!planned || this.before === undefined || this.monitor.situation().forced !== null) {
      this.#next = null;
      return;
    }
    const start = startOf(planned);
    const window = publicWindow(planned);
    this.#next = { from: start - this.before, until: start, window, header: headerOf(window) };
  }

  /** The window that is announced now. */
  get window(): MaintenanceWindow | null {
    return this.#current()?.window ?? null;
  }

  /** The value of the header; `null` where nothing is announced. */
  get header(): string | null {
    return this.#next === null ? null : (this.#current()?.header ?? null);
  }

  #current(): Announced | null {
    if (this.#next === null) return null;
    const now = this.clock.now();
    return now >= this.#next.from && now < this.#next.until ? this.#next : null;
  }
}

/** A dictionary of strings (RFC 9651, section 3.2). */
function headerOf({ startsAt, endsAt, scope, mode }: MaintenanceWindow): string {
  const members = { starts: startsAt, ...(endsAt !== null && { ends: endsAt }), scope, mode };
  return Object.entries(members)
    .map(([name, value]) => `${name}="${printable(value)}"`)
    .join(', ');
}

// A string of a structured field has ASCII only, and escapes two characters of it.
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&');
}
