import type { FactoryProvider, Provider } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { StateMonitor } from '../core/state-monitor.js';
import { CLI_ONLY, RESOLVED_OPTIONS } from '../maintenance.constants.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { StateStorage } from '../storage/state-storage.js';
import { Clock } from '../utils/clock.js';
import { hasProvider } from '../utils/discovery.js';
import { MaintenanceLogger } from '../utils/maintenance-logger.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import { InFlightTracker } from './in-flight-tracker.js';
import { createIdentity } from './instance-identity.js';
import { InstanceReporter } from './instance-reporter.js';

const instanceReporterProvider: FactoryProvider<InstanceReporter> = {
  provide: InstanceReporter,
  inject: [RESOLVED_OPTIONS, StateStorage, Clock, DiscoveryService],
  useFactory: (
    { application, appVersion, startFile }: ResolvedOptions,
    storage: StateStorage,
    clock: Clock,
    discovery: DiscoveryService,
  ): InstanceReporter => {
    const logger = new MaintenanceLogger();
    return new InstanceReporter({
      identity: createIdentity({
        application,
        ...(startFile !== undefined && { startFile }),
        ...(appVersion !== undefined && { appVersion }),
      }),
      storage: hasProvider(discovery, CLI_ONLY) ? null : storage,
      clock,
      onSharedStorage: (applications) =>
        logger.warn(
          `Instances of ${applications.length} applications report on ${storage.location}: ${applications.join(', ')}. ` +
            'Each change of maintenance is a change for all of them. Give each application a storage of its own: another file, key or bucket.',
        ),
      onFailure: (error) => {
        if (error === null) logger.log(`Reports of this instance are written to ${storage.location} again.`);
        else
          logger.warn(
            `Reports of this instance can't be written, so \`on --wait\` does not count it: ${toErrorMessage(error)}`,
          );
      },
    });
  },
};

const inFlightTrackerProvider: FactoryProvider<InFlightTracker> = {
  provide: InFlightTracker,
  inject: [Clock, StateMonitor, InstanceReporter],
  useFactory: (clock: Clock, monitor: StateMonitor, reporter: InstanceReporter): InFlightTracker => {
    const inFlight = new InFlightTracker(clock, (now) => monitor.getSnapshot(now));
    reporter.start(monitor, inFlight);
    return inFlight;
  },
};

export const drainProviders: Provider[] = [instanceReporterProvider, inFlightTrackerProvider];
