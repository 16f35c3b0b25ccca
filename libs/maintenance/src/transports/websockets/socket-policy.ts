import type { IncomingMessage } from 'node:http';
import type { HttpIntegration } from '../../http/http-integration.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { MaintenancePolicy } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { Gateway } from './gateway-rules.js';
import type { SocketClient } from './socket-library.interface.js';
import { copyWithUser } from '../copy-with-user.js';

/** All gateways behind a server, or behind one namespace of it. */
export interface GatewayGroup {
  gateways: readonly Gateway[];
  /** Those of who comes in. */
  rules: readonly HandlerRules[];
}

/** Asks the policy about whole sockets: one may be open while anything behind its entrance is. */
export class SocketPolicy {
  constructor(
    private readonly policy: MaintenancePolicy,
    private readonly httpIntegration: HttpIntegration,
  ) {}

  /** Whether no window is active, so that every socket that is open may stay. */
  get isInactive(): boolean {
    return this.policy.isInactive;
  }

  /** The refusal of a handshake, where it is certain: who is asking is not known yet. */
  findHandshakeRefusal(entrance: GatewayGroup, handshake: IncomingMessage): Refusal | null {
    if (this.#isIdleFor(entrance)) return null;
    const refusal = this.#decide(entrance, this.httpIntegration.toPolicyRequest(handshake), false);
    return refusal instanceof Promise ? null : refusal;
  }

  /** The refusal of a request for a file, which belongs to no gateway. */
  async findFileRefusal(request: IncomingMessage): Promise<Refusal | null> {
    if (this.policy.isIdle) return null;
    const decision = await this.policy.decide({
      rules: null,
      request: this.httpIntegration.toPolicyRequest(request),
      context: null,
    });
    return typeof decision === 'object' ? decision : null;
  }

  /** The refusal of a socket, of which by now everything is known that will be. */
  findSocketRefusal(
    entrance: GatewayGroup,
    client: SocketClient,
    handshake: IncomingMessage | null,
  ): Refusal | null | Promise<Refusal | null> {
    return this.#isIdleFor(entrance) ? null : this.#decide(entrance, this.toPolicyRequest(client, handshake), true);
  }

  /** The request with which a socket was opened, with the user from wherever gateways keep one. */
  toPolicyRequest(client: SocketClient, handshake: IncomingMessage | null): PolicyRequest | null {
    return handshake && copyWithUser(this.httpIntegration.toPolicyRequest(handshake), client, client.data, handshake);
  }

  #isIdleFor({ rules }: GatewayGroup): boolean {
    return this.policy.isIdle && !rules.some(({ override: verdict }) => verdict === 'refuse');
  }

  #decide(
    { rules: all }: GatewayGroup,
    request: PolicyRequest | null,
    knowsUser: boolean,
  ): Refusal | null | Promise<Refusal | null> {
    const decisions = all.map((rules) =>
      this.policy.decide({ rules, request, context: null, isUserResolved: knowsUser }),
    );
    if (decisions.some((decision) => typeof decision !== 'object')) return null;
    if (!decisions.some((decision) => decision instanceof Promise)) return (decisions as Refusal[])[0] ?? null;
    return Promise.all(decisions.map(async (decision) => decision)).then((settled) => {
      const refusals = settled.filter((decision) => typeof decision === 'object');
      return refusals.length === settled.length ? (refusals[0] ?? null) : null;
    });
  }
}
