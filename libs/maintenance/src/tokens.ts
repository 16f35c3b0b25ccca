// Tokens of the module's own providers; what applications may inject or override is exported from index.ts.
export const OPTIONS = Symbol.for('nestjs-maintenance:options');
export const GIVEN_OPTIONS = Symbol.for('nestjs-maintenance:given-options');
export const EXTRAS = Symbol.for('nestjs-maintenance:extras');
export const CHANGES = Symbol.for('nestjs-maintenance:changes');
