// Tokens of the module's own providers; what applications may inject or override is exported from index.ts.
export const RESOLVED_OPTIONS = Symbol.for('nestjs-maintenance:options');
export const MODULE_OPTIONS_TOKEN = Symbol.for('nestjs-maintenance:given-options');
export const MODULE_EXTRAS = Symbol.for('nestjs-maintenance:extras');
/** Provided by a module that makes its application a program of commands, which serves nobody. */
export const CLI_ONLY = Symbol.for('nestjs-maintenance:program');
export const STATUS_CHANGES = Symbol.for('nestjs-maintenance:changes');
/** An `AbortController` that aborts when the application begins to shut down. */
export const SHUTDOWN_CONTROLLER = Symbol.for('nestjs-maintenance:shutdown');
export const LEASE_TIMES_TOKEN = Symbol.for('nestjs-maintenance:lease');

// Keys of what the decorators leave on classes and methods.
// Registered symbols, so that the ES module and the CommonJS copy of the package understand each other's decorators.
export const SKIP_METADATA = Symbol.for('nestjs-maintenance:skip');
export const FORCE_METADATA = Symbol.for('nestjs-maintenance:force');
export const SCOPES_METADATA = Symbol.for('nestjs-maintenance:scopes');
export const ACCESS_METADATA = Symbol.for('nestjs-maintenance:access');
export const RUN_METADATA = Symbol.for('nestjs-maintenance:run');
export const ADMIN_METADATA = Symbol.for('nestjs-maintenance:admin');
