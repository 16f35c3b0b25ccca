import { createWindow, type Change } from './window-changes.js';
import { toIso } from '../utils/dates.js';
import type { MaintenanceState } from './maintenance-state.js';
import { isActiveAt, type StoredWindow } from './maintenance-window.js';
import type { WindowFields } from './window-options.js';

/**
 * The longest interval between two reads of a state with a lease. An instance that misses a renewal would treat the
 * window as expired while its owner is still working.
 */
export const LEASE_REFRESH_INTERVAL_MS = 10_000;

/** Whether any window of a state has a lease. */
export function hasLeasedWindow(state: MaintenanceState | null | undefined): boolean {
  return state?.windows.some(({ leaseUntil }) => leaseUntil !== undefined) ?? false;
}

/** Returns the end of each lease (ISO 8601 in UTC), by the id of its window. */
export function getLeases(state: MaintenanceState | null): ReadonlyMap<string, string> {
  const leased = state?.windows.filter(({ leaseUntil }) => leaseUntil !== undefined) ?? [];
  return new Map(leased.map(({ id, leaseUntil }) => [id, leaseUntil!]));
}

/**
 * Starts a window that belongs to a program, beside all others.
 *
 * @param leaseMs - the length of a lease in milliseconds: the window ends then unless its owner renews the lease.
 *   Without a lease, it stays on if the program dies.
 */
export function openProgramWindow(
  windows: readonly StoredWindow[],
  fields: WindowFields,
  now: number,
  id: string,
  by: string | undefined,
  leaseMs: number | undefined,
): Change {
  const owner = leaseMs === undefined ? { isOwned: true } : { leaseUntil: toIso(now + leaseMs) };
  const opened: StoredWindow = { ...createWindow(fields, now, id, by), ...owner };
  return { action: 'on', windows: [...windows, opened], affected: [opened] };
}

/**
 * Leaves the active window of a program on, as a window that `on` can change. Returns `null` if the window has ended.
 */
export function keepWindow(windows: readonly StoredWindow[], id: string, now: number): Change | null {
  const found = windows.find((window) => window.id === id);
  if (!found || !isActiveAt(found, now)) return null;
  const { leaseUntil: _lease, isOwned: _isOwned, ...kept } = found;
  return {
    action: 'keep',
    windows: windows.map((window) => (window === found ? (kept as StoredWindow) : window)),
    affected: [kept],
  };
}

/** Renews the lease of an active window. Returns `null` if the window has ended: a renewal never starts it again. */
export function renewLease(windows: readonly StoredWindow[], id: string, now: number, length: number): Change | null {
  const leased = windows.find((window) => window.id === id);
  if (!leased || !isActiveAt(leased, now)) return null;
  const renewed: StoredWindow = { ...leased, leaseUntil: toIso(now + length) };
  return {
    action: 'renew',
    windows: windows.map((window) => (window === leased ? renewed : window)),
    affected: [renewed],
  };
}
