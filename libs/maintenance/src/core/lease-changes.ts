import { createWindow, type Change } from './window-changes.js';
import { toIso } from '../utils/dates.js';
import type { MaintenanceState } from './maintenance-state.js';
import { isActiveAt, type StoredWindow } from './maintenance-window.js';
import type { WindowFields } from './window-options.js';

/**
 * Milliseconds after which a state with a lease in it is read anew, however long others would do: who does not hear of a renewal takes
 * the window for over while its owner works.
 */
export const LEASE_REFRESH_INTERVAL_MS = 10_000;

/** Whether a window is under a lease. */
export function hasLeasedWindow(state: MaintenanceState | null | undefined): boolean {
  return state?.windows.some(({ leaseUntil }) => leaseUntil !== undefined) ?? false;
}

/** Returns until when each window under a lease lasts unless its program renews the lease (ISO 8601), by the id of the window. */
export function getLeases(state: MaintenanceState | null): ReadonlyMap<string, string> {
  const leased = state?.windows.filter(({ leaseUntil }) => leaseUntil !== undefined) ?? [];
  return new Map(leased.map(({ id, leaseUntil }) => [id, leaseUntil!]));
}

/**
 * Opens a window beside whatever is open, for an owner who has to renew it.
 *
 * @param length - milliseconds for which it stays open without that
 */
export function openLeasedWindow(
  windows: readonly StoredWindow[],
  fields: WindowFields,
  now: number,
  id: string,
  length: number,
): Change {
  const opened: StoredWindow = { ...createWindow(fields, now, id), leaseUntil: toIso(now + length) };
  return { action: 'on', windows: [...windows, opened], affected: [opened] };
}

/** Renews the lease of a window that is open; `null` where it is not there any more, or over: what has ended stays ended. */
export function renewLease(windows: readonly StoredWindow[], id: string, now: number, length: number): Change | null {
  const held = windows.find((window) => window.id === id);
  if (!held || !isActiveAt(held, now)) return null;
  const renewed: StoredWindow = { ...held, leaseUntil: toIso(now + length) };
  return {
    action: 'renew',
    windows: windows.map((window) => (window === held ? renewed : window)),
    affected: [renewed],
  };
}
