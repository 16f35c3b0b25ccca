import type { CacheOptions, MaintenanceModuleOptions } from './maintenance-options.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { parseUrlList } from './parse-url-list.js';

/** What the environment says. */
export interface EnvironmentOptions extends MaintenanceModuleOptions {
  /** Key and time to live say how, not whether: `enabled` is what `MAINTENANCE_CACHE` says, if anything. */
  cache?: CacheOptions & { enabled?: boolean };
}

type Reader = (text: string) => unknown;

const text: Reader = (value) => value;
const list: Reader = (value) => value.split(',').flatMap((item) => item.trim() || []);

const flag: Reader = (value) => {
  if (/^(true|1|on)$/i.test(value)) return true;
  if (/^(false|0|off)$/i.test(value)) return false;
  throw new TypeError('true or false');
};

const number: Reader = (value) => {
  if (/^\d+$/.test(value)) return Number(value);
  throw new TypeError('a whole number');
};

/** Which variable sets which option, and how it is read. */
const VARIABLES: Record<string, { option: string; read: Reader }> = {
  MAINTENANCE_STORAGE: { option: 'storage', read: text },
  MAINTENANCE_APPLICATION: { option: 'application', read: text },
  MAINTENANCE_CACHE: { option: 'cache.enabled', read: flag },
  MAINTENANCE_CACHE_KEY: { option: 'cache.key', read: text },
  MAINTENANCE_CACHE_TTL: { option: 'cache.ttl', read: number },
  MAINTENANCE_MODE: { option: 'enabled', read: flag },
  MAINTENANCE_REFRESH_INTERVAL: { option: 'refreshInterval', read: number },
  MAINTENANCE_ON_STORAGE_FAILURE: { option: 'onStorageFailure', read: text },
  MAINTENANCE_ADMIN_TOKEN: { option: 'adminToken', read: text },
  MAINTENANCE_EXEMPT_URLS: { option: 'exempt.urls', read: parseUrlList },
  MAINTENANCE_EXEMPT_IPS: { option: 'exempt.ips', read: list },
  MAINTENANCE_EXEMPT_ROLES: { option: 'exempt.roles', read: list },
  MAINTENANCE_EXEMPT_PROBES: { option: 'exempt.probes', read: flag },
  MAINTENANCE_EXEMPT_TESTS: { option: 'exempt.tests', read: flag },
  MAINTENANCE_STATUS_CODE: { option: 'response.statusCode', read: number },
  MAINTENANCE_RETRY_AFTER: { option: 'response.retryAfter', read: number },
  MAINTENANCE_RESPONSE_TYPE: { option: 'response.type', read: text },
  MAINTENANCE_TEMPLATE: { option: 'response.template', read: text },
  MAINTENANCE_REDIRECT_URL: { option: 'response.redirectUrl', read: text },
  MAINTENANCE_ANNOUNCE_BEFORE: { option: 'announce.before', read: number },
  MAINTENANCE_BYPASS_COOKIE_NAME: { option: 'bypass.cookieName', read: text },
  MAINTENANCE_BACKGROUND_PAUSE: { option: 'background.pause', read: flag },
  MAINTENANCE_MICROSERVICES_EVENTS: { option: 'microservices.events', read: text },
};

/** The variables that set options. */
export const KNOWN_VARIABLES: readonly string[] = Object.keys(VARIABLES);

/**
 * The options that the environment sets. An empty variable counts as unset.
 *
 * @throws {@link MaintenanceOptionsError} that names the variable whose text can't be read
 */
export function readEnvironmentOptions(environment: NodeJS.ProcessEnv): EnvironmentOptions {
  const options: Record<string, unknown> = {};
  for (const [variable, { option, read }] of Object.entries(VARIABLES)) {
    const value = environment[variable]?.trim();
    if (!value) continue;
    const [group, name] = option.split('.') as [string, string?];
    const parsed = parse(variable, value, read);
    if (name === undefined) options[group] = parsed;
    else options[group] = { ...(options[group] as object | undefined), [name]: parsed };
  }
  return options;
}

function parse(variable: string, value: string, read: Reader): unknown {
  try {
    return read(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MaintenanceOptionsError(
      `the environment variable ${variable} must be ${reason}, not ${JSON.stringify(value)}.`,
      { cause: error },
    );
  }
}

/** The variable that sets an option, given by its dotted path; `undefined` for an option that only code can set. */
export function findVariable(option: string): string | undefined {
  return Object.keys(VARIABLES).find((variable) => VARIABLES[variable]?.option === option);
}
