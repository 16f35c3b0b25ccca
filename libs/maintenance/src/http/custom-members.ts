/** The members that the application adds to refusals. */
export interface CustomMembers {
  readonly json: object;
  /** `null`: the callback failed, and the application's template may not work without them. */
  readonly forTemplate: object | null;
}

export const NO_CUSTOM_MEMBERS: CustomMembers = { json: {}, forTemplate: {} };
export const FAILED_CUSTOM_MEMBERS: CustomMembers = { json: {}, forTemplate: null };

/**
 * `toJSON` would replace the whole body, and `__proto__` the prototype of an object into which a client copies the
 * members.
 */
const RESERVED_MEMBER_NAMES = new Set(['toJSON', '__proto__']);

/**
 * Copies the members of a plain object.
 *
 * @throws the errors of getters and `toJSON` methods of members throw, and `TypeError` for what can't be JSON
 */
export function copyMembers(source: object): CustomMembers {
  const members = Object.fromEntries(Object.entries(source).filter(([name]) => !RESERVED_MEMBER_NAMES.has(name)));
  // Converted to data once: getters and `toJSON` methods must not run again while the answer is written.
  return { json: JSON.parse(JSON.stringify(members)) as object, forTemplate: members };
}

/** Whether the value is an object without a class, of this realm or of another. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Describes the kind of a value for an error message: `a string`, `null`, `an instance of Date`. */
export function describeKind(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === 'function' && constructor.name
    ? `an instance of ${constructor.name}`
    : 'an object with a prototype';
}
