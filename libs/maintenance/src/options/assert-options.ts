import { inspect } from 'node:util';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { redactCredentials } from '../utils/redact-credentials.js';
import { EXTRAS, OPTIONS, type AnyDefinitions, type OptionDefinition } from './option-table.js';

/** Returns the name of an option, given by its dotted path, as the person who set it knows it. */
type FormatName = (path: string) => string;

const formatOptionName: FormatName = (path) => `option \`${path}\``;

/**
 * Asserts that options can be used.
 *
 * @param options - the options
 * @param formatName - names the environment variable, where the options come from the environment
 * @throws {@link MaintenanceOptionsError} that names the first option that can't be used
 */
export function assertOptions(options: unknown, formatName = formatOptionName): void {
  assertObject(OPTIONS, options, formatName);
}

/**
 * Asserts that extras can be used.
 *
 * @param extras - the extras
 * @throws {@link MaintenanceOptionsError} that names the first extra that can't be used
 */
export function assertExtras(extras: unknown): void {
  assertObject(EXTRAS, extras, formatOptionName);
}

function assertObject(definitions: AnyDefinitions, value: unknown, formatName: FormatName): void {
  if (typeof value === 'object' && value !== null) return assertMembers(definitions, value, '', formatName);
  throw new MaintenanceOptionsError(`the options must be an object, not ${formatValue('', value)}.`);
}

/** @param prefix - the path of the group, with a dot at its end; empty for the options themselves */
function assertMembers(definitions: AnyDefinitions, group: object, prefix: string, formatName: FormatName): void {
  const values = group as Record<string, unknown>;
  for (const [name, definition] of Object.entries(definitions)) {
    if (values[name] !== undefined) assertValue(definition, values[name], prefix + name, formatName);
  }
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(definitions, name));
  if (unknown === undefined) return;
  if (definitions === OPTIONS && Object.hasOwn(EXTRAS, unknown)) {
    throw new MaintenanceOptionsError(
      `the option \`${unknown}\` is part of the application's structure and can't come from a factory: ` +
        'put it beside `useFactory`.',
    );
  }
  const known = Object.keys(definitions).map((name) => `\`${prefix}${name}\``);
  throw new MaintenanceOptionsError(`unknown option \`${prefix}${unknown}\`. Known here: ${known.join(', ')}.`);
}

function assertValue({ type, members }: OptionDefinition, value: unknown, path: string, formatName: FormatName): void {
  const assertExpected = (expected: string | undefined, at: string, found: unknown): void => {
    if (expected === undefined) return;
    throw new MaintenanceOptionsError(`the ${formatName(at)} must be ${expected}, not ${formatValue(at, found)}.`);
  };
  assertExpected(type.check(value), path, value);
  if (type.checkItem) {
    for (const [index, item] of (value as unknown[]).entries())
      assertExpected(type.checkItem(item), `${path}.${index}`, item);
  }
  const invalid = type.findInvalidMember?.(value);
  if (invalid) assertExpected(invalid.expected, `${path}.${invalid.path}`, invalid.found);
  if (members && typeof value === 'object' && value !== null) assertMembers(members, value, `${path}.`, formatName);
}

function formatValue(path: string, value: unknown): string {
  if (/token/i.test(path)) return 'what was given';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  // An object may contain secrets, such as the keys of a storage.
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'function') return 'a function';
  const shown = typeof value === 'string' ? redactCredentials(JSON.stringify(value)) : inspect(value);
  return shown.length > 100 ? `${shown.slice(0, 100)}...` : shown;
}
