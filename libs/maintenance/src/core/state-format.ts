import { isAddressOrBlock } from '../utils/compile-addresses.js';
import { parseDate } from '../utils/dates.js';
import { describeForeignContent } from './foreign-content.js';
import { HANDWRITTEN_LINEAGE, type HistoryEntry, type MaintenanceState } from './maintenance-state.js';
import { ALL_SCOPES, MAX_OCCURRENCE_MS, type WindowRecurrence } from './maintenance-window.js';
import { isUsableRecurrence } from './recurrence.js';
import { toLanguageTag } from '../utils/language-tag.js';

/** The error for content of a storage that is not a state. */
export class StateFormatError extends Error {
  override readonly name = 'StateFormatError';

  /**
   * @param message - the problem
   * @param isForeign - whether the content never was a state, and must not be overwritten without `--force`
   */
  constructor(
    message: string,
    readonly isForeign = false,
  ) {
    super(message);
  }
}

/** Returns the path of a value that can't be used and what it must be; `undefined` if all can be used. */
type Check = (value: unknown, path: string) => string | undefined;

function expect(expected: string, isUsable: (value: unknown) => boolean): Check {
  return (value, path) => (isUsable(value) ? undefined : `${path}: must be ${expected}`);
}

function optional(check: Check): Check {
  return (value, path) => (value === undefined ? undefined : check(value, path));
}

// Members that are not listed are kept as they are.
function object(members: Record<string, Check>): Check {
  const isObject = expect('an object', (value) => typeof value === 'object' && value !== null);
  return (value, path) =>
    isObject(value, path) ??
    findFirst(Object.entries(members), ([name, check]) =>
      check((value as Record<string, unknown>)[name], path === '' ? name : `${path}.${name}`),
    );
}

function list(check: Check): Check {
  const isList = expect('an array', Array.isArray);
  return (value, path) =>
    isList(value, path) ??
    findFirst([...(value as unknown[]).entries()], ([index, item]) => check(item, `${path}.${index}`));
}

function findFirst<T>(items: T[], check: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = check(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  return expect(
    `a whole number from ${min} to ${max}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

const text = expect('a string', (value) => typeof value === 'string');
const name = expect('a string that is not empty', (value) => typeof value === 'string' && value !== '');
const date = expect(
  'an ISO 8601 date with a time zone',
  // Decisions use Date.parse, which is stricter than the parser of what operators type.
  (value) => typeof value === 'string' && parseDate(value) !== undefined && !Number.isNaN(Date.parse(value)),
);
// 256 bits as base64url. A shorter secret could be guessed, and with an empty key any client could sign a cookie.
const secret = expect('256 bits as base64url', (value) => typeof value === 'string' && /^[\w-]{43}$/.test(value));

const address = expect(
  'an IP address or a CIDR block',
  (value) => typeof value === 'string' && isAddressOrBlock(value),
);

const recurrence = object({
  cron: text,
  timeZone: text,
  duration: integer(1, MAX_OCCURRENCE_MS),
  ended: optional(date),
});
const usableRecurrence = expect('a cron expression of five fields in a known time zone', (value) =>
  isUsableRecurrence(value as WindowRecurrence),
);

const messages = expect(
  'texts by language tag',
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(([tag, content]) => toLanguageTag(tag) !== undefined && typeof content === 'string'),
);

const storedWindow = object({
  id: name,
  scope: name,
  mode: expect('"full" or "read-only"', (value) => value === 'full' || value === 'read-only'),
  startsAt: date,
  endsAt: (value, path) => (value === null ? undefined : date(value, path)),
  message: optional(text),
  messages: optional(messages),
  retryAfter: optional(integer(0)),
  allowIps: optional(list(address)),
  createdAt: date,
  createdBy: optional(text),
  leaseUntil: optional(date),
  bypass: optional(object({ hash: secret, key: secret })),
  recurrence: optional((value, path) => recurrence(value, path) ?? usableRecurrence(value, path)),
});

const historyEntry = object({
  revision: expect('a number', (value) => typeof value === 'number'),
  at: text,
  action: text,
  windows: list(object({ id: text })),
});

const state = object({
  format: expect('1', (value) => value === 1),
  lineage: name,
  revision: integer(0),
  windows: list(storedWindow),
});

function createHandwrittenState(on: boolean): MaintenanceState {
  const epoch = new Date(0).toISOString();
  return {
    format: 1,
    lineage: HANDWRITTEN_LINEAGE,
    revision: 0,
    windows: on
      ? [{ id: HANDWRITTEN_LINEAGE, scope: ALL_SCOPES, mode: 'full', startsAt: epoch, endsAt: null, createdAt: epoch }]
      : [],
    history: [],
  };
}

/**
 * Parses the content of a storage.
 *
 * @param text - a state as JSON, or just `1` (on) or `0` (off)
 * @returns the state
 * @throws {@link StateFormatError} for any other text
 */
export function parseState(text: string): MaintenanceState {
  const trimmed = text.trim();
  if (trimmed === '1' || trimmed === '0') return createHandwrittenState(trimmed === '1');
  const foreign = describeForeignContent(trimmed);
  if (foreign !== null) throw new StateFormatError(foreign, true);
  let json: unknown;
  try {
    json = JSON.parse(trimmed);
  } catch {
    throw new StateFormatError(trimmed === '' ? 'it is empty' : 'it is not JSON, nor just 1 or 0');
  }
  return parseStateObject(json);
}

/**
 * Asserts that a value that a storage returned is a state.
 *
 * @throws {@link StateFormatError} for any other value
 */
export function assertState(value: unknown): asserts value is MaintenanceState {
  parseStateObject(value);
}

/**
 * The deepest nesting of objects and arrays. Deeper content could be parsed, but JSON.stringify would overflow the
 * stack.
 */
const MAX_DEPTH = 100;

function assertMaxDepth(value: unknown): void {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new StateFormatError(`it is nested more than ${MAX_DEPTH} levels deep`);
    level = level.flatMap((member) =>
      typeof member === 'object' && member !== null ? (Object.values(member) as unknown[]) : [],
    );
  }
}

function parseStateObject(value: unknown): MaintenanceState {
  assertMaxDepth(value);
  const problem = state(value, '');
  if (problem !== undefined) throw new StateFormatError(problem.replace(/^:/, 'the content:'));
  const { history } = value as { history?: unknown };
  // Decisions do not depend on the history: an invalid entry is dropped.
  const entries = Array.isArray(history) ? history.filter((entry) => historyEntry(entry, '') === undefined) : [];
  return { ...(value as MaintenanceState), history: entries as HistoryEntry[] };
}

/** The number of characters up to which a state is indented for people. */
const MAX_READABLE_LENGTH = 256 * 1024;

/**
 * Returns the text that {@link parseState} parses. It is indented, unless it is so long that the indentation could make
 * it too large for the storage.
 */
export function serializeState(content: MaintenanceState): string {
  const readable = JSON.stringify(content, null, 2);
  return `${readable.length > MAX_READABLE_LENGTH ? JSON.stringify(content) : readable}\n`;
}
