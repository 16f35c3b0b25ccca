import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Subscription } from 'rxjs';
import type { Decision, Visit } from '../../policy/maintenance-policy.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { Transport } from '../../policy/transport.js';
import { replaceMethod } from '../../utils/patch-method.js';
import { refuseHandshake } from '../websockets/handshake-refusal.js';
import type { TransportParts } from '../transport-parts.js';
import { withUser } from '../with-user.js';
import { UpgradedSocket } from './upgraded-socket.js';

type UpgradesDeps = Pick<TransportParts, 'policy' | 'mount' | 'changes' | 'clock' | 'statusCode' | 'hasEdge'>;
type Emit = (event: string, ...args: unknown[]) => boolean;

/**
 * What comes to the HTTP server beside requests, and that no gateway of Nest takes: upgrades and CONNECT. They are decided like unknown
 * URLs, and what is open is closed when a window refuses it.
 */
export class Upgrades implements Transport {
  readonly type = null;
  readonly #decidedElsewhere: ((request: IncomingMessage) => boolean)[] = [];
  readonly #open = new Set<UpgradedSocket>();
  #undo: () => void = () => undefined;
  #changes: Subscription | null = null;

  constructor(private readonly deps: UpgradesDeps) {}

  /** Leaves upgrades to a transport that decides about them by itself. */
  leave(takes: (request: IncomingMessage) => boolean): void {
    this.#decidedElsewhere.push(takes);
  }

  beforeRoutes(): void {
    const { mount, changes, hasEdge } = this.deps;
    const server = mount.server;
    if (!hasEdge || !server) return;
    // Listeners may be added at any time, and their presence decides whether Node upgrades at all: there is none of ours.
    this.#undo = replaceMethod(server as { emit: Emit }, 'emit', (emit) => (event, ...args) => {
      if ((event !== 'upgrade' && event !== 'connect') || isOfHttp2(args)) return emit(event, ...args);
      const [request, socket] = args as [IncomingMessage, Duplex];
      this.#meet(request, socket, () => emit(event, ...args));
      return true;
    });
    this.#changes = changes.subscribe(() => this.#review());
  }

  close(): void {
    this.#undo();
    this.#changes?.unsubscribe();
    this.#open.clear();
  }

  #meet(request: IncomingMessage, socket: Duplex, proceed: () => void): void {
    if (this.#decidedElsewhere.some((takes) => takes(request))) return proceed();
    if (this.deps.policy.isIdle) return this.#admit(request, socket, proceed);
    const decision = this.#decide(request);
    if (!(decision instanceof Promise)) return this.#carryOut(decision, request, socket, proceed);
    // Node does not listen to the socket any more, and the application does not listen yet.
    const onError = (): void => void socket.destroy();
    socket.on('error', onError);
    void decision.then((late) => {
      socket.off('error', onError);
      if (!socket.destroyed) this.#carryOut(late, request, socket, proceed);
    });
  }

  #carryOut(decision: Decision, request: IncomingMessage, socket: Duplex, proceed: () => void): void {
    if (typeof decision === 'object') refuseHandshake(socket, decision, this.deps.statusCode);
    else this.#admit(request, socket, proceed);
  }

  #admit(request: IncomingMessage, socket: Duplex, proceed: () => void): void {
    const upgraded = new UpgradedSocket(request, socket, this.deps.clock);
    this.#open.add(upgraded);
    socket.once('close', () => this.#open.delete(upgraded));
    proceed();
  }

  #review(): void {
    if (this.deps.policy.isOpen) return;
    for (const upgraded of this.#open) void this.#reviewSocket(upgraded);
  }

  async #reviewSocket(upgraded: UpgradedSocket): Promise<void> {
    const decision = await this.#decide(upgraded.request);
    if (typeof decision === 'object') upgraded.close(decision, this.deps.statusCode);
  }

  #decide(request: IncomingMessage): Decision | Promise<Decision> {
    const { policy, mount } = this.deps;
    const access = request.method === 'CONNECT' ? 'write' : 'read';
    const visit: Visit = { rules: null, request: null, context: null, access };
    try {
      const visited = withUser(mount.requestOf(request), request);
      // The exemptions of GET and HEAD are for probes and pages: behind their paths, a server of WebSockets may take any upgrade.
      const opening = Object.create(visited, { method: { value: 'CONNECT' } }) as PolicyRequest;
      return policy.decide({ ...visit, request: opening });
    } catch {
      // A function of the application, such as the one for trust proxy, threw: there is no request to ask it again.
      return policy.decide(visit);
    }
  }
}

/** Node gives listeners a request and a response there, not a socket. */
function isOfHttp2([request]: unknown[]): boolean {
  return (request as IncomingMessage).httpVersionMajor === 2;
}
