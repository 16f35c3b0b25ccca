/** Whether a handler reads or writes, for read-only windows. */
export type Access = 'read' | 'write';

// Registered symbols, so that the ES module and the CommonJS copy of the package understand each other's decorators.
export const SKIP = Symbol.for('nestjs-maintenance:skip');
export const FORCE = Symbol.for('nestjs-maintenance:force');
export const SCOPES = Symbol.for('nestjs-maintenance:scopes');
export const ACCESS = Symbol.for('nestjs-maintenance:access');
export const RUN = Symbol.for('nestjs-maintenance:run');
export const ADMIN = Symbol.for('nestjs-maintenance:admin');
