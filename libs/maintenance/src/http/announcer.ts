import type { Clock } from '../utils/clock.js';
import { formatStructuredText } from '../utils/structured-field.js';
import { toClientWindow, getStart, type MaintenanceWindow } from '../core/maintenance-window.js';
import type { StateMonitor } from '../core/state-monitor.js';
import { exposeHeadersWhenSent, type RawResponse } from './answer.js';

/** The header of all responses while a window is announced. */
const ANNOUNCEMENT_HEADER = 'Maintenance-Announcement';

interface Announcement {
  from: number;
  until: number;
  window: MaintenanceWindow;
  header: string;
}

/** Announces the next planned window before it starts. */
export class Announcer {
  #next: Announcement | null = null;

  /** @param leadTimeMs - how long before its start a window is announced; `undefined`: never */
  constructor(
    private readonly leadTimeMs: number | undefined,
    private readonly monitor: StateMonitor,
    private readonly clock: Clock,
  ) {
    this.refresh();
  }

  /** Reads the next planned window again. Has to be called after each change of the status. */
  refresh(): void {
    const [planned] = this.leadTimeMs === undefined ? [] : this.monitor.getPlannedWindows();
    // While maintenance is forced on or off, no window starts or ends it.
    if (!planned || this.leadTimeMs === undefined || this.monitor.getSnapshot().forced !== null) {
      this.#next = null;
      return;
    }
    const start = getStart(planned);
    const window = toClientWindow(planned);
    this.#next = { from: start - this.leadTimeMs, until: start, window, header: formatAnnouncementHeader(window) };
  }

  /** Returns the window that is announced now, or `null`. */
  get window(): MaintenanceWindow | null {
    return this.#findCurrent()?.window ?? null;
  }

  /** Returns the value of the header; `null` where no window is announced. */
  get header(): string | null {
    return this.#next === null ? null : (this.#findCurrent()?.header ?? null);
  }

  /** Adds the header to a response, if a window is announced. */
  announce(response: RawResponse): void {
    const { header } = this;
    if (header === null) return;
    response.setHeader(ANNOUNCEMENT_HEADER, header);
    exposeHeadersWhenSent(response);
  }

  #findCurrent(): Announcement | null {
    if (this.#next === null) return null;
    const now = this.clock.now();
    return now >= this.#next.from && now < this.#next.until ? this.#next : null;
  }
}

/** Formats a dictionary of strings (RFC 9651, section 3.2). */
function formatAnnouncementHeader({ startsAt, endsAt, scope, mode }: MaintenanceWindow): string {
  const members = { starts: startsAt, ...(endsAt !== null && { ends: endsAt }), scope, mode };
  return Object.entries(members)
    .map(([name, value]) => [name, formatStructuredText(value)])
    .filter(([, value]) => value !== null)
    .map((member) => member.join('='))
    .join(', ');
}
