import type { FactoryProvider, Provider } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { RESOLVED_OPTIONS } from '../maintenance.constants.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import { wrapWithApplicationCache } from './cache/application-cache.js';
import { createStorage } from './create-storage.js';
import { StateStorage } from './state-storage.js';

const stateStorageProvider: FactoryProvider<StateStorage> = {
  provide: StateStorage,
  inject: [RESOLVED_OPTIONS, ModuleRef],
  useFactory: async (options: ResolvedOptions, moduleRef: ModuleRef): Promise<StateStorage> => {
    const storage = await createConfiguredStorage(options);
    const { cache, refreshInterval } = options;
    return cache ? wrapWithApplicationCache(storage, cache, refreshInterval, moduleRef) : storage;
  },
};

async function createConfiguredStorage({ storage }: ResolvedOptions): Promise<StateStorage> {
  if (typeof storage === 'object') return storage;
  try {
    return await createStorage(storage);
  } catch (error) {
    throw new MaintenanceOptionsError(
      `the option \`storage\` (environment: MAINTENANCE_STORAGE) can't be used: ${toErrorMessage(error)}.`,
      { cause: error },
    );
  }
}

export const storageProviders: Provider[] = [stateStorageProvider];
