import type { MaintenanceMode, MaintenanceWindow } from '../../../core/maintenance-window.js';
import { IS_UTC, ZONE } from './format.js';

export type TimeZoneChoice = 'local' | 'utc';
export type EndChoice = 'open' | '15' | '60' | 'time';
export type RepeatChoice = 'once' | 'daily' | 'weekly' | 'monthly' | 'cron';

/** A window as the operator types it. */
export interface WindowDraft {
  scope: string;
  /** Whether the scope is typed, not chosen. */
  isOtherScope: boolean;
  mode: MaintenanceMode;
  message: string;
  /** The start of a planned window, as a field of type `datetime-local` has it. */
  start: string;
  startZone: TimeZoneChoice;
  end: EndChoice;
  endTime: string;
  endZone: TimeZoneChoice;
  allowIps: string;
  bypass: boolean;
  repeat: RepeatChoice;
  /** Of each occurrence, HH:MM. */
  time: string;
  weekday: number;
  day: number;
  cron: string;
  repeatZone: string;
  minutes: number;
  /** The planned window that this one replaces. */
  replaces: string | null;
  /** The members of the replaced window that the form does not show. */
  kept: Pick<MaintenanceWindow, 'messages' | 'retryAfter'>;
}

/** The fields that can't be used, with what to do. */
export type DraftErrors = Partial<Record<keyof WindowDraft, string>>;

export function createDraft(): WindowDraft {
  return {
    scope: '*',
    isOtherScope: false,
    mode: 'full',
    message: '',
    start: '',
    startZone: 'local',
    end: 'open',
    endTime: '',
    endZone: 'local',
    allowIps: '',
    bypass: false,
    repeat: 'once',
    time: '03:00',
    weekday: 0,
    day: 1,
    cron: '0 3 * * 0',
    repeatZone: IS_UTC ? 'UTC' : ZONE,
    minutes: 60,
    replaces: null,
    kept: {},
  };
}

/** Creates the draft that changes a window. */
export function createDraftFrom(window: MaintenanceWindow, scopes: string[], isPlanned: boolean): WindowDraft {
  const { scope, mode, message = '', messages, retryAfter, endsAt, allowIps = [], recurrence } = window;
  return {
    ...createDraft(),
    scope,
    isOtherScope: scope !== '*' && !scopes.includes(scope),
    mode,
    message,
    start: isPlanned ? toFieldValue(window.startsAt) : '',
    end: endsAt === null ? 'open' : 'time',
    endTime: endsAt === null ? '' : toFieldValue(endsAt),
    allowIps: allowIps.join('\n'),
    ...(recurrence && {
      repeat: 'cron',
      cron: recurrence.cron,
      repeatZone: recurrence.timeZone,
      minutes: recurrence.duration / 60_000,
    }),
    ...(isPlanned && { replaces: window.id, kept: { messages, retryAfter } }),
  };
}

/** The drafts survive a change of the screen and the end of the session; they are in memory only. */
const drafts: Record<'on' | 'plan', WindowDraft> = { on: createDraft(), plan: createDraft() };

export function getDraft(kind: 'on' | 'plan'): WindowDraft {
  return drafts[kind];
}

export function setDraft(kind: 'on' | 'plan', draft: WindowDraft): void {
  drafts[kind] = draft;
}

/** Returns the moment of a field of type `datetime-local`; NaN if it is incomplete. */
export function parseFieldValue(value: string, zone: TimeZoneChoice): number {
  return Date.parse(zone === 'utc' ? `${value}Z` : value);
}

/** Returns the value of a field of type `datetime-local`. */
export function toFieldValue(moment: string | number, zone: TimeZoneChoice = 'local'): string {
  const at = new Date(moment);
  const shift = zone === 'utc' ? 0 : at.getTimezoneOffset() * 60_000;
  return new Date(at.getTime() - shift).toISOString().slice(0, 16);
}

/** Returns the start of the window; `null` for one that recurs. */
export function getDraftStart(draft: WindowDraft, kind: 'on' | 'plan', now: number): number | null {
  if (kind === 'on') return now;
  return draft.repeat === 'once' ? parseFieldValue(draft.start, draft.startZone) : null;
}

/** Returns the end of the window; `null` if it has none. */
export function getDraftEnd(draft: WindowDraft, start: number): number | null {
  if (draft.end === 'open') return null;
  if (draft.end === 'time') return parseFieldValue(draft.endTime, draft.endZone);
  return start + Number(draft.end) * 60_000;
}

export function getCron({ repeat, time, weekday, day, cron }: WindowDraft): string {
  const [hour, minute] = time.split(':').map(Number);
  if (repeat === 'daily') return `${minute} ${hour} * * *`;
  if (repeat === 'weekly') return `${minute} ${hour} * * ${weekday}`;
  if (repeat === 'monthly') return `${minute} ${hour} ${day} * *`;
  return cron.trim();
}

/** Finds what the browser can tell to be wrong; the server checks everything again. */
export function findErrors(draft: WindowDraft, kind: 'on' | 'plan', now: number): DraftErrors {
  const errors: DraftErrors = {};
  if (draft.scope.trim() === '') errors.scope = 'Enter the name of the scope.';
  const start = getDraftStart(draft, kind, now);
  if (start === null) {
    if (!/^\S+(\s+\S+){4}$/.test(getCron(draft))) errors.cron = 'Enter five fields, such as 0 3 * * 0.';
    if (!/^\d\d:\d\d/.test(draft.time)) errors.time = 'Enter a time, such as 03:00.';
    if (!(draft.minutes >= 1)) errors.minutes = 'Enter at least 1 minute.';
    return errors;
  }
  if (Number.isNaN(start)) errors.start = 'Enter the date and the time of the start.';
  else if (kind === 'plan' && start <= now) errors.start = 'The start is in the past.';
  const end = getDraftEnd(draft, start);
  if (end !== null && draft.end === 'time') {
    if (Number.isNaN(end)) errors.endTime = 'Enter the date and the time of the end.';
    else if (end <= now) errors.endTime = 'The end is in the past.';
    else if (end <= start) errors.endTime = 'The end is not after the start.';
  }
  return errors;
}

/**
 * Creates the body of `POST on`.
 *
 * @param changed - the active window that this changes: what was cleared has to be named
 */
export function createBody(
  draft: WindowDraft,
  kind: 'on' | 'plan',
  now: number,
  changed?: MaintenanceWindow,
): Record<string, unknown> {
  const start = getDraftStart(draft, kind, now);
  const end = start === null ? null : getDraftEnd(draft, start);
  const allowIps = draft.allowIps.split(/[\s,]+/).filter(Boolean);
  const message = draft.message.trim();
  return {
    ...draft.kept,
    scope: draft.scope.trim(),
    mode: draft.mode,
    ...(kind === 'plan' && start !== null && { startsAt: new Date(start).toISOString() }),
    ...(start === null
      ? { recurrence: { cron: getCron(draft), timeZone: draft.repeatZone, duration: draft.minutes * 60_000 } }
      : (end !== null || changed) && { endsAt: end === null ? null : new Date(end).toISOString() }),
    ...((message || changed?.message) && { message }),
    ...((allowIps.length > 0 || changed?.allowIps) && { allowIps }),
    ...(draft.bypass && { bypass: true }),
  };
}
