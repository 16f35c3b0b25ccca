import { MaintenanceAbortedError } from '../errors/maintenance-aborted.error.js';
import { toIso } from '../utils/dates.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import { getEnd, isActiveAt, type StoredWindow } from '../core/maintenance-window.js';
import { toErrorMessage } from '../utils/to-error-message.js';

/**
 * Why a window is not open any more.
 *
 * @param window - as it was last seen
 * @param state - what the storage holds
 * @param location - of the storage, for people
 */
export function describeEnd(
  window: StoredWindow,
  state: MaintenanceState | null,
  now: number,
  location: string,
): MaintenanceAbortedError {
  const { id } = window;
  const entry = state?.history.find(
    ({ action, windows }) => action === 'off' && windows.some((concerned) => concerned.id === id),
  );
  if (entry) {
    const via = entry.via ? ` (${entry.via})` : '';
    return new MaintenanceAbortedError(
      `The maintenance window ${id} was turned off by ${entry.by ?? 'somebody'}${via} at ${entry.at}. Requests may be admitted again.`,
    );
  }
  if (!isActiveAt(window, now)) {
    return new MaintenanceAbortedError(
      `The maintenance window ${id}, open from ${window.startsAt} to ${toIso(getEnd(window))}, was not renewed in time, and now it ` +
        `is ${toIso(now)}: this process stood still, or its clock was changed. Requests may be admitted again.`,
    );
  }
  const found = state ? `revision ${state.revision}, whose history does not say who removed it` : 'nothing';
  return new MaintenanceAbortedError(
    `The maintenance window ${id} is gone: ${location} holds ${found}. Requests may be admitted again.`,
  );
}

/** The storage says that it has lost the state. */
export function createLostError(id: string, error: unknown): MaintenanceAbortedError {
  return new MaintenanceAbortedError(
    `The maintenance window ${id} is gone, with the state in which it was: ${toErrorMessage(error)}`,
    { cause: error },
  );
}

/** @param error - what the last try failed with; `null`: none has come to an end */
export function createExpiredError(id: string, end: number, error: unknown): MaintenanceAbortedError {
  const why = error === null ? 'the storage has not answered, or this process stood still' : toErrorMessage(error);
  return new MaintenanceAbortedError(
    `The maintenance window ${id} could not be renewed, so it is over at ${toIso(end)}: ${why}`,
    ...(error === null ? [] : [{ cause: error }]),
  );
}

/** The end that the window was given has come. */
export function createEndReachedError(id: string, end: number): MaintenanceAbortedError {
  return new MaintenanceAbortedError(
    `The maintenance window ${id} is over at ${toIso(end)}, the end that it was given (\`endsAt\`), and the work is not done.`,
  );
}
