import { randomBytes } from 'node:crypto';
import { openProgramWindow } from '../core/lease-changes.js';
import { endWindows, openWindow, shouldEndAll, type Change, type ChangeOrigin } from '../core/window-changes.js';
import { assertEnd, type DisableOptions, type WindowFields } from '../core/window-options.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import { StateWriter, type WriteResult } from './state-writer.js';

/** The window to start. Its fields have been checked, see `parseEnableOptions`. */
export interface WindowStart extends WindowFields {
  /** The length, in milliseconds, instead of `endsAt`: counted from the start of the window. */
  durationMs?: number;
  /** The length of a lease, in milliseconds: makes a separate window that ends unless the lease is renewed. */
  leaseMs?: number;
  /** Whether it belongs to the command `run`: makes a separate window that stays on if the command dies. */
  isOwned?: boolean;
}

/**
 * Creates the change that starts a window.
 *
 * @param id - the id of a new window
 * @param by - the author, if the fields name none
 * @returns a function of the stored windows and the current time
 */
export function createStart(
  { durationMs, leaseMs, isOwned = false, ...fields }: WindowStart,
  id: string,
  by?: string,
): (windows: readonly StoredWindow[], now: number) => Change | null {
  return (windows, now) => {
    const startsAt = fields.startsAt ?? now;
    const endsAt = durationMs === undefined ? fields.endsAt : startsAt + durationMs;
    // After conflicts with other writers, the end may have come by now.
    if (typeof endsAt === 'number') assertEnd(startsAt, endsAt, now);
    const window = { ...fields, endsAt };
    return isOwned || leaseMs !== undefined
      ? openProgramWindow(windows, window, now, id, by, leaseMs)
      : openWindow(windows, window, now, id, by);
  };
}

/** Starts and ends windows in a storage, for `MaintenanceService`, the command line and `during`. */
export class WindowWriter extends StateWriter {
  /**
   * Starts a window, or changes the active window of the same scope and mode.
   *
   * @throws {@link InvalidWindowError} if the times make no sense with those of the active window
   * @throws {@link MaintenanceStorageError} if the storage fails
   */
  start(window: WindowStart, origin: ChangeOrigin): Promise<WriteResult> {
    return this.change(createStart(window, randomBytes(4).toString('hex'), origin.by), origin, {
      ifRevision: window.ifRevision,
    });
  }

  /**
   * Ends the active windows, or those that `which` names.
   *
   * @throws {@link MaintenanceStorageError} if the storage fails
   */
  end(which: DisableOptions, origin: ChangeOrigin): Promise<WriteResult> {
    return this.change((windows, now) => endWindows(windows, which, now), origin, {
      repairs: shouldEndAll(which),
      ifRevision: which.ifRevision,
    });
  }
}
