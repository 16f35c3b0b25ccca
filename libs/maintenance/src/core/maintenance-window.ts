/** What a window refuses: everything, or everything but reading. */
export type MaintenanceMode = 'full' | 'read-only';

/** The scope that covers the whole application. */
export const ALL_SCOPES = '*';

/**
 * A span of time in which a part of the application, or all of it, is under maintenance.
 *
 * @example
 * ```ts
 * const { windows } = maintenance.status();
 * windows.active[0]?.message; // "Back at four"
 * ```
 */
export interface MaintenanceWindow {
  /** Unique within the state; what `off --id` takes. */
  id: string;
  /** What is closed: `'*'` for everything, else a name that `@MaintenanceScope()` uses. */
  scope: string;
  /** `'full'` refuses every request, `'read-only'` those that would write. */
  mode: MaintenanceMode;
  /** First moment of the window, ISO 8601 in UTC. */
  startsAt: string;
  /** First moment after the window, ISO 8601 in UTC; `null` until somebody turns it off. */
  endsAt: string | null;
  /** What visitors read. Plain text: it is escaped wherever it is shown. */
  message?: string;
  /** Seconds for the `Retry-After` header (RFC 9110, section 10.2.3); default: what is left of the window. */
  retryAfter?: number;
  /** When the window was made, ISO 8601 in UTC. */
  createdAt: string;
  /** Who made it, in the form that the maker gave: a user name, `user@host`, `token`. */
  createdBy?: string;
  /** How it repeats, if it does; start and end are then those of one occurrence. */
  recurrence?: WindowRecurrence;
}

/** The longest occurrence, in milliseconds: ten years. What is longer was not meant, and would leave the range of dates. */
export const MAX_OCCURRENCE_MS = 3_650 * 86_400_000;

/** A cron expression that repeats a window, evaluated on demand and never turned into a timer. */
export interface WindowRecurrence {
  /** Five cron fields. */
  cron: string;
  /** IANA name of the time zone in which the expression is read. */
  timeZone: string;
  /** Length of each occurrence in milliseconds. */
  duration: number;
  /** Start of an occurrence that was ended before its time, ISO 8601 in UTC. */
  ended?: string;
}

/** What a bypass of the window is checked against, both as base64url; never part of a status. */
export interface WindowBypass {
  /** SHA-256 of the secret token. */
  hash: string;
  /** Key that signs the cookies of this window. */
  key: string;
  [extra: string]: unknown;
}

/** A window as it is stored. Members that this version does not know are kept. */
export interface StoredWindow extends MaintenanceWindow {
  /** The owner's lease, ISO 8601 in UTC: the window ends then unless the owner renews it. */
  leaseUntil?: string;
  bypass?: WindowBypass;
  [extra: string]: unknown;
}

/** Milliseconds since the epoch at which the window ends by itself; `Infinity` if it does not. */
export function getEnd(window: StoredWindow): number {
  const end = getAnnouncedEnd(window);
  return window.leaseUntil === undefined ? end : Math.min(end, Date.parse(window.leaseUntil));
}

/**
 * Milliseconds since the epoch at which the window is to end, for those who are told when to come back; `Infinity` if nobody knows. A
 * lease is no such end: it only bounds what a dead owner leaves behind.
 */
export function getAnnouncedEnd({ endsAt }: MaintenanceWindow): number {
  return endsAt === null ? Infinity : Date.parse(endsAt);
}

/** Milliseconds since the epoch at which the window starts. */
export function getStart(window: MaintenanceWindow): number {
  return Date.parse(window.startsAt);
}

/** Whether the window is open at `now` (milliseconds since the epoch): its start belongs to it, its end does not. */
export function isActiveAt(window: StoredWindow, now: number): boolean {
  return getStart(window) <= now && now < getEnd(window);
}

/** Whether the window is still to come at `now` (milliseconds since the epoch). */
export function isPlannedAt(window: StoredWindow, now: number): boolean {
  return now < getStart(window) && getStart(window) < getEnd(window);
}

/** The window without what only the storage may know. */
export function toPublicWindow(window: StoredWindow): MaintenanceWindow {
  const { id, scope, mode, startsAt, endsAt, message, retryAfter, createdAt, createdBy, recurrence } = window;
  return {
    id,
    scope,
    mode,
    startsAt,
    endsAt,
    ...(message !== undefined && { message }),
    ...(retryAfter !== undefined && { retryAfter }),
    createdAt,
    ...(createdBy !== undefined && { createdBy }),
    ...(recurrence !== undefined && { recurrence: toPublicRecurrence(recurrence) }),
  };
}

/** The recurrence without what only the storage may know. */
export function toPublicRecurrence({ cron, timeZone, duration }: WindowRecurrence): WindowRecurrence {
  return { cron, timeZone, duration };
}
