import { registerAs } from '@nestjs/config';
import { readEnvironmentOptions } from './options/environment.js';
import type { MaintenanceModuleOptions } from './options/maintenance-options.js';

/**
 * The options that the environment sets, as a namespace of `@nestjs/config`. The module reads it itself; inject it if
 * your own code needs the values.
 *
 * @example
 * ```ts
 * constructor(@Inject(maintenanceConfig.KEY) config: ConfigType<typeof maintenanceConfig>) {}
 * ```
 */
export const maintenanceConfig = registerAs('maintenance', (): MaintenanceModuleOptions =>
  readEnvironmentOptions(process.env),
);
