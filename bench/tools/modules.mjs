// The modules of an application under maintenance, from settings that can be sent to another process.
import { CacheModule } from '@nestjs/cache-manager';
import { createKeyv } from '@keyv/redis';
import { MaintenanceModule } from 'nestjs-maintenance';
import { storageOf } from './storages.mjs';

/**
 * @param storage - settings of the storage
 * @param options - others of the module
 * @param cacheUrl - of the Redis in which the application has its cache; none: no cache
 */
export function modulesOf({ storage, options = {}, cacheUrl }) {
  const maintenance = MaintenanceModule.forRoot({ ...options, storage: storageOf(storage) });
  if (!cacheUrl) return [maintenance];
  return [CacheModule.register({ stores: [createKeyv(cacheUrl)], isGlobal: true }), maintenance];
}
