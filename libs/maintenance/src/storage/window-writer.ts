import { randomBytes } from 'node:crypto';
import { openLeasedWindow } from '../core/lease-changes.js';
import { endWindows, openWindow, shouldEndAll, type ChangeOrigin } from '../core/window-changes.js';
import { assertEnd, type DisableOptions, type WindowFields } from '../core/window-options.js';
import { StateWriter, type WriteResult } from './state-writer.js';

/** The window to start. Its fields have been checked, see `parseEnableOptions`. */
export interface WindowStart extends WindowFields {
  /** The length, in milliseconds, instead of `endsAt`: counted from the start of the window. */
  durationMs?: number;
  /** The length of a lease, in milliseconds: makes a separate window that ends unless the lease is renewed. */
  leaseMs?: number;
}

/** Starts and ends windows in a storage, for `MaintenanceService`, the command line and `during`. */
export class WindowWriter extends StateWriter {
  /**
   * Starts a window, or changes the active window of the same scope and mode.
   *
   * @throws {@link InvalidWindowError} if the times make no sense with those of the active window
   * @throws {@link MaintenanceStorageError} if the storage fails
   */
  start({ durationMs, leaseMs, ...fields }: WindowStart, origin: ChangeOrigin): Promise<WriteResult> {
    const id = randomBytes(4).toString('hex');
    return this.change((windows, now) => {
      const startsAt = fields.startsAt ?? now;
      const endsAt = durationMs === undefined ? fields.endsAt : startsAt + durationMs;
      // After conflicts with other writers, the end may have come by now.
      if (typeof endsAt === 'number') assertEnd(startsAt, endsAt, now);
      const window = { ...fields, endsAt };
      return leaseMs === undefined
        ? openWindow(windows, window, now, id, origin.by)
        : openLeasedWindow(windows, window, now, id, leaseMs);
    }, origin);
  }

  /**
   * Ends the active windows, or those that `which` names.
   *
   * @throws {@link MaintenanceStorageError} if the storage fails
   */
  end(which: DisableOptions, origin: ChangeOrigin): Promise<WriteResult> {
    return this.change((windows, now) => endWindows(windows, which, now), origin, shouldEndAll(which));
  }
}
