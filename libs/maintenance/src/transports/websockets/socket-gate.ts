import type { IncomingMessage } from 'node:http';
import type { HttpMount } from '../../http/http-mount.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { MaintenancePolicy } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { Gateway } from './gateway-rules.js';
import type { Client } from './socket-library.js';
import { withUser } from '../with-user.js';

/** All gateways behind a server, or behind one namespace of it. */
export interface Entrance {
  gateways: readonly Gateway[];
  /** Those of who comes in. */
  rules: readonly HandlerRules[];
}

/** Asks the policy about whole sockets: one may be open while anything behind its entrance is. */
export class SocketGate {
  constructor(
    private readonly policy: MaintenancePolicy,
    private readonly mount: HttpMount,
  ) {}

  /** Whether no window is active, so that every socket that is open may stay. */
  get isOpen(): boolean {
    return this.policy.isOpen;
  }

  /** The refusal of a handshake, where it is certain: who is asking is not known yet. */
  refusalOfHandshake(entrance: Entrance, handshake: IncomingMessage): Refusal | null {
    if (this.#isIdleAt(entrance)) return null;
    const refusal = this.#decide(entrance, this.mount.requestOf(handshake), false);
    return refusal instanceof Promise ? null : refusal;
  }

  /** The refusal of a request for a file, which belongs to no gateway. */
  async refusalOfFile(request: IncomingMessage): Promise<Refusal | null> {
    if (this.policy.isIdle) return null;
    const decision = await this.policy.decide({ rules: null, request: this.mount.requestOf(request), context: null });
    return typeof decision === 'object' ? decision : null;
  }

  /** The refusal of a socket, of which by now everything is known that will be. */
  refusalOf(
    entrance: Entrance,
    client: Client,
    handshake: IncomingMessage | null,
  ): Refusal | null | Promise<Refusal | null> {
    return this.#isIdleAt(entrance) ? null : this.#decide(entrance, this.requestOf(client, handshake), true);
  }

  /** The request with which a socket was opened, with the user from wherever gateways keep one. */
  requestOf(client: Client, handshake: IncomingMessage | null): PolicyRequest | null {
    return handshake && withUser(this.mount.requestOf(handshake), client, client.data, handshake);
  }

  #isIdleAt({ rules }: Entrance): boolean {
    return this.policy.isIdle && !rules.some(({ verdict }) => verdict === 'refuse');
  }

  #decide(
    { rules: all }: Entrance,
    request: PolicyRequest | null,
    knowsUser: boolean,
  ): Refusal | null | Promise<Refusal | null> {
    const decisions = all.map((rules) => this.policy.decide({ rules, request, context: null, knowsUser }));
    if (decisions.some((decision) => typeof decision !== 'object')) return null;
    if (!decisions.some((decision) => decision instanceof Promise)) return (decisions as Refusal[])[0] ?? null;
    return Promise.all(decisions.map(async (decision) => decision)).then((settled) => {
      const refusals = settled.filter((decision) => typeof decision === 'object');
      return refusals.length === settled.length ? (refusals[0] ?? null) : null;
    });
  }
}
