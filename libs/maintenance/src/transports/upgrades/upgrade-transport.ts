import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Subscription } from 'rxjs';
import type { Decision, PolicyInput } from '../../policy/maintenance-policy.js';
import { describeRoute, publishRefusal } from '../../policy/refusal-channel.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { TransportAdapter } from '../../policy/transport-adapters.js';
import { patchMethod } from '../../utils/patch-method.js';
import { refuseHandshake } from '../refuse-upgrade.js';
import type { TransportDeps } from '../transport-deps.interface.js';
import { copyWithUser } from '../copy-with-user.js';
import { UpgradedSocket } from './upgraded-socket.js';

type UpgradeTransportDeps = Pick<
  TransportDeps,
  'policy' | 'httpIntegration' | 'changes' | 'clock' | 'statusCode' | 'hasMiddleware'
>;
type Emit = (event: string, ...args: unknown[]) => boolean;

/**
 * Decides about upgrades and CONNECT requests that no gateway of Nest handles, as about unknown URLs. Open connections
 * are closed when a window refuses them.
 */
export class UpgradeTransport implements TransportAdapter {
  readonly type = null;
  readonly #delegated: ((request: IncomingMessage) => boolean)[] = [];
  readonly #open = new Set<UpgradedSocket>();
  #undo: () => void = () => undefined;
  #changes: Subscription | null = null;

  constructor(private readonly deps: UpgradeTransportDeps) {}

  /** Leaves upgrades to a transport that decides about them itself. */
  delegate(takes: (request: IncomingMessage) => boolean): void {
    this.#delegated.push(takes);
  }

  configure(): void {
    const { httpIntegration, changes, hasMiddleware } = this.deps;
    const { server } = httpIntegration;
    if (!hasMiddleware || !server) return;
    // Node upgrades only if the server has a listener, so a listener of ours would change that for the application.
    this.#undo = patchMethod(server as { emit: Emit }, 'emit', (emit) => (event, ...args) => {
      if ((event !== 'upgrade' && event !== 'connect') || isHttp2(args)) return emit(event, ...args);
      const [request, socket] = args as [IncomingMessage, Duplex];
      this.#handleUpgrade(request, socket, () => emit(event, ...args));
      return true;
    });
    this.#changes = changes.subscribe(() => this.#closeRefused());
  }

  close(): void {
    this.#undo();
    this.#changes?.unsubscribe();
    this.#open.clear();
  }

  #handleUpgrade(request: IncomingMessage, socket: Duplex, proceed: () => void): void {
    if (this.#delegated.some((takes) => takes(request))) return proceed();
    if (this.deps.policy.isIdle) return this.#admit(request, socket, proceed);
    const decision = this.#decide(request);
    if (!(decision instanceof Promise)) return this.#apply(decision, request, socket, proceed);
    // Node no longer handles errors of the socket, and the application does not handle them yet.
    const onError = (): void => void socket.destroy();
    socket.on('error', onError);
    void decision.then((late) => {
      socket.off('error', onError);
      if (!socket.destroyed) this.#apply(late, request, socket, proceed);
    });
  }

  #apply(decision: Decision, request: IncomingMessage, socket: Duplex, proceed: () => void): void {
    if (typeof decision !== 'object') return this.#admit(request, socket, proceed);
    const { statusCode: status } = this.deps;
    publishRefusal(decision, () => ({
      ...describeRoute(request.method ?? 'GET', undefined),
      transport: 'http',
      status,
    }));
    refuseHandshake(socket, decision, status);
  }

  #admit(request: IncomingMessage, socket: Duplex, proceed: () => void): void {
    const upgraded = new UpgradedSocket(request, socket, this.deps.clock);
    this.#open.add(upgraded);
    socket.once('close', () => this.#open.delete(upgraded));
    proceed();
  }

  #closeRefused(): void {
    if (this.deps.policy.isInactive) return;
    for (const upgraded of this.#open) void this.#closeIfRefused(upgraded);
  }

  async #closeIfRefused(upgraded: UpgradedSocket): Promise<void> {
    const decision = await this.#decide(upgraded.request);
    if (typeof decision === 'object') upgraded.close(decision, this.deps.statusCode);
  }

  #decide(request: IncomingMessage): Decision | Promise<Decision> {
    const { policy, httpIntegration } = this.deps;
    const access = request.method === 'CONNECT' ? 'write' : 'read';
    const call: PolicyInput = { rules: null, request: null, context: null, access };
    try {
      const policyRequest = copyWithUser(httpIntegration.toPolicyRequest(request), request);
      // Exemptions of GET and HEAD are for probes and pages, and a WebSocket server may accept upgrades on any path.
      const opening = Object.create(policyRequest, { method: { value: 'CONNECT' } }) as PolicyRequest;
      return policy.decide({ ...call, request: opening });
    } catch {
      // A callback of the application threw, such as that of trust proxy. Without a request it is not called again.
      return policy.decide(call);
    }
  }
}

/** Whether a CONNECT came over HTTP/2, where Node passes a response instead of a socket. */
function isHttp2([request]: unknown[]): boolean {
  return (request as IncomingMessage).httpVersionMajor === 2;
}
