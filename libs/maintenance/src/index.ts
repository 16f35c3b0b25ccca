export type { DrainReport, PendingInstance, PendingReason } from './fleet/drain-report.js';
export { NothingDrainsError } from './fleet/errors.js';
export { MaintenanceExceptionFilter } from './http/maintenance-exception.filter.js';
export { MaintenanceException } from './http/maintenance.exception.js';
export { MaintenanceGuard } from './http/maintenance.guard.js';
export { MaintenanceInterceptor } from './http/maintenance.interceptor.js';
export type { Problem } from './http/problem.js';
export { useMaintenance } from './http/use-maintenance.js';
export { MaintenanceModule } from './maintenance.module.js';
export { MaintenanceService } from './maintenance.service.js';
export { MaintenanceOptionsError } from './options/maintenance-options-error.js';
export type {
  AdminOptions,
  AnnounceOptions,
  BackgroundOptions,
  BypassOptions,
  CacheOptions,
  ExemptOptions,
  MaintenanceModuleAsyncOptions,
  MaintenanceModuleExtras,
  MaintenanceModuleOptions,
  MaintenanceOptionsFactory,
  MicroservicesOptions,
  RefusedEventHandler,
  ResponseFormat,
  ResponseOptions,
} from './options/maintenance-options.js';
export { maintenanceConfig } from './options/maintenance.config.js';
export {
  ForceMaintenance,
  MaintenanceAccess,
  MaintenanceScope,
  RunInMaintenance,
  SkipMaintenance,
} from './policy/decorators.js';
export type { Access } from './policy/metadata.js';
export type { Refusal } from './policy/refusal.js';
export { MaintenanceAbortedError } from './state/aborted-error.js';
export { Clock } from './state/clock.js';
export { MaintenanceForcedError } from './state/forced-error.js';
export type { HeldWork } from './state/in-flight.js';
export type { InstanceReport } from './state/instance-report.js';
export { InvalidWindowError } from './state/invalid-window-error.js';
export type { ChangeSource, HistoryEntry, MaintenanceState } from './state/maintenance-state.js';
export type { MaintenanceStatus, StatusSource } from './state/maintenance-status.js';
export type {
  MaintenanceMode,
  MaintenanceWindow,
  StoredWindow,
  WindowBypass,
  WindowRecurrence,
} from './state/maintenance-window.js';
export type { StorageFailurePolicy } from './state/state-monitor.js';
export type { DisableOptions, EnableOptions } from './state/window-options.js';
export { CachedStateStorage, type CachedStateStorageOptions, type StateCache } from './storage/cached-state-storage.js';
export { FileStateStorage, type FileStateStorageOptions } from './storage/file-state-storage.js';
export { MaintenanceStorageError, type MaintenanceStorageErrorCode } from './storage/maintenance-storage-error.js';
export { StateStorage, type VersionedState } from './storage/state-storage.js';
export { parseStoredState } from './storage/stored-text.js';
