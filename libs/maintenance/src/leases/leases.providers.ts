import type { FactoryProvider, Provider } from '@nestjs/common';
import type { Subject } from 'rxjs';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { StateMonitor } from '../core/state-monitor.js';
import { LEASE_TIMES_TOKEN, SHUTDOWN_CONTROLLER, STATUS_CHANGES } from '../maintenance.constants.js';
import { StateStorage } from '../storage/state-storage.js';
import { Clock } from '../utils/clock.js';
import { toIso } from '../utils/dates.js';
import { MaintenanceLogger } from '../utils/maintenance-logger.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import { LEASE_TIMES, type LeaseTimes } from './lease-times.js';
import { TemporaryWindows } from './temporary-windows.js';

const temporaryWindowsProvider: FactoryProvider<TemporaryWindows> = {
  provide: TemporaryWindows,
  inject: [StateStorage, StateMonitor, Clock, STATUS_CHANGES, SHUTDOWN_CONTROLLER, LEASE_TIMES_TOKEN],
  useFactory: (
    storage: StateStorage,
    monitor: StateMonitor,
    clock: Clock,
    changes: Subject<MaintenanceStatus>,
    { signal: shutdown }: AbortController,
    times: LeaseTimes,
  ): TemporaryWindows =>
    new TemporaryWindows({
      storage,
      monitor,
      changes,
      clock,
      times,
      shutdown,
      onEndFailed: (id, until, error) =>
        new MaintenanceLogger().error(
          `The maintenance window ${id} could not be ended after its work, so it stays on until ${toIso(until)}: ${toErrorMessage(error)}`,
        ),
      onKeepFailed: (id, until, error) =>
        new MaintenanceLogger().error(
          `The work of the maintenance window ${id} has failed, but the window could not be left on, so it ends at ${toIso(until)}: ${toErrorMessage(error)}`,
        ),
    }),
};

export const leasesProviders: Provider[] = [
  { provide: LEASE_TIMES_TOKEN, useValue: LEASE_TIMES },
  temporaryWindowsProvider,
];
