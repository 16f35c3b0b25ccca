import type { Announcer } from './announcer.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { toClientWindow } from '../core/maintenance-window.js';

/**
 * Creates the members that views see: `maintenance`, the status without the addresses that windows admit;
 * `maintenanceMode`, whether it is on; `maintenanceAnnouncement`, the announced window or `null`. They are getters, so
 * that a request without a view computes nothing. An application that sets locals of these names keeps its own.
 */
export function createViewLocals(
  status: () => MaintenanceStatus,
  announcer: Pick<Announcer, 'window'>,
): PropertyDescriptorMap {
  return {
    maintenance: createLocal('maintenance', () => toClientStatus(status())),
    maintenanceMode: createLocal('maintenanceMode', () => status().active),
    maintenanceAnnouncement: createLocal('maintenanceAnnouncement', () => announcer.window),
  };
}

function toClientStatus({ windows, ...status }: MaintenanceStatus): MaintenanceStatus {
  const { active, planned } = windows;
  return { ...status, windows: { active: active.map(toClientWindow), planned: planned.map(toClientWindow) } };
}

/** Adds the members to the locals of a response, except for those that the application has set. */
export function addViewLocals(locals: object, members: PropertyDescriptorMap): void {
  for (const [name, member] of Object.entries(members))
    if (!Object.hasOwn(locals, name)) Object.defineProperty(locals, name, member);
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
