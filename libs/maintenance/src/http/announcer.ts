import type { Clock } from '../utils/clock.js';
import { toPublicWindow, getStart, type MaintenanceWindow } from '../core/maintenance-window.js';
import type { StateMonitor } from '../core/state-monitor.js';

/** The header of answers while a window is announced. */
export const ANNOUNCEMENT_HEADER = 'Maintenance-Announcement';

interface Announcement {
  from: number;
  until: number;
  window: MaintenanceWindow;
  header: string;
}

/** Tells of the next planned window, from some time before it starts. */
export class Announcer {
  #next: Announcement | null = null;

  /** @param leadTimeMs - milliseconds; `undefined`: nothing is announced */
  constructor(
    private readonly leadTimeMs: number | undefined,
    private readonly monitor: StateMonitor,
    private readonly clock: Clock,
  ) {
    this.refresh();
  }

  /** Looks what is planned; to be called whenever that may have changed. */
  refresh(): void {
    const [planned] = this.leadTimeMs === undefined ? [] : this.monitor.getPlannedWindows();
    // What is forced is not opened or closed by any window.
    if (!planned || this.leadTimeMs === undefined || this.monitor.getSnapshot().forced !== null) {
      this.#next = null;
      return;
    }
    const start = getStart(planned);
    const window = toPublicWindow(planned);
    this.#next = { from: start - this.leadTimeMs, until: start, window, header: formatAnnouncementHeader(window) };
  }

  /** The window that is announced now. */
  get window(): MaintenanceWindow | null {
    return this.#findCurrent()?.window ?? null;
  }

  /** The value of the header; `null` where nothing is announced. */
  get header(): string | null {
    return this.#next === null ? null : (this.#findCurrent()?.header ?? null);
  }

  #findCurrent(): Announcement | null {
    if (this.#next === null) return null;
    const now = this.clock.now();
    return now >= this.#next.from && now < this.#next.until ? this.#next : null;
  }
}

/** A dictionary of strings (RFC 9651, section 3.2). */
function formatAnnouncementHeader({ startsAt, endsAt, scope, mode }: MaintenanceWindow): string {
  const members = { starts: startsAt, ...(endsAt !== null && { ends: endsAt }), scope, mode };
  return Object.entries(members)
    .map(([name, value]) => `${name}="${escapeStructuredString(value)}"`)
    .join(', ');
}

// A string of a structured field has ASCII only, and escapes two characters of it.
function escapeStructuredString(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&');
}
