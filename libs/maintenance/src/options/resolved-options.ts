import { compileAddresses } from '../policy/address-exemptions.js';
import type { ExemptionRules } from '../policy/exemptions.js';
import { normalizePath } from '../policy/request-path.js';
import { compilePaths } from '../policy/url-exemptions.js';
import type { StorageFailurePolicy } from '../core/state-monitor.js';
import { findVariable, type EnvironmentOptions } from './environment.js';
import type {
  AnnounceOptions,
  BackgroundOptions,
  BypassOptions,
  CacheOptions,
  MaintenanceModuleOptions,
  MicroservicesOptions,
  ResponseOptions,
} from './maintenance-options.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { findProgram } from './find-program.js';
import { assertOptions } from './options-schema.js';

/** The options, checked, with the defaults filled in. */
export interface ResolvedOptions {
  storage?: MaintenanceModuleOptions['storage'];
  application: string;
  /** Version of the program, if its package.json has one. */
  appVersion?: string;
  /** The file that was started; missing where the name of the application was given. */
  startFile?: string;
  cache: false | Required<CacheOptions>;
  enabled?: boolean;
  refreshInterval: number;
  onStorageFailure: StorageFailurePolicy;
  adminToken?: string;
  exempt: Omit<ExemptionRules, 'getMountPoints'>;
  response: ResponseOptions & Required<Pick<ResponseOptions, 'statusCode' | 'retryAfter' | 'type'>>;
  microservices: Required<MicroservicesOptions>;
  background: Required<BackgroundOptions>;
  scopesOf: MaintenanceModuleOptions['scopesOf'];
  announce: AnnounceOptions;
  bypass: Required<BypassOptions>;
}

/**
 * Lays what is given in code over what the environment says, checks it and fills the defaults in.
 *
 * @throws {@link MaintenanceOptionsError} that names the option
 */
export function resolveOptions(
  given: MaintenanceModuleOptions,
  fromEnvironment: EnvironmentOptions = {},
): ResolvedOptions {
  assertOptions(given);
  const { enabled: isCached, ...entry } = fromEnvironment.cache ?? {};
  assertOptions(
    { ...fromEnvironment, cache: entry },
    (path) => `environment variable ${findVariable(path.replace(/\.\d+$/, '')) ?? path}`,
  );
  const top = mergeDefined(fromEnvironment, given);
  const exempt = mergeDefined(fromEnvironment.exempt ?? {}, given.exempt ?? {});
  const response = mergeDefined(fromEnvironment.response ?? {}, given.response ?? {});
  const named = (name: string, inCode: unknown): string =>
    inCode === undefined ? `the environment variable ${findVariable(name)}` : `the option \`${name}\``;
  return {
    storage: top.storage,
    ...resolveIdentity(top.application),
    cache:
      (given.cache ?? isCached)
        ? { ...DEFAULT_CACHE_OPTIONS, ...mergeDefined(entry, getCacheOptions(given.cache)) }
        : false,
    enabled: top.enabled,
    refreshInterval: top.refreshInterval ?? 5_000,
    onStorageFailure: top.onStorageFailure ?? 'last-known',
    adminToken: top.adminToken,
    exempt: {
      matchesPath: compileOption(named('exempt.urls', given.exempt?.urls), () => compilePaths(exempt.urls ?? [])),
      matchesAddress: exempt.ips?.length
        ? compileOption(named('exempt.ips', given.exempt?.ips), () => compileAddresses(exempt.ips ?? []))
        : null,
      exemptAll: exempt.tests === true && process.env.NODE_ENV === 'test',
      exemptProbes: exempt.probes ?? true,
      redirectPath: getRedirectPath(response.redirectUrl),
      roles: new Set(exempt.roles),
      user: exempt.user ?? ((request: { user?: unknown }) => request.user),
      when: exempt.when,
    },
    response: {
      ...response,
      statusCode: response.statusCode ?? 503,
      retryAfter: response.retryAfter ?? 3_600,
      type: response.type ?? 'auto',
    },
    scopesOf: given.scopesOf,
    bypass: {
      cookieName: given.bypass?.cookieName ?? fromEnvironment.bypass?.cookieName ?? '__Host-maintenance-bypass',
    },
    announce: mergeDefined(fromEnvironment.announce ?? {}, given.announce ?? {}),
    microservices: { events: given.microservices?.events ?? fromEnvironment.microservices?.events ?? 'redeliver' },
    background: { pause: given.background?.pause ?? fromEnvironment.background?.pause ?? false },
  };
}

// Applications of one repository may share a package.json; then the files that were started differ.
function resolveIdentity(given: string | undefined): Pick<ResolvedOptions, 'application' | 'appVersion' | 'startFile'> {
  const { name, version, startFile } = findProgram();
  return {
    application: given ?? name,
    ...(version !== undefined && { appVersion: version }),
    ...(given === undefined && startFile !== undefined && { startFile }),
  };
}

const DEFAULT_CACHE_OPTIONS = { key: 'maintenance_mode_state', ttl: 60_000 };

function getCacheOptions(cache: MaintenanceModuleOptions['cache']): CacheOptions {
  return typeof cache === 'object' ? cache : {};
}

// A member that is there but undefined says nothing.
function mergeDefined<T extends object>(base: T, over: T): T {
  const given = Object.entries(over).filter(([, value]) => value !== undefined);
  return { ...base, ...(Object.fromEntries(given) as T) };
}

function compileOption<T>(name: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MaintenanceOptionsError(`${name} can't be used: ${reason}.`, { cause: error });
  }
}

function getRedirectPath(redirectUrl: string | undefined): string | undefined {
  return redirectUrl?.startsWith('/') ? normalizePath(new URL(redirectUrl, 'http://localhost').pathname) : undefined;
}
