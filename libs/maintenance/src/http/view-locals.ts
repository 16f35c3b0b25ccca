import type { MaintenanceStatus } from '../state/maintenance-status.js';

/**
 * What views see: `maintenance`, the status, and `maintenanceMode`, whether it is on. Getters, so that nothing is computed for a
 * request that renders no view.
 */
export function viewLocals(status: () => MaintenanceStatus): PropertyDescriptorMap {
  return {
    maintenance: { get: status, enumerable: true, configurable: true },
    maintenanceMode: { get: () => status().active, enumerable: true, configurable: true },
  };
}
