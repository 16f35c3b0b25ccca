import { assertOptions } from '../options/assert-options.js';
import { readEnvironmentOptions } from '../options/environment.js';
import type { MaintenanceModuleOptions, ResponseOptions } from '../options/maintenance-options.js';
import { formatOptionOfEnvironment } from '../options/option-table.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import type { StorageFailurePolicy } from '../core/state-monitor.js';
import type { StateStorage } from '../storage/state-storage.js';
import { createStorage } from '../storage/create-storage.js';
import { UsageError } from '../errors/usage.error.js';

/** The storage that a command uses, with the options that matter to it. */
export interface Target {
  storage: StateStorage;
  /** The option `enabled`, if it or `MAINTENANCE_MODE` forces maintenance on or off. */
  enabled?: boolean;
  onStorageFailure: StorageFailurePolicy;
  /** Whether stored content that never was a state is replaced. */
  force?: boolean;
  /** Closes the storage if the command has opened it. */
  close(): Promise<void>;
}

type Settings = Pick<MaintenanceModuleOptions, 'storage' | 'enabled' | 'onStorageFailure' | 'response'>;

/** The options of the page that a command can print. */
export type PageSettings = Pick<ResponseOptions, 'template' | 'page'>;

/** The storage and the options of the application that the program belongs to. */
export interface ApplicationOptions {
  storage?: StateStorage;
  options?: Settings;
}

// Not all variables of the module: an invalid variable of the page must not prevent an operator from turning
// maintenance off.
const TARGET_VARIABLES = ['MAINTENANCE_STORAGE', 'MAINTENANCE_MODE', 'MAINTENANCE_ON_STORAGE_FAILURE'];

const PAGE_VARIABLES = [
  'MAINTENANCE_PAGE_NAME',
  'MAINTENANCE_PAGE_SUPPORT_URL',
  'MAINTENANCE_PAGE_STATUS_URL',
  'MAINTENANCE_TEMPLATE',
];

/** Finds the storage: that of `--storage`, otherwise that of the application, otherwise that of the environment. */
export class TargetFinder {
  /**
   * Creates a finder.
   *
   * @param environment - called only when a command runs, so that `--help` works with an unreadable `.env`
   * @param application - returns the storage and the options of the application, if there is one
   */
  constructor(
    private readonly environment: () => NodeJS.ProcessEnv,
    private readonly application: () => ApplicationOptions = () => ({}),
  ) {}

  /**
   * Finds the storage and its options.
   *
   * @param url - the value of `--storage`
   * @throws {@link UsageError} if the URL is not that of a storage
   * @throws {@link MaintenanceOptionsError} if a variable of the environment is invalid
   */
  async find(url: string | undefined): Promise<Target> {
    const application = this.application();
    const settings = application.options ?? this.#readEnvironmentSettings(TARGET_VARIABLES);
    const storage =
      url === undefined
        ? (application.storage ?? (await createConfiguredStorage(settings.storage)))
        : await createNamedStorage(url);
    return {
      storage,
      enabled: settings.enabled,
      onStorageFailure: settings.onStorageFailure ?? 'last-known',
      close: async () => {
        if (storage !== application.storage) await storage.close?.();
      },
    };
  }

  /**
   * Finds the options of the page: those of the application, otherwise those of the environment.
   *
   * @throws {@link MaintenanceOptionsError} if a variable of the environment is invalid
   */
  findPageSettings(): PageSettings {
    const { options } = this.application();
    if (options) return options.response ?? {};
    const settings = this.#readEnvironmentSettings(PAGE_VARIABLES);
    assertOptions(settings, formatOptionOfEnvironment);
    return settings.response ?? {};
  }

  #readEnvironmentSettings(variables: readonly string[]): Settings {
    const environment = this.environment();
    return readEnvironmentOptions(Object.fromEntries(variables.map((name) => [name, environment[name]])));
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
