import type { ExecutionContext } from '@nestjs/common';
import type { HandlerRules } from './handler-rules.js';
import { isMountedProbePath, isGetOrHead, isProbePath, type MountPoints } from './probes.js';
import { normalizePath, type PolicyRequest } from './request-path.js';

/** Who stays admitted, compiled from the options. */
export interface ExemptionRules {
  matchesPath: (path: string) => boolean;
  /** `null`: none does, so that nobody has to find out the address. */
  matchesAddress: ((address: string | undefined) => boolean) | null;
  /** Nothing is refused: a test runs and the application wants it so. */
  exemptAll: boolean;
  /** Answer GET and HEAD of the probes' paths. */
  exemptProbes: boolean;
  /** The path to which visitors are redirected; GET and HEAD are admitted there. */
  redirectPath?: string;
  roles: ReadonlySet<string>;
  user: (request: never) => unknown;
  when?: (context: ExecutionContext) => boolean | Promise<boolean>;
  /** Known once the application is set up. */
  getMountPoints: () => MountPoints;
}

/** The exemptions that need nothing but the request: tests, addresses, paths, probes, the redirect's target. */
export function isExemptRequest(
  rules: ExemptionRules,
  request: PolicyRequest | null,
  handler: Pick<HandlerRules, 'probeKind'> | null,
): boolean {
  if (rules.exemptAll) return true;
  if (!request) return false;
  if (rules.matchesAddress?.(request.ip)) return true;
  const path = normalizePath(request.url);
  if (path === undefined) return false;
  // One trailing slash is ignored, in the request as in a pattern that ends after one.
  if (rules.matchesPath(path) || (path !== '/' && rules.matchesPath(`${path}/`))) return true;
  if (path === rules.redirectPath && isGetOrHead(request.method)) return true;
  return rules.exemptProbes && isProbe(request.method, path, rules.getMountPoints(), handler);
}

function isProbe(
  method: string,
  path: string,
  mountPoints: MountPoints,
  handler: Pick<HandlerRules, 'probeKind'> | null,
): boolean {
  if (!isGetOrHead(method)) return false;
  if (handler?.probeKind === 'health-check' || isProbePath(path, mountPoints)) return true;
  return handler?.probeKind === 'path' && isMountedProbePath(path, mountPoints);
}

/** Whether anything about the user or the context could exempt; if not, a refusal needs no wait for either. */
export function hasUserExemptions(rules: ExemptionRules): boolean {
  return rules.roles.size > 0 || rules.when !== undefined;
}

/**
 * The exemptions that may have to wait: the user's role, then `exempt.when`. Rejects where one of them throws.
 *
 * @param asking - told which option is asked before it is
 */
export async function isExemptUser(
  rules: ExemptionRules,
  request: PolicyRequest | null,
  context: ExecutionContext | null,
  asking: (option: 'exempt.user' | 'exempt.when') => void,
): Promise<boolean> {
  if (rules.roles.size > 0 && request) {
    asking('exempt.user');
    const user = await rules.user(request as never);
    if (getRoles(user).some((role) => rules.roles.has(role))) return true;
  }
  if (context === null || rules.when === undefined) return false;
  asking('exempt.when');
  return (await rules.when(context)) === true;
}

function getRoles(user: unknown): string[] {
  if (typeof user !== 'object' || user === null) return [];
  const { roles, role } = user as { roles?: unknown; role?: unknown };
  const listed =
    roles instanceof Set ? [...(roles as Set<unknown>)] : Array.isArray(roles) ? (roles as unknown[]) : [roles];
  return [...listed, role].filter((name) => typeof name === 'string');
}
