import * as v from 'valibot';
import { parseDate } from '../utils/dates.js';
import { describeForeignContent } from './foreign-content.js';
import { HANDWRITTEN_LINEAGE, type MaintenanceState } from './maintenance-state.js';
import { ALL_SCOPES, MAX_OCCURRENCE_MS } from './maintenance-window.js';
import { isUsableRecurrence } from './recurrence.js';

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

const date = v.pipe(
  v.string(),
  // Decisions use Date.parse, which is stricter than the parser of what operators type.
  v.check(
    (text) => parseDate(text) !== undefined && !Number.isNaN(Date.parse(text)),
    'not an ISO 8601 date with a time zone',
  ),
);

// 256 bits as base64url. A shorter secret could be guessed, and with an empty key any client could sign a cookie.
const secret = v.pipe(v.string(), v.regex(/^[\w-]{43}$/, 'not 256 bits as base64url'));

const storedWindow = v.looseObject({
  id: v.pipe(v.string(), v.minLength(1)),
  scope: v.pipe(v.string(), v.minLength(1)),
  mode: v.picklist(['full', 'read-only']),
  startsAt: date,
  endsAt: v.nullable(date),
  message: v.optional(v.string()),
  retryAfter: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  createdAt: date,
  createdBy: v.optional(v.string()),
  leaseUntil: v.optional(date),
  bypass: v.optional(v.looseObject({ hash: secret, key: secret })),
  recurrence: v.optional(
    v.pipe(
      v.looseObject({
        cron: v.string(),
        timeZone: v.string(),
        duration: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(MAX_OCCURRENCE_MS)),
        ended: v.optional(date),
      }),
      v.check(
        (recurrence) => isUsableRecurrence(recurrence),
        'not a cron expression of five fields in a known time zone',
      ),
    ),
  ),
});

const historyEntry = v.looseObject({
  revision: v.number(),
  at: v.string(),
  action: v.string(),
  windows: v.array(v.looseObject({ id: v.string() })),
});

const state = v.looseObject({
  format: v.literal(1),
  lineage: v.pipe(v.string(), v.minLength(1)),
  revision: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  windows: v.array(storedWindow),
  // Decisions do not depend on the history: an invalid entry is dropped.
  history: v.fallback(
    v.pipe(
      v.array(v.unknown()),
      v.transform((entries) => entries.filter((entry) => v.is(historyEntry, entry))),
    ),
    [],
  ),
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
  const result = v.safeParse(state, value);
  if (result.success) return result.output as MaintenanceState;
  const [issue] = result.issues;
  throw new StateFormatError(`${v.getDotPath(issue) ?? 'the content'}: ${issue.message}`);
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
