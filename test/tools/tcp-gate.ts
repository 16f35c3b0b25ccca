import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Stands between a client and a server. It can hold back what passes, or behave like a server that is down. */
export class TcpGate {
  readonly #sockets = new Set<Socket>();
  #isHolding = false;
  #isDown = false;

  private constructor(
    private readonly target: number,
    private readonly server: Server,
  ) {}

  static async to(target: number): Promise<TcpGate> {
    const server = createServer();
    const gate = new TcpGate(target, server);
    server.on('connection', (inner) => gate.#join(inner));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return gate;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Delays everything until {@link release}. */
  hold(): void {
    this.#isHolding = true;
    this.#sockets.forEach((socket) => socket.pause());
  }

  release(): void {
    this.#isHolding = false;
    this.#sockets.forEach((socket) => socket.resume());
  }

  /** Cuts all connections, and each new one until {@link restore}. */
  cut(): void {
    this.#isDown = true;
    this.#sockets.forEach((socket) => socket.resetAndDestroy());
  }

  restore(): void {
    this.#isDown = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  #join(inner: Socket): void {
    if (this.#isDown) {
      inner.on('error', () => undefined);
      return void inner.resetAndDestroy();
    }
    const outer = connect(this.target, '127.0.0.1');
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (data) => other.write(data));
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      if (this.#isHolding) socket.pause();
    }
  }
}
