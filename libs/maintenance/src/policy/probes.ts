import {
  HEADERS_METADATA,
  HEALTH_CHECK_HEADER,
  HEALTH_CHECK_SERVICE_NAME,
  INJECTED_METADATA_KEYS,
  PATH_METADATA,
} from '../nest-internals.js';
import type { Class, Method } from '../utils/discovery.js';

/** The paths that orchestrators and crawlers request, as a controller and its handler name them. */
const PROBE_PATHS: ReadonlySet<string> = new Set(['/health', '/healthz', '/livez', '/readyz', '/robots.txt']);

/** Why a handler is a probe: its path is one of a probe, or it has `@HealthCheck()` of Terminus. */
export type ProbeKind = 'path' | 'health-check';

/** The prefixes below which the application mounts its handlers. */
export interface MountPoints {
  /** The global prefix with a leading slash, or empty. */
  globalPrefix: string;
  /** The text in front of a version in the path, perhaps empty; `null` where versions are not in the path. */
  versionPrefix: string | null;
}

/** Whether a method only reads a resource, as requests of probes and browsers do. */
export function isGetOrHead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Whether a path in normal form is one of a probe, with or without the global prefix, whichever handler has it. */
export function isProbePath(path: string, { globalPrefix }: Pick<MountPoints, 'globalPrefix'>): boolean {
  if (PROBE_PATHS.has(path)) return true;
  return globalPrefix !== '' && path.startsWith(`${globalPrefix}/`) && PROBE_PATHS.has(path.slice(globalPrefix.length));
}

/** Whether a path in normal form leads to a handler of a probe below the global prefix, a version, or both. */
export function isMountedProbePath(path: string, { globalPrefix, versionPrefix }: MountPoints): boolean {
  const segments = path.split('/').slice(1);
  if (!PROBE_PATHS.has(`/${segments.pop()}`)) return false;
  const prefix = globalPrefix.split('/').slice(1);
  const isBelowPrefix = prefix.every((expected, index) => expected === segments[index] || /[:*{]/.test(expected));
  const version = isBelowPrefix ? segments.slice(prefix.length) : segments;
  if (version.length === 0) return true;
  return (
    versionPrefix !== null &&
    version.length === versionPrefix.split('/').length &&
    version.join('/').startsWith(versionPrefix)
  );
}

/** Returns why a handler is a probe, or `null` if it is none. */
export function findProbeKind(controller: Class, handler: Method): ProbeKind | null {
  if (isHealthCheck(controller, handler)) return 'health-check';
  const paths = getPaths(controller).flatMap((base) => getPaths(handler).map((path) => joinPaths(base, path)));
  return paths.some((path) => PROBE_PATHS.has(path)) ? 'path' : null;
}

// `@HealthCheck()` sets no metadata of its own: the header that forbids caching and the injected service tell it.
function isHealthCheck(controller: Class, handler: Method): boolean {
  const headers = (Reflect.getMetadata(HEADERS_METADATA, handler) ?? []) as { name?: unknown; value?: unknown }[];
  const forbidsCaching = headers.some(
    ({ name, value }) => name === HEALTH_CHECK_HEADER.name && value === HEALTH_CHECK_HEADER.value,
  );
  return (
    forbidsCaching &&
    INJECTED_METADATA_KEYS.some((key) => injectsHealthCheckService(Reflect.getMetadata(key, controller)))
  );
}

/** @param injected - a list of types, or of objects that name a token in `param` or `type` */
function injectsHealthCheckService(injected: unknown): boolean {
  if (!Array.isArray(injected)) return false;
  return injected.some((item: unknown) => {
    const { param, type } = (item ?? {}) as { param?: unknown; type?: unknown };
    return [item, param, type].some((token) => typeof token === 'function' && token.name === HEALTH_CHECK_SERVICE_NAME);
  });
}

function getPaths(target: object): string[] {
  return [(Reflect.getMetadata(PATH_METADATA, target) ?? []) as string | string[]].flat();
}

function joinPaths(...paths: string[]): string {
  const segments = paths.flatMap((path) => path.split('/')).filter((segment) => segment !== '');
  return `/${segments.join('/')}`;
}
