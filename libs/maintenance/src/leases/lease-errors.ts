import { MaintenanceAbortedError } from '../errors/maintenance-aborted.error.js';
import { toIso } from '../utils/dates.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import { getEnd, isActiveAt, type StoredWindow } from '../core/maintenance-window.js';
import { toErrorMessage } from '../utils/to-error-message.js';

/**
 * Creates the error for a window that has ended: turned off, not renewed in time, or removed.
 *
 * @param window - the window as it was read last
 * @param state - the state that is stored now
 * @param location - the location of the storage, for the message
 */
export function createEndedError(
  window: StoredWindow,
  state: MaintenanceState | null,
  now: number,
  location: string,
): MaintenanceAbortedError {
  const { id } = window;
  const turnedOff = describeTurnedOff(id, state);
  if (turnedOff !== undefined) {
    return new MaintenanceAbortedError(`The maintenance window ${id} ${turnedOff}. Requests may be admitted again.`);
  }
  if (!isActiveAt(window, now)) {
    return new MaintenanceAbortedError(
      `The maintenance window ${id}, from ${window.startsAt} to ${toIso(getEnd(window))}, was not renewed in time. It is now ` +
        `${toIso(now)}: the process was suspended or its clock changed. Requests may be admitted again.`,
    );
  }
  const found = state ? `revision ${state.revision}, whose history does not record its end` : 'nothing';
  return new MaintenanceAbortedError(
    `The maintenance window ${id} is gone: ${location} holds ${found}. Requests may be admitted again.`,
  );
}

/**
 * Describes who turned a window off: `was turned off by ann@ops-1 (cli) at ...`.
 *
 * @returns `undefined` if the history does not record it
 */
export function describeTurnedOff(id: string, state: MaintenanceState | null): string | undefined {
  const entry = state?.history.find(
    ({ action, windows }) => action === 'off' && windows.some((ended) => ended.id === id),
  );
  if (!entry) return undefined;
  const author = entry.by === undefined ? '' : ` by ${entry.by}`;
  const via = entry.via ? ` (${entry.via})` : '';
  return `was turned off${author}${via} at ${entry.at}`;
}

/** Creates the error for a storage that has lost the state. */
export function createLostError(id: string, error: unknown): MaintenanceAbortedError {
  return new MaintenanceAbortedError(
    `The maintenance window ${id} is gone, with the state in which it was: ${toErrorMessage(error)}`,
    { cause: error },
  );
}

/**
 * Creates the error for a lease that is about to run out.
 *
 * @param error - the error of the last renewal; `null` if none has failed
 */
export function createExpiredError(id: string, end: number, error: unknown): MaintenanceAbortedError {
  const reason = error === null ? 'the storage has not answered, or the process was suspended' : toErrorMessage(error);
  return new MaintenanceAbortedError(
    `The maintenance window ${id} could not be renewed, so it is over at ${toIso(end)}: ${reason}`,
    ...(error === null ? [] : [{ cause: error }]),
  );
}

/** Creates the error for work that is still running at the `endsAt` of its window. */
export function createEndReachedError(id: string, end: number): MaintenanceAbortedError {
  return new MaintenanceAbortedError(
    `The maintenance window ${id} is over at ${toIso(end)}, the end that it was given (\`endsAt\`), before the work was done.`,
  );
}
