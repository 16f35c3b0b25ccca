import type { IncomingMessage } from 'node:http';
import type { HttpIntegration } from '../../http/http-integration.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { MaintenancePolicy } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { Gateway } from './gateways.js';
import type { SocketClient } from './socket-library.interface.js';
import { copyWithUser } from '../copy-with-user.js';

/** All gateways of a server, or of one of its namespaces. */
export interface GatewayGroup {
  gateways: readonly Gateway[];
  /** The rules for opening a socket. */
  rules: readonly HandlerRules[];
}

/** Decides on sockets: one is admitted while the policy admits the rules of any gateway of its group. */
export class SocketPolicy {
  constructor(
    private readonly policy: MaintenancePolicy,
    private readonly httpIntegration: HttpIntegration,
  ) {}

  /** Whether no window is active, so that all open sockets stay open. */
  get isInactive(): boolean {
    return this.policy.isInactive;
  }

  /** Returns the refusal of a handshake if it does not depend on the user, who is not known yet; otherwise `null`. */
  findHandshakeRefusal(group: GatewayGroup, handshake: IncomingMessage): Refusal | null {
    if (this.#isIdleFor(group)) return null;
    const refusal = this.#decide(group, this.httpIntegration.toPolicyRequest(handshake), false);
    return refusal instanceof Promise ? null : refusal;
  }

  /** Returns the refusal of a request for a file, which belongs to no gateway. */
  async findFileRefusal(request: IncomingMessage): Promise<Refusal | null> {
    if (this.policy.isIdle) return null;
    const decision = await this.policy.decide({
      rules: null,
      request: this.httpIntegration.toPolicyRequest(request),
      context: null,
    });
    return typeof decision === 'object' ? decision : null;
  }

  /** Returns the refusal of a socket after its handshake, when the user is known. */
  findSocketRefusal(
    group: GatewayGroup,
    client: SocketClient,
    handshake: IncomingMessage | null,
  ): Refusal | null | Promise<Refusal | null> {
    return this.#isIdleFor(group) ? null : this.#decide(group, this.toPolicyRequest(client, handshake), true);
  }

  /** Returns the request that opened a socket, with the user that a gateway may have set on the client or its data. */
  toPolicyRequest(client: SocketClient, handshake: IncomingMessage | null): PolicyRequest | null {
    return handshake && copyWithUser(this.httpIntegration.toPolicyRequest(handshake), client, client.data, handshake);
  }

  #isIdleFor({ rules }: GatewayGroup): boolean {
    return this.policy.isIdle && !rules.some(({ override }) => override === 'refuse');
  }

  #decide(
    { rules: allRules }: GatewayGroup,
    request: PolicyRequest | null,
    isUserResolved: boolean,
  ): Refusal | null | Promise<Refusal | null> {
    const decisions = allRules.map((rules) => this.policy.decide({ rules, request, context: null, isUserResolved }));
    if (decisions.some((decision) => typeof decision !== 'object')) return null;
    if (!decisions.some((decision) => decision instanceof Promise)) return (decisions as Refusal[])[0] ?? null;
    return Promise.all(decisions.map(async (decision) => decision)).then((settled) => {
      const refusals = settled.filter((decision) => typeof decision === 'object');
      return refusals.length === settled.length ? (refusals[0] ?? null) : null;
    });
  }
}
