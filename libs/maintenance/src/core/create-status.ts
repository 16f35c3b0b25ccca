import type { MaintenanceStatus } from './maintenance-status.js';
import { toPublicWindow } from './maintenance-window.js';
import type { StateMonitor } from './state-monitor.js';

/** Returns the status now, from the memory of the monitor. */
export function createStatus(monitor: StateMonitor, storage: { kind: string; location: string }): MaintenanceStatus {
  const snapshot = monitor.getSnapshot();
  return {
    active: snapshot.forced ?? snapshot.active.length > 0,
    source: snapshot.source,
    revision: monitor.state?.revision ?? 0,
    windows: { active: snapshot.active.map(toPublicWindow), planned: monitor.getPlannedWindows().map(toPublicWindow) },
    storage: { kind: storage.kind, location: storage.location, ...monitor.health },
  };
}
