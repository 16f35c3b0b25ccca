import type { StorageFailurePolicy } from '../core/state-monitor.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { compileAddresses } from '../utils/compile-addresses.js';
import type { ExemptionRules } from '../policy/exemptions.js';
import { normalizePath } from '../policy/request-path.js';
import { compilePaths } from '../policy/url-exemptions.js';
import { assertOptions } from './assert-options.js';
import type { EnvironmentOptions } from './environment.js';
import { findProgram } from './find-program.js';
import type {
  AnnounceOptions,
  BackgroundOptions,
  BypassOptions,
  CacheOptions,
  ExemptOptions,
  MaintenanceModuleOptions,
  MicroservicesOptions,
  ResponseOptions,
} from './maintenance-options.js';
import { formatOptionOfEnvironment, OPTIONS, type AnyDefinitions } from './option-table.js';

/** The options after validation, with the defaults applied. */
export interface ResolvedOptions {
  storage?: MaintenanceModuleOptions['storage'];
  application: string;
  /** The version in the package.json of the program, if there is one. */
  appVersion?: string;
  /** The file that was started; missing where the option `application` is set. */
  startFile?: string;
  cache: false | Required<CacheOptions>;
  enabled?: boolean;
  refreshInterval: number;
  onStorageFailure: StorageFailurePolicy;
  adminToken?: string;
  viewerToken?: string;
  exempt: Omit<ExemptionRules, 'getMountPoints'>;
  response: ResponseOptions & Required<Pick<ResponseOptions, 'statusCode' | 'retryAfter' | 'type'>>;
  microservices: Required<MicroservicesOptions>;
  background: Required<BackgroundOptions>;
  scopesOf: MaintenanceModuleOptions['scopesOf'];
  announce: AnnounceOptions;
  bypass: Required<BypassOptions>;
}

/**
 * Merges the options in code over those of the environment, checks both and applies the defaults.
 *
 * @param options - the options in code
 * @param fromEnvironment - the options that the environment sets
 * @returns the options, ready for use
 * @throws {@link MaintenanceOptionsError} that names the option or the variable that can't be used
 */
export function resolveOptions(
  options: MaintenanceModuleOptions,
  fromEnvironment: EnvironmentOptions = {},
): ResolvedOptions {
  assertOptions(options);
  const { enabled: isCacheEnabled, ...cacheFromEnvironment } = fromEnvironment.cache ?? {};
  const environmentOptions = { ...fromEnvironment, cache: cacheFromEnvironment };
  // An item of a list is named after the variable of the list.
  assertOptions(environmentOptions, (path) => formatOptionOfEnvironment(path.replace(/\.\d+$/, '')));

  const merged = mergeOptions(OPTIONS, options, environmentOptions) as MergedOptions;
  const formatSource = (path: string, inCode: unknown): string =>
    `the ${inCode === undefined ? formatOptionOfEnvironment(path) : `option \`${path}\``}`;
  const { cache, exempt, response, application, ...others } = merged;
  if (response.render && response.template !== undefined) {
    throw new MaintenanceOptionsError(
      `the option \`response.render\` and ${formatSource('response.template', options.response?.template)} both make the ` +
        'page: use one of them.',
    );
  }
  if (others.viewerToken !== undefined && others.viewerToken === others.adminToken) {
    throw new MaintenanceOptionsError(
      `${formatSource('viewerToken', options.viewerToken)} is the same as \`adminToken\`: it could change the state. Use another one.`,
    );
  }
  return {
    ...others,
    ...resolveIdentity(application),
    cache: (options.cache ?? isCacheEnabled) ? cache : false,
    exempt: {
      matchesPath: compileOption(formatSource('exempt.urls', options.exempt?.urls), () => compilePaths(exempt.urls)),
      matchesAddress:
        exempt.ips.length > 0
          ? compileOption(formatSource('exempt.ips', options.exempt?.ips), () => compileAddresses(exempt.ips))
          : null,
      exemptAll: exempt.tests && process.env.NODE_ENV === 'test',
      exemptProbes: exempt.probes,
      redirectPath: getRedirectPath(response.redirectUrl),
      roles: new Set(exempt.roles),
      user: exempt.user,
      when: exempt.when,
    },
    response,
  };
}

/** The options with the defaults of the table, before they are compiled. */
type MergedOptions = Omit<ResolvedOptions, 'application' | 'appVersion' | 'startFile' | 'cache' | 'exempt'> & {
  application?: string;
  cache: Required<CacheOptions>;
  exempt: Required<Omit<ExemptOptions, 'when'>> & Pick<ExemptOptions, 'when'>;
};

function mergeOptions(definitions: AnyDefinitions, ...sources: unknown[]): Record<string, unknown> {
  const merged: Record<string, unknown> = {};
  for (const [name, definition] of Object.entries(definitions)) {
    const values = sources.map((source) => (source as Record<string, unknown> | undefined)?.[name]);
    merged[name] = definition.members
      ? mergeOptions(definition.members, ...values)
      : [...values, definition.default].find((value) => value !== undefined);
  }
  return merged;
}

// Applications of one repository may share a package.json; their start files tell them apart.
function resolveIdentity(
  application: string | undefined,
): Pick<ResolvedOptions, 'application' | 'appVersion' | 'startFile'> {
  const { name, version, startFile } = findProgram();
  return {
    application: application ?? name,
    ...(version !== undefined && { appVersion: version }),
    ...(application === undefined && startFile !== undefined && { startFile }),
  };
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
