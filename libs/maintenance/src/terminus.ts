export { MaintenanceHealthIndicator, type MaintenanceHealth } from './health/maintenance-health.indicator.js';
