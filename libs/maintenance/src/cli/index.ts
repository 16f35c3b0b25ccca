export { MaintenanceCliModule } from './maintenance-cli.module.js';
