import type { ExecutionContext } from '@nestjs/common';
import type { HandlerRules } from './handler-rules.js';
import { isMountedProbePath, isReading, isProbePath, type MountPoints } from './probes.js';
import { normalPath, type PolicyRequest } from './request-path.js';

/** Who stays admitted, compiled from the options. */
export interface ExemptionRules {
  matchesPath: (path: string) => boolean;
  /** `null`: none does, so that nobody has to find out the address. */
  matchesAddress: ((address: string | undefined) => boolean) | null;
  /** Nothing is refused: a test runs and the application wants it so. */
  everything: boolean;
  /** Answer GET and HEAD of the probes' paths. */
  probes: boolean;
  /** The path to which visitors are redirected; GET and HEAD are admitted there. */
  redirectPath?: string;
  roles: ReadonlySet<string>;
  user: (request: never) => unknown;
  when?: (context: ExecutionContext) => boolean | Promise<boolean>;
  /** Known once the application is set up. */
  mountPoints: () => MountPoints;
}

/** The exemptions that need nothing but the request: tests, addresses, paths, probes, the redirect's target. */
export function isExemptRequest(
  rules: ExemptionRules,
  request: PolicyRequest | null,
  handler: Pick<HandlerRules, 'probe'> | null,
): boolean {
  if (rules.everything) return true;
  if (!request) return false;
  if (rules.matchesAddress?.(request.ip)) return true;
  const path = normalPath(request.url);
  if (path === undefined) return false;
  // One trailing slash is ignored, in the request as in a pattern that ends after one.
  if (rules.matchesPath(path) || (path !== '/' && rules.matchesPath(`${path}/`))) return true;
  if (path === rules.redirectPath && isReading(request.method)) return true;
  return rules.probes && isProbe(request.method, path, rules.mountPoints(), handler);
}

function isProbe(
  method: string,
  path: string,
  mountPoints: MountPoints,
  handler: Pick<HandlerRules, 'probe'> | null,
): boolean {
  if (!isReading(method)) return false;
  if (handler?.probe === 'health-check' || isProbePath(path, mountPoints)) return true;
  return handler?.probe === 'path' && isMountedProbePath(path, mountPoints);
}

/** Whether anything about the user or the context could exempt; if not, a refusal needs no wait for either. */
export function asksWho(rules: ExemptionRules): boolean {
  return rules.roles.size > 0 || rules.when !== undefined;
}

/**
 * The exemptions that may have to wait: the user's role, then `exempt.when`. Rejects where one of them throws.
 *
 * @param asking - told which option is asked before it is
 */
export async function isExemptVisitor(
  rules: ExemptionRules,
  request: PolicyRequest | null,
  context: ExecutionContext | null,
  asking: (option: 'exempt.user' | 'exempt.when') => void,
): Promise<boolean> {
  if (rules.roles.size > 0 && request) {
    asking('exempt.user');
    const user = await rules.user(request as never);
    if (rolesOf(user).some((role) => rules.roles.has(role))) return true;
  }
  if (context === null || rules.when === undefined) return false;
  asking('exempt.when');
  return (await rules.when(context)) === true;
}

function rolesOf(user: unknown): string[] {
  if (typeof user !== 'object' || user === null) return [];
  const { roles, role } = user as { roles?: unknown; role?: unknown };
  const listed =
    roles instanceof Set ? [...(roles as Set<unknown>)] : Array.isArray(roles) ? (roles as unknown[]) : [roles];
  return [...listed, role].filter((name) => typeof name === 'string');
}
