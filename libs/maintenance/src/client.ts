export { maintenanceOf, type MaintenanceRefusal } from './client/maintenance-of.js';
export { watchMaintenance } from './client/watch-maintenance.js';
export type { PlannedMaintenance, PublicStatus } from './core/public-status.js';
export type { MaintenanceMode } from './core/maintenance-window.js';
