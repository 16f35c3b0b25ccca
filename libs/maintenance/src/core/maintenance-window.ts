/** The mode of a window: `full` refuses every call, `read-only` refuses calls that write. */
export type MaintenanceMode = 'full' | 'read-only';

/** The scope that covers the whole application. */
export const ALL_SCOPES = '*';

/**
 * A period in which the application, or a scope of it, is under maintenance.
 *
 * @example
 * ```ts
 * const { windows } = maintenance.status();
 * windows.active[0]?.message; // "Back at four"
 * ```
 */
export interface MaintenanceWindow {
  /** The id, unique within the state; the argument of `off --id`. */
  id: string;
  /** The scope: `'*'` for the whole application, else a name that `@MaintenanceScope()` uses. */
  scope: string;
  /** The mode: `'full'` refuses every call, `'read-only'` those that write. */
  mode: MaintenanceMode;
  /** The first moment of the window, ISO 8601 in UTC. */
  startsAt: string;
  /** The first moment after the window, ISO 8601 in UTC; `null` if the window lasts until it is turned off. */
  endsAt: string | null;
  /** The message to clients, as plain text: it is escaped wherever it is shown. */
  message?: string;
  /** The message in further languages, by their tags (BCP 47): clients get the one that they prefer. */
  messages?: Readonly<Record<string, string>>;
  /**
   * Seconds for the `Retry-After` header (RFC 9110, section 10.2.3); by default the time until the end of the window.
   */
  retryAfter?: number;
  /** The addresses and CIDR blocks of the clients that this window admits; missing where it admits none. */
  allowIps?: readonly string[];
  /** The time of its creation, ISO 8601 in UTC. */
  createdAt: string;
  /** The author: a user name, `user@host` or `token`. */
  createdBy?: string;
  /** The recurrence of a recurring window; start and end are then those of one occurrence. */
  recurrence?: WindowRecurrence;
}

/** The longest occurrence: ten years. Longer values are certainly typos and could overflow `Date`. */
export const MAX_OCCURRENCE_MS = 3_650 * 86_400_000;

/** The recurrence of a window: a cron expression that is evaluated on demand, without a timer. */
export interface WindowRecurrence {
  /** The cron expression, of five fields. */
  cron: string;
  /** The IANA name of the time zone of the expression. */
  timeZone: string;
  /** The length of each occurrence in milliseconds. */
  duration: number;
  /** The start of an occurrence that was ended early, ISO 8601 in UTC. */
  ended?: string;
}

/** The secrets of the bypass of a window, as base64url; never part of a status. */
export interface WindowBypass {
  /** The SHA-256 of the token. */
  hash: string;
  /** The key that signs the cookies of this window. */
  key: string;
  [extra: string]: unknown;
}

/** A window as it is stored. Members that this version does not know are kept. */
export interface StoredWindow extends MaintenanceWindow {
  /** The end of the lease, ISO 8601 in UTC: the window ends then unless its owner renews the lease. */
  leaseUntil?: string;
  /** Whether it belongs to the command `run`, which ends it: `on` does not change it. */
  isOwned?: boolean;
  /** The secrets of its bypass. */
  bypass?: WindowBypass;
  [extra: string]: unknown;
}

/** Returns when the window ends on its own, in milliseconds since the epoch; `Infinity` if it does not. */
export function getEnd(window: StoredWindow): number {
  const end = getAnnouncedEnd(window);
  return window.leaseUntil === undefined ? end : Math.min(end, Date.parse(window.leaseUntil));
}

/**
 * Returns the end of the window that clients are told, in milliseconds since the epoch; `Infinity` if it is unknown.
 * Leases are excluded: they only bound how long the window of a crashed owner stays active.
 */
export function getAnnouncedEnd({ endsAt }: MaintenanceWindow): number {
  return endsAt === null ? Infinity : Date.parse(endsAt);
}

/** Returns when the window starts, in milliseconds since the epoch. */
export function getStart(window: MaintenanceWindow): number {
  return Date.parse(window.startsAt);
}

/** Whether the window is active at `now` (milliseconds since the epoch): from its start to just before its end. */
export function isActiveAt(window: StoredWindow, now: number): boolean {
  return getStart(window) <= now && now < getEnd(window);
}

/** Whether the window is planned at `now` (milliseconds since the epoch). */
export function isPlannedAt(window: StoredWindow, now: number): boolean {
  return now < getStart(window) && getStart(window) < getEnd(window);
}

/** Returns the window that ends last, which clients are told of; one without an end beats all. */
export function findLastEnding(windows: readonly StoredWindow[]): StoredWindow {
  return windows.reduce(pickLater);
}

function pickLater(a: StoredWindow, b: StoredWindow): StoredWindow {
  const difference = getAnnouncedEnd(b) - getAnnouncedEnd(a);
  if (difference > 0) return b;
  if (difference < 0) return a;
  return getBreadth(b) > getBreadth(a) || (getBreadth(b) === getBreadth(a) && getStart(b) < getStart(a)) ? b : a;
}

// Of windows that end together, the broader one tells the caller more.
function getBreadth(window: StoredWindow): number {
  return (window.scope === ALL_SCOPES ? 2 : 0) + (window.mode === 'full' ? 1 : 0);
}

/** Returns the members of a window that a status has, without secrets. */
export function toPublicWindow(window: MaintenanceWindow): MaintenanceWindow {
  const {
    id,
    scope,
    mode,
    startsAt,
    endsAt,
    message,
    messages,
    retryAfter,
    allowIps,
    createdAt,
    createdBy,
    recurrence,
  } = window;
  return {
    id,
    scope,
    mode,
    startsAt,
    endsAt,
    ...(message !== undefined && { message }),
    ...(messages !== undefined && { messages }),
    ...(retryAfter !== undefined && { retryAfter }),
    ...(allowIps !== undefined && { allowIps }),
    createdAt,
    ...(createdBy !== undefined && { createdBy }),
    ...(recurrence !== undefined && { recurrence: toPublicRecurrence(recurrence) }),
  };
}

/** Returns the members of a window that clients may see: those of a status, without the addresses that it admits. */
export function toClientWindow(window: MaintenanceWindow): MaintenanceWindow {
  const { allowIps: _, ...shown } = toPublicWindow(window);
  return shown;
}

/** Returns the public members of a recurrence. */
export function toPublicRecurrence({ cron, timeZone, duration }: WindowRecurrence): WindowRecurrence {
  return { cron, timeZone, duration };
}
