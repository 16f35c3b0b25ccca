import type { FactoryProvider } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { Subject } from 'rxjs';
import { publishChange } from './diagnostics-channel.js';
import { createStatus } from './core/create-status.js';
import type { MaintenanceStatus } from './core/maintenance-status.js';
import { StateLog } from './core/publisher/state-log.js';
import { StatusPublisher } from './core/publisher/status-publisher.js';
import { UnknownScopeWarning } from './core/publisher/unknown-scope-warning.js';
import { StateMonitor } from './core/state-monitor.js';
import { InstanceReporter } from './drain/instance-reporter.js';
import {
  CLI_ONLY,
  MODULE_OPTIONS_TOKEN,
  RESOLVED_OPTIONS,
  SCOPES_METADATA,
  STATUS_CHANGES,
} from './maintenance.constants.js';
import type { MaintenanceModuleOptions } from './options/maintenance-options.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import { FileStateStorage } from './storage/file/file-state-storage.js';
import { StateReader } from './storage/state-reader.js';
import { StateStorage } from './storage/state-storage.js';
import { Clock } from './utils/clock.js';
import { findMetadata, hasProvider } from './utils/discovery.js';
import { MaintenanceLogger } from './utils/maintenance-logger.js';

/** Connects the monitor with the storage that it reads and with the receivers of changes, and starts it. */
export const stateMonitorProvider: FactoryProvider<StateMonitor> = {
  provide: StateMonitor,
  inject: [
    RESOLVED_OPTIONS,
    StateStorage,
    Clock,
    STATUS_CHANGES,
    DiscoveryService,
    InstanceReporter,
    MODULE_OPTIONS_TOKEN,
  ],
  useFactory: async (
    { application, enabled, refreshInterval, onStorageFailure, scopesOf }: ResolvedOptions,
    storage: StateStorage,
    clock: Clock,
    statusChanges: Subject<MaintenanceStatus>,
    discovery: DiscoveryService,
    reporter: InstanceReporter,
    moduleOptions: MaintenanceModuleOptions | null,
  ): Promise<StateMonitor> => {
    const logger = new MaintenanceLogger();
    const howToTurnOn = describeHowToTurnOn(moduleOptions?.storage, storage);
    const log = new StateLog({ logger, location: storage.location, application, howToTurnOn });
    const publisher = new StatusPublisher({
      log,
      scopeWarning: new UnknownScopeWarning(
        scopesOf ? null : () => new Set(findMetadata<string[]>(discovery, SCOPES_METADATA).flat()),
        logger,
      ),
      onChange: publishChange,
      onRevision: () => reporter.onStateChange(),
      onStatus: (status) => statusChanges.next(status),
    });
    const reader = new StateReader(storage);
    const monitor: StateMonitor = new StateMonitor({
      source: { read: () => reader.read(), ...(storage.watch && { watch: (changed) => storage.watch!(changed) }) },
      clock,
      refreshInterval,
      onStorageFailure,
      enabled,
      // A file has neither caches nor replicas that could return an older revision.
      ...(storage instanceof FileStateStorage && { staleReadGracePeriodMs: 0 }),
      onChange: () => publisher.publish(createStatus(monitor, storage), monitor.state),
      onHealthChange: (error) => log.logHealthChange(error, onStorageFailure),
    });
    await reporter.sendFirstReport();
    // Started before the injection completes, so that `status()` is correct in every `onModuleInit()`.
    await monitor.start();
    if (!hasProvider(discovery, CLI_ONLY)) log.logStart(createStatus(monitor, storage));
    return monitor;
  },
};

/**
 * Returns the sentence that tells operators how to turn maintenance on.
 *
 * @param option - the option `storage` as given in code; without it, the command finds the storage by itself
 * @param storage - the storage
 */
function describeHowToTurnOn(
  option: MaintenanceModuleOptions['storage'],
  { kind, location }: Pick<StateStorage, 'kind' | 'location'>,
): string {
  if (option === undefined) return 'Turn it on with: npx nestjs-maintenance on';
  if (kind === 'file')
    return `Turn it on with: npx nestjs-maintenance on --storage ${JSON.stringify(`file:${location}`)}`;
  if (typeof option === 'string')
    return 'Turn it on with: npx nestjs-maintenance on --storage <url>, as in the option `storage`.';
  return 'Turn it on with MaintenanceService.enable().';
}
