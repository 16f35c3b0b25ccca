import type { Announcer } from './announcer.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';

/**
 * What views see: `maintenance`, the status, `maintenanceMode`, whether it is on, and `maintenanceAnnouncement`, the planned window that
 * is announced, or `null`. Getters, so that nothing is computed for a
 * request that renders no view. An application that has locals of these names keeps its own.
 */
export function createViewLocals(
  status: () => MaintenanceStatus,
  announcer: Pick<Announcer, 'window'>,
): PropertyDescriptorMap {
  return {
    maintenance: createLocal('maintenance', status),
    maintenanceMode: createLocal('maintenanceMode', () => status().active),
    maintenanceAnnouncement: createLocal('maintenanceAnnouncement', () => announcer.window),
  };
}

function createLocal(name: string, get: () => unknown): PropertyDescriptor {
  return {
    get,
    set(this: object, value: unknown) {
      Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
    },
    enumerable: true,
    configurable: true,
  };
}
