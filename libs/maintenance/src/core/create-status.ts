import type { MaintenanceStatus } from './maintenance-status.js';
import { toPublicWindow } from './maintenance-window.js';
import type { StateMonitor } from './state-monitor.js';

/** The status that the monitor's snapshot gives now. */
export function createStatus(monitor: StateMonitor, storage: { kind: string; location: string }): MaintenanceStatus {
  const situation = monitor.getSnapshot();
  return {
    active: situation.forced ?? situation.active.length > 0,
    source: situation.source,
    revision: monitor.state?.revision ?? 0,
    windows: { active: situation.active.map(toPublicWindow), planned: monitor.getPlannedWindows().map(toPublicWindow) },
    storage: { kind: storage.kind, location: storage.location, ...monitor.health },
  };
}
