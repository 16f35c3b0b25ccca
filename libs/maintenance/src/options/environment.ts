import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import type { CacheOptions, MaintenanceModuleOptions } from './maintenance-options.js';
import { formatOptionOfEnvironment, OPTIONS, type AnyDefinitions } from './option-table.js';
import type { OptionType } from './option-types.js';

/** The options that the environment sets. */
export interface EnvironmentOptions extends MaintenanceModuleOptions {
  /** `MAINTENANCE_CACHE` alone turns the cache on or off; the variables for key and time to live only configure it. */
  cache?: CacheOptions & { enabled?: boolean };
}

/** The variables that set options. */
export const KNOWN_VARIABLES: readonly string[] = listVariables(OPTIONS);

/**
 * Returns the options that the environment sets. An empty variable counts as unset.
 *
 * @param environment - the environment, such as `process.env`
 * @returns the options, parsed but not checked
 * @throws {@link MaintenanceOptionsError} that names the option and the variable whose text can't be parsed
 */
export function readEnvironmentOptions(environment: NodeJS.ProcessEnv): EnvironmentOptions {
  return readMembers(OPTIONS, environment, '');
}

/** @param prefix - the path of the group, with a dot at its end; empty for the options themselves */
function readMembers(
  definitions: AnyDefinitions,
  environment: NodeJS.ProcessEnv,
  prefix: string,
): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [name, { type, variable, members }] of Object.entries(definitions)) {
    const path = prefix + name;
    const value = variable === undefined ? undefined : readVariable(path, environment[variable], type);
    if (!members) {
      if (value !== undefined) options[name] = value;
      continue;
    }
    const group = { ...(value !== undefined && { enabled: value }), ...readMembers(members, environment, `${path}.`) };
    if (Object.keys(group).length > 0) options[name] = group;
  }
  return options;
}

function readVariable(path: string, value: string | undefined, { parse }: OptionType): unknown {
  const text = value?.trim();
  if (!text) return undefined;
  try {
    return parse?.(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MaintenanceOptionsError(
      `the ${formatOptionOfEnvironment(path)} must be ${reason}, not ${JSON.stringify(text)}.`,
      { cause: error },
    );
  }
}

function listVariables(definitions: AnyDefinitions): string[] {
  return Object.values(definitions).flatMap(({ variable, members }) => [
    ...(variable === undefined ? [] : [variable]),
    ...(members ? listVariables(members) : []),
  ]);
}
