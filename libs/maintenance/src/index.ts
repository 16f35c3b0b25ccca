export type { DrainReport, PendingInstance, PendingReason } from './drain/drain-report.js';
export {
  MaintenanceInactiveError,
  /** @deprecated Use {@link MaintenanceInactiveError}. */
  MaintenanceInactiveError as NothingDrainsError,
} from './errors/maintenance-inactive.error.js';
export { MaintenanceDrainError } from './drain/maintenance-drain.error.js';
export { MaintenanceExceptionFilter } from './http/maintenance-exception.filter.js';
export { MaintenanceException } from './http/maintenance.exception.js';
export { MaintenanceGuard } from './http/maintenance.guard.js';
export { MaintenanceInterceptor } from './http/maintenance.interceptor.js';
export type { Problem } from './http/problem.js';
export { useMaintenance } from './http/use-maintenance.js';
export { MaintenanceModule } from './maintenance.module.js';
export { MaintenanceService } from './maintenance.service.js';
export { MaintenanceOptionsError } from './errors/maintenance-options.error.js';
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
  PageOptions,
  PublicStatusOptions,
  RefusedEventHandler,
  ResponseFormat,
  ResponseOptions,
} from './options/maintenance-options.js';
export { maintenanceConfig } from './maintenance.config.js';
export {
  ForceMaintenance,
  MaintenanceAccess,
  MaintenanceScope,
  RunInMaintenance,
  SkipMaintenance,
} from './maintenance.decorators.js';
export type { PageContext } from './page/page-context.js';
export type { PageTexts } from './page/page-texts.js';
export type { Access } from './policy/handler-rules.js';
export type { Refusal } from './policy/refusal.js';
export type { RefusedCall } from './policy/refusal-channel.js';
export { MaintenanceAbortedError } from './errors/maintenance-aborted.error.js';
export { Clock } from './utils/clock.js';
export { MaintenanceForcedError } from './errors/maintenance-forced.error.js';
export type {
  BlockingWork,
  /** @deprecated Use {@link BlockingWork}. */
  BlockingWork as HeldWork,
  InstanceReport,
} from './core/instance-report.js';
export { InvalidWindowError } from './errors/invalid-window.error.js';
export type { ChangeSource, HistoryEntry, MaintenanceState } from './core/maintenance-state.js';
export type { MaintenanceStatus, StatusSource } from './core/maintenance-status.js';
export type {
  MaintenanceMode,
  MaintenanceWindow,
  StoredWindow,
  WindowBypass,
  WindowRecurrence,
} from './core/maintenance-window.js';
export type { PlannedMaintenance, PublicStatus } from './core/public-status.js';
export type { StorageFailurePolicy } from './core/state-monitor.js';
export type { DuringOptions } from './core/during-options.js';
export type { DisableOptions, EnableOptions } from './core/window-options.js';
export { CachedStateStorage, type CachedStateStorageOptions } from './storage/cache/cached-state-storage.js';
export type { StateCache } from './storage/cache/state-cache.js';
export { FileStateStorage, type FileStateStorageOptions } from './storage/file/file-state-storage.js';
export { MaintenanceStorageError, type MaintenanceStorageErrorCode } from './errors/maintenance-storage.error.js';
export { StateStorage, type VersionedState } from './storage/state-storage.js';
export { parseStoredState } from './storage/state-codec.js';
