// Tokens of the module's own providers; what applications may inject or override is exported from index.ts.
export const OPTIONS = Symbol.for('nestjs-maintenance:options');
export const GIVEN_OPTIONS = Symbol.for('nestjs-maintenance:given-options');
export const EXTRAS = Symbol.for('nestjs-maintenance:extras');
/** Provided by a module that makes its application a program of commands, which serves nobody. */
export const PROGRAM = Symbol.for('nestjs-maintenance:program');
export const CHANGES = Symbol.for('nestjs-maintenance:changes');
/** An `AbortController` that aborts when the application begins to shut down. */
export const SHUTDOWN = Symbol.for('nestjs-maintenance:shutdown');
export const LEASE = Symbol.for('nestjs-maintenance:lease');
