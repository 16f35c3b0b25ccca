// Creates the modules of an application with maintenance mode from settings that can be sent to another process.
import { CacheModule } from '@nestjs/cache-manager';
import { createKeyv } from '@keyv/redis';
import { MaintenanceModule } from 'nestjs-maintenance';
import { createStorage } from './create-storage.mjs';

/**
 * Returns the modules to import.
 *
 * @param storage - the settings of the storage
 * @param options - other options of the module
 * @param cacheUrl - the Redis with the cache of the application; `undefined`: no cache
 */
export function createModules({ storage, options = {}, cacheUrl }) {
  const maintenance = MaintenanceModule.forRoot({ ...options, storage: createStorage(storage) });
  if (!cacheUrl) return [maintenance];
  return [CacheModule.register({ stores: [createKeyv(cacheUrl)], isGlobal: true }), maintenance];
}
