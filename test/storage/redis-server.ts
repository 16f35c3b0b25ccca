import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import getPort from 'get-port';
import { findProgram } from '../tools/programs.js';
import { ServerProcess } from '../tools/server-process.js';

/** Path of the program: `REDIS_SERVER`, else the first that `PATH` has; `undefined` where none is installed. */
export function findRedisServer(): string | undefined {
  return findProgram(process.env.REDIS_SERVER, ['redis-server']);
}

/**
 * `describe` where Redis can be started, else `describe.skip`. Where nothing may be skipped, the missing program is a
 * failure.
 */
export function describeWithRedis(name: string, tests: () => void): void {
  if (findRedisServer()) return void describe(name, tests);
  process.stderr.write('skipped: redis-server not found, install with apt-get install redis-server\n');
  if (process.env.CI === 'true')
    it(`${name}: redis-server is installed`, () => expect(findRedisServer()).toBeDefined());
  else describe.skip(name, tests);
}

/** A Redis server of a test's own. */
export class RedisServer extends ServerProcess {
  private constructor(
    readonly port: number,
    private readonly settings: string[],
    folder: string,
  ) {
    super(folder);
  }

  /** @param settings - as on the command line of `redis-server` */
  static async start(...settings: string[]): Promise<RedisServer> {
    const server = new RedisServer(await getPort(), settings, await mkdtemp(join(tmpdir(), 'redis-')));
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Starts it again on the same port: empty, unless it was told to keep what it has. */
  async restart(): Promise<void> {
    const fixed = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder];
    const child = spawn(findRedisServer()!, [...fixed, '--save', '', '--appendonly', 'no', ...this.settings]);
    await this.run(child, (output) => output.includes('Ready to accept connections'));
  }

  /** Sends a command with a client of its own and returns the answer. */
  async ask(...command: string[]): Promise<string> {
    const client = await createClient({ url: this.url }).connect();
    try {
      return (await client.sendCommand<unknown>(command)) as string;
    } finally {
      client.destroy();
    }
  }
}

/** The fault that the next command through a {@link Proxy} meets before its connection is cut. */
interface Accident {
  /** Whether the server hears the command; it does not answer before `meanwhile` is over. */
  isHeard: boolean;
  /** Bytes of the answer that come through. */
  bytes: number;
  meanwhile: () => Promise<unknown>;
}

/** Stands between a client and a server, and can cut the line. */
export class Proxy {
  /** How many connections were made. */
  connections = 0;
  #accident: Accident | undefined;
  #cutsAfter: number | null = null;
  readonly #sockets = new Set<Socket>();

  private constructor(
    /** Where it leads. */
    public target: number,
    private readonly server: Server,
  ) {}

  static async to(target: number): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(target, server);
    server.on('connection', (inner) => proxy.#join(inner, connect(proxy.target, '127.0.0.1')));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}/0`;
  }

  /** Cuts the line after so many bytes of the answer to the next command. */
  cutNextAnswer(bytes = 0, meanwhile: () => Promise<unknown> = () => Promise.resolve()): void {
    this.#accident = { isHeard: true, bytes, meanwhile };
  }

  /** Cuts the line instead of passing the next command on. */
  cutNextCommand(meanwhile: () => Promise<unknown> = () => Promise.resolve()): void {
    this.#accident = { isHeard: false, bytes: 0, meanwhile };
  }

  /** Cuts the line after so many bytes of each answer; `null`: no more. */
  cutAnswers(bytes: number | null): void {
    this.#cutsAfter = bytes;
  }

  /** From now on nothing passes on the lines that are open, as after a firewall has forgotten them; new ones work. */
  silence(): void {
    this.#sockets.forEach((socket) => socket.pause());
  }

  /** Cuts all lines that are open. */
  cut(): void {
    this.#sockets.forEach((socket) => socket.resetAndDestroy());
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  #join(inner: Socket, outer: Socket): void {
    this.connections++;
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    let accident: Accident | undefined;
    inner.on('data', (data) => {
      accident = this.#accident;
      this.#accident = undefined;
      if (!accident || accident.isHeard) return void outer.write(data);
      void accident.meanwhile().then(() => inner.resetAndDestroy());
    });
    outer.on('data', (data) => {
      const rest = this.#cutsAfter;
      if (rest !== null) return void inner.write(data.subarray(0, rest), () => inner.resetAndDestroy());
      if (!accident) return void inner.write(data);
      const { bytes, meanwhile } = accident;
      void meanwhile().then(() => inner.write(data.subarray(0, bytes), () => inner.resetAndDestroy()));
    });
  }
}
