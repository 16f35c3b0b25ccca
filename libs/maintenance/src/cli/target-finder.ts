import { readEnvironmentOptions } from '../options/environment.js';
import type { MaintenanceModuleOptions } from '../options/maintenance-options.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import type { StorageFailurePolicy } from '../core/state-monitor.js';
import type { StateStorage } from '../storage/state-storage.js';
import { createStorage } from '../storage/create-storage.js';
import { UsageError } from '../errors/usage.error.js';

/** What a command works on. */
export interface Target {
  storage: StateStorage;
  /** Set where `enabled` or `MAINTENANCE_MODE` forces the answer. */
  enabled?: boolean;
  onStorageFailure: StorageFailurePolicy;
  /** Whether content that never was a state is replaced. */
  force?: boolean;
  /** Releases the storage if the command opened it. */
  close(): Promise<void>;
}

type Settings = Pick<MaintenanceModuleOptions, 'storage' | 'enabled' | 'onStorageFailure'>;

/** What an application has of its own, where the program is one of an application. */
export interface ApplicationOptions {
  storage?: StateStorage;
  options?: Settings;
}

// Not all that the module reads: a setting of the page that makes no sense must not keep anybody from turning it off.
const TARGET_VARIABLES = ['MAINTENANCE_STORAGE', 'MAINTENANCE_MODE', 'MAINTENANCE_ON_STORAGE_FAILURE'];

/** Finds the storage: the one that `--storage` names, else the application's own, else what the environment says. */
export class TargetFinder {
  /**
   * @param environment - called when a command needs it: for help it need not be readable
   * @param application - the parts of the application that the program belongs to
   */
  constructor(
    private readonly environment: () => NodeJS.ProcessEnv,
    private readonly application: () => ApplicationOptions = () => ({}),
  ) {}

  /**
   * @param url - what `--storage` says
   * @throws {@link UsageError} if that is not the URL of a storage
   * @throws {@link MaintenanceOptionsError} if the environment can't be used
   */
  async find(url: string | undefined): Promise<Target> {
    const own = this.application();
    const settings = own.options ?? this.#readEnvironmentSettings();
    const storage =
      url === undefined
        ? (own.storage ?? (await createConfiguredStorage(settings.storage)))
        : await createNamedStorage(url);
    return {
      storage,
      enabled: settings.enabled,
      onStorageFailure: settings.onStorageFailure ?? 'last-known',
      close: async () => {
        if (storage !== own.storage) await storage.close?.();
      },
    };
  }

  #readEnvironmentSettings(): Settings {
    const environment = this.environment();
    return readEnvironmentOptions(Object.fromEntries(TARGET_VARIABLES.map((name) => [name, environment[name]])));
  }
}

async function createNamedStorage(url: string): Promise<StateStorage> {
  try {
    return await createStorage(url);
  } catch (error) {
    throw new UsageError(`--storage can't be used: ${getReason(error)}.`, { cause: error });
  }
}

async function createConfiguredStorage(storage: Settings['storage']): Promise<StateStorage> {
  if (typeof storage === 'object') return storage;
  try {
    return await createStorage(storage);
  } catch (error) {
    throw new MaintenanceOptionsError(`MAINTENANCE_STORAGE can't be used: ${getReason(error)}.`, { cause: error });
  }
}

function getReason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
