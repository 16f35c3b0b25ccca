import type { ExecutionContext } from '@nestjs/common';
import type { StoredWindow } from '../core/maintenance-window.js';
import type { Clock } from '../utils/clock.js';
import { isBypassed } from './bypass.js';
import type { HandlerRules } from './handler-rules.js';
import { isGetOrHead, isMountedProbePath, isProbePath, type MountPoints } from './probes.js';
import { normalizePath, type PolicyRequest } from './request-path.js';

/** The options of the exemptions, compiled for decisions. */
export interface ExemptionRules {
  /** `exempt.urls`. */
  matchesPath: (path: string) => boolean;
  /** `exempt.ips`; `null` where it is empty, so that no decision needs the client's address. */
  matchesAddress: ((address: string | undefined) => boolean) | null;
  /** `exempt.tests`, in a test. */
  exemptAll: boolean;
  /** `exempt.probes`. */
  exemptProbes: boolean;
  /** The target of `response.redirectUrl`, as far as it is a path of the application. */
  redirectPath?: string;
  /** `exempt.roles`. */
  roles: ReadonlySet<string>;
  /** `exempt.user`. */
  user: (request: never) => unknown;
  /** `exempt.when`. */
  when?: (context: ExecutionContext) => boolean | Promise<boolean>;
  /** Returns the prefixes of routes, which are known once the application is set up. */
  getMountPoints: () => MountPoints;
}

/** A call that a window covers, as exemptions see it. */
export class ExemptionInput {
  #path: string | null | undefined = null;

  /**
   * @param request - the HTTP request, or the one that opened the socket; `null` where there is none
   * @param rules - the decorators of the handler; `null` where the call has no Nest handler
   * @param context - Nest's context; `null` before the guards run
   * @param covering - the windows that cover the call; empty where maintenance is forced on
   * @param active - all windows that are active
   */
  constructor(
    readonly request: PolicyRequest | null,
    readonly rules: Pick<HandlerRules, 'isAdmin' | 'probeKind'> | null,
    readonly context: ExecutionContext | null,
    readonly covering: readonly StoredWindow[],
    readonly active: readonly StoredWindow[],
  ) {}

  /** The path of the request; `undefined` where it has none in normal form, which no exemption matches. */
  get path(): string | undefined {
    if (this.#path === null) this.#path = this.request ? normalizePath(this.request.url) : undefined;
    return this.#path;
  }
}

/** A reason to admit a call that a window covers. */
export interface Exemption {
  /** The option that log lines name when {@link admits} fails. */
  readonly name: string;
  /** Whether the answer depends on the user or on Nest's context. Only such an exemption may be asynchronous. */
  readonly needsUser: boolean;
  /** Whether the exemption admits nothing before the guards run, when there is no context of Nest. */
  readonly needsContext?: boolean;
  admits(input: ExemptionInput): boolean | Promise<boolean>;
}

/**
 * Creates the exemptions that the options ask for, in the order in which they are tried: those that need the user come
 * last. To add a kind, add one object to the list.
 *
 * @param bypassCookieName - the cookie that a bypass link sets
 * @param clock - tells whether a bypass cookie has expired
 */
export function createExemptions(rules: ExemptionRules, bypassCookieName: string, clock: Clock): readonly Exemption[] {
  const { matchesAddress, matchesPath, redirectPath, roles, when } = rules;
  const exemptions: (Exemption | false)[] = [
    {
      name: 'admin',
      needsUser: false,
      admits: (input) => input.rules?.isAdmin === true,
    },
    rules.exemptAll && {
      name: 'exempt.tests',
      needsUser: false,
      admits: () => true,
    },
    matchesAddress !== null && {
      name: 'exempt.ips',
      needsUser: false,
      admits: ({ request }) => request !== null && matchesAddress(request.ip),
    },
    {
      name: 'exempt.urls',
      needsUser: false,
      // One trailing slash is ignored, in the request as in a pattern that ends after one.
      admits: ({ path }) => path !== undefined && (matchesPath(path) || (path !== '/' && matchesPath(`${path}/`))),
    },
    redirectPath !== undefined && {
      name: 'response.redirectUrl',
      needsUser: false,
      admits: ({ request, path }) => path === redirectPath && isGetOrHead(request!.method),
    },
    rules.exemptProbes && {
      name: 'exempt.probes',
      needsUser: false,
      admits: (input) => isProbe(input, rules.getMountPoints()),
    },
    {
      name: 'bypass',
      needsUser: false,
      admits: ({ request, covering, active }) =>
        request !== null && isBypassed(request, active, covering, bypassCookieName, clock),
    },
    roles.size > 0 && {
      name: 'exempt.user',
      needsUser: true,
      admits: async ({ request }) => {
        if (!request) return false;
        const user = await rules.user(request as never);
        return getRoles(user).some((role) => roles.has(role));
      },
    },
    when !== undefined && {
      name: 'exempt.when',
      needsUser: true,
      needsContext: true,
      admits: async ({ context }) => context !== null && (await when(context)) === true,
    },
  ];
  return exemptions.filter((exemption) => exemption !== false);
}

function isProbe({ request, path, rules }: ExemptionInput, mountPoints: MountPoints): boolean {
  if (!request || path === undefined || !isGetOrHead(request.method)) return false;
  if (rules?.probeKind === 'health-check' || isProbePath(path, mountPoints)) return true;
  return rules?.probeKind === 'path' && isMountedProbePath(path, mountPoints);
}

function getRoles(user: unknown): string[] {
  if (typeof user !== 'object' || user === null) return [];
  const { roles, role } = user as { roles?: unknown; role?: unknown };
  const listed =
    roles instanceof Set ? [...(roles as Set<unknown>)] : Array.isArray(roles) ? (roles as unknown[]) : [roles];
  return [...listed, role].filter((name) => typeof name === 'string');
}
