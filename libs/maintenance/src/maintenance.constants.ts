// Injection tokens. They are registered symbols, so that the ES module and the CommonJS copy of the package share them.
/** The options after validation, with the defaults applied: `ResolvedOptions`. */
export const RESOLVED_OPTIONS = Symbol.for('nestjs-maintenance:options');
/** The options as the application passes them: `MaintenanceModuleOptions`. */
export const MODULE_OPTIONS_TOKEN = Symbol.for('nestjs-maintenance:given-options');
/** The extras as the application passes them: `MaintenanceModuleExtras`. */
export const MODULE_EXTRAS = Symbol.for('nestjs-maintenance:extras');
/** Provided in a command-line program, which serves no requests. */
export const CLI_ONLY = Symbol.for('nestjs-maintenance:program');
/** A `Subject` that emits the status whenever it changes. */
export const STATUS_CHANGES = Symbol.for('nestjs-maintenance:changes');
/** An `AbortController` that aborts when the application begins to shut down. */
export const SHUTDOWN_CONTROLLER = Symbol.for('nestjs-maintenance:shutdown');
/** The panel of the admin endpoints, if the application has it: `Panel`. */
export const ADMIN_PANEL = Symbol.for('nestjs-maintenance:panel');
/** The endpoints of the public status: `PublicStatusEndpoints`; `null` where the option `publicStatus` is off. */
export const PUBLIC_STATUS = Symbol.for('nestjs-maintenance:public-status');
/** The durations of leases: `LeaseTimes`. */
export const LEASE_TIMES_TOKEN = Symbol.for('nestjs-maintenance:lease');

// Keys of the metadata that decorators leave on classes and methods.
export const SKIP_METADATA = Symbol.for('nestjs-maintenance:skip');
export const FORCE_METADATA = Symbol.for('nestjs-maintenance:force');
export const SCOPES_METADATA = Symbol.for('nestjs-maintenance:scopes');
export const ACCESS_METADATA = Symbol.for('nestjs-maintenance:access');
export const RUN_METADATA = Symbol.for('nestjs-maintenance:run');
export const ADMIN_METADATA = Symbol.for('nestjs-maintenance:admin');
export const OPEN_METADATA = Symbol.for('nestjs-maintenance:open');
