import { toIso } from '../utils/dates.js';
import { changeAllowedIps } from './allowed-ips.js';
import {
  HANDWRITTEN_LINEAGE,
  MAX_HISTORY_ENTRIES,
  type ChangeSource,
  type HistoryEntry,
  type MaintenanceState,
} from './maintenance-state.js';
import { getEnd, isActiveAt, toPublicRecurrence, getStart, type StoredWindow } from './maintenance-window.js';
import { nextOccurrence, currentOccurrence } from './recurrence.js';
import { changeMessages } from './window-messages.js';
import { assertEnd, assertStart, type DisableOptions, type WindowFields } from './window-options.js';

/** The author of a change, and the interface through which it was made. */
export interface ChangeOrigin {
  by?: string;
  via: ChangeSource;
}

/** A change of the windows, computed from one state. */
export interface Change {
  /** The kind of change. The history does not record that a program renews its lease, or leaves its window on. */
  action: 'on' | 'plan' | 'change' | 'off' | 'renew' | 'keep';
  /** All windows after the change. */
  windows: StoredWindow[];
  /** The windows that it started, changed or ended. */
  affected: StoredWindow[];
  /** The windows that `'off'` removes before their start. */
  cancelled?: StoredWindow[];
}

/**
 * Starts a window, or changes the active one of the same scope and mode.
 *
 * @param windows - the windows before the change
 * @param fields - the fields that are given
 * @param now - milliseconds since the epoch
 * @param id - the id of a new window
 * @param by - the author, if the fields name none
 * @returns the change; `null` if nothing changes
 * @throws {@link InvalidWindowError} if the start lies in the past, or the end that results before the start
 */
export function openWindow(
  windows: readonly StoredWindow[],
  fields: WindowFields,
  now: number,
  id: string,
  by?: string,
): Change | null {
  const isPlanned = (fields.startsAt !== undefined && fields.startsAt > now) || fields.recurrence !== undefined;
  const active = isPlanned
    ? undefined
    : windows.find((window) => isManualWindow(window, fields) && isActiveAt(window, now));
  // A series may have started long ago, and a change may repeat the start of the window.
  const isKept = fields.recurrence !== undefined || (active && fields.startsAt === getStart(active));
  if (fields.startsAt !== undefined && !isKept) assertStart(fields.startsAt, now);
  if (active) return changeWindow(windows, active, fields, now);
  const series =
    isPlanned || hasOwnTimes(fields) ? undefined : windows.find((window) => isOccurringAt(window, fields, now));
  if (series) return changeWindow(windows, series, fields, now);
  const opened = createWindow(fields, now, id, by);
  return { action: currentOccurrence(opened, now) ? 'on' : 'plan', windows: [...windows, opened], affected: [opened] };
}

/** Creates the window that the fields describe. */
export function createWindow(fields: WindowFields, now: number, id: string, by?: string): StoredWindow {
  const allowIps = changeAllowedIps(fields);
  const messages = changeMessages(fields.messages);
  return {
    id,
    scope: fields.scope,
    mode: fields.mode,
    startsAt: toIso(fields.startsAt ?? now),
    endsAt: typeof fields.endsAt === 'number' ? toIso(fields.endsAt) : null,
    ...(fields.message !== undefined && { message: fields.message }),
    ...(messages && { messages }),
    ...(fields.retryAfter !== undefined && { retryAfter: fields.retryAfter }),
    ...(allowIps && { allowIps }),
    createdAt: toIso(now),
    ...((fields.createdBy ?? by) !== undefined && { createdBy: fields.createdBy ?? by }),
    ...(fields.recurrence && { recurrence: fields.recurrence }),
    ...(fields.bypass && { bypass: fields.bypass }),
  };
}

// A window may belong to a program, which ends it; an occurrence belongs to its series.
function isManualWindow(window: StoredWindow, { scope, mode }: WindowFields): boolean {
  const isOfProgram = window.leaseUntil !== undefined || window.isOwned === true;
  return window.scope === scope && window.mode === mode && !isOfProgram && window.recurrence === undefined;
}

// Fields with times describe a new window. Without them, they change the series whose occurrence is active.
function hasOwnTimes({ startsAt, endsAt }: WindowFields): boolean {
  return startsAt !== undefined || endsAt !== undefined;
}

function isOccurringAt(window: StoredWindow, { scope, mode }: WindowFields, now: number): boolean {
  const isSame = window.scope === scope && window.mode === mode && window.leaseUntil === undefined;
  return isSame && window.recurrence !== undefined && currentOccurrence(window, now) !== null;
}

function changeWindow(
  windows: readonly StoredWindow[],
  active: StoredWindow,
  fields: WindowFields,
  now: number,
): Change | null {
  const changed: StoredWindow = { ...active };
  // The same moment may be written differently.
  if (fields.startsAt !== undefined && fields.startsAt !== getStart(active)) changed.startsAt = toIso(fields.startsAt);
  if (fields.endsAt !== undefined && (fields.endsAt ?? Infinity) !== getEnd(active)) {
    changed.endsAt = fields.endsAt === null ? null : toIso(fields.endsAt);
  }
  for (const name of ['message', 'retryAfter', 'createdBy', 'bypass'] as const) {
    if (fields[name] !== undefined) Object.assign(changed, { [name]: fields[name] });
  }
  const allowIps = changeAllowedIps(fields, active.allowIps);
  if (allowIps) changed.allowIps = allowIps;
  else delete changed.allowIps;
  const messages = changeMessages(fields.messages, active.messages);
  if (messages) changed.messages = messages;
  else delete changed.messages;
  if (changed.endsAt !== null) assertEnd(getStart(changed), getEnd(changed), now);
  const names = Object.keys({ ...active, ...changed });
  if (names.every((name) => changed[name] === active[name])) return null;
  return {
    action: 'change',
    windows: windows.map((window) => (window === active ? changed : window)),
    affected: [changed],
  };
}

/**
 * Ends the active windows, or those that `which` selects. With `id` or `all`, planned windows are cancelled and
 * recurring ones end for good; otherwise only the current occurrence of a recurring window ends.
 *
 * @returns the change; `null` if nothing changes
 */
export function endWindows(windows: readonly StoredWindow[], which: DisableOptions, now: number): Change | null {
  const isForGood = which.all === true || which.id !== undefined;
  const affected: StoredWindow[] = [];
  const cancelled: StoredWindow[] = [];
  const remaining = windows.flatMap((window) => {
    const isNamed =
      (which.scope === undefined || window.scope === which.scope) && (which.id === undefined || window.id === which.id);
    const present = isNamed ? currentOccurrence(window, now) : null;
    // A series without further occurrences can still be removed.
    if (!present && !(isNamed && isForGood && (window.recurrence ?? nextOccurrence(window, now)))) return window;
    if (present) affected.push(present);
    if (window.recurrence && present && !isForGood) {
      return { ...window, recurrence: { ...window.recurrence, ended: present.startsAt } };
    }
    const coming = window.recurrence ? nextOccurrence(window, now) : null;
    if (coming || !present) cancelled.push(coming ?? window);
    return [];
  });
  if (affected.length === 0 && cancelled.length === 0) return null;
  return { action: 'off', windows: remaining, affected, ...(cancelled.length > 0 && { cancelled }) };
}

/** Whether every active window is to end. */
export function shouldEndAll({ scope, id }: DisableOptions): boolean {
  return scope === undefined && id === undefined;
}

/**
 * Returns the state after a change, without the windows that have ended.
 *
 * @param base - the state that the change was computed from; `null` if there was none
 * @param change - the change
 * @param origin - its author and interface, for the history
 * @param now - milliseconds since the epoch
 * @param newLineage - the lineage of a state that has none yet
 */
export function createNextState(
  base: MaintenanceState | null,
  change: Change,
  origin: ChangeOrigin,
  now: number,
  newLineage: string,
): MaintenanceState {
  // Revisions are comparable within one lineage only: after the largest number, another lineage begins.
  const isNew = base === null || base.lineage === HANDWRITTEN_LINEAGE || base.revision >= Number.MAX_SAFE_INTEGER;
  const revision = isNew ? 1 : base.revision + 1;
  return {
    ...base,
    format: 1,
    lineage: isNew ? newLineage : base.lineage,
    revision,
    windows: change.windows.filter((window) => getEnd(window) > now),
    history: [...createHistoryEntries(change, origin, now, revision), ...(base?.history ?? [])].slice(
      0,
      MAX_HISTORY_ENTRIES,
    ),
  };
}

function createHistoryEntries(
  { action, affected, cancelled = [] }: Change,
  { by, via }: ChangeOrigin,
  now: number,
  revision: number,
): HistoryEntry[] {
  if (action === 'renew' || action === 'keep') return [];
  const createEntry = (done: HistoryEntry['action'], windows: StoredWindow[]): HistoryEntry => ({
    revision,
    at: toIso(now),
    action: done,
    ...(by !== undefined && { by }),
    via,
    windows: windows.map((window) => toHistoryWindow(window, now)),
  });
  return [
    ...(affected.length > 0 || cancelled.length === 0 ? [createEntry(action, affected)] : []),
    ...(cancelled.length > 0 ? [createEntry('cancel', cancelled)] : []),
  ];
}

function toHistoryWindow(window: StoredWindow, now: number): HistoryEntry['windows'][number] {
  const { id, scope, mode, message, allowIps, recurrence } = window;
  // The dates of a series are its bounds; its occurrences start and end at other times.
  const { startsAt, endsAt } = currentOccurrence(window, now) ?? nextOccurrence(window, now) ?? window;
  return {
    id,
    scope,
    mode,
    startsAt,
    endsAt,
    ...(message !== undefined && { message }),
    ...(allowIps && { allowIps }),
    ...(recurrence && { recurrence: toPublicRecurrence(recurrence) }),
  };
}
