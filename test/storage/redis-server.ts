import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from 'redis';
import getPort from 'get-port';
import { findProgram } from '../tools/programs.js';
import { ServerProcess } from '../tools/server-process.js';
import { until } from '../tools/waiting.js';

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
  ask(...command: string[]): Promise<string> {
    return ask(this.port, command);
  }
}

async function ask(port: number, command: string[]): Promise<string> {
  const client = await createClient({ socket: { port } }).connect();
  try {
    return (await client.sendCommand<unknown>(command)) as string;
  } finally {
    client.destroy();
  }
}

/** A Redis with one replica, and a Sentinel that makes the replica the master when the master is down. */
export class RedisSentinel extends ServerProcess {
  /** The name of the master. */
  static readonly NAME = 'shop-cache';

  private constructor(
    readonly port: number,
    readonly servers: RedisServer[],
    folder: string,
  ) {
    super(folder);
  }

  static async start(): Promise<RedisSentinel> {
    const master = await RedisServer.start('--repl-diskless-sync-delay', '0');
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(master.port));
    const sentinel = new RedisSentinel(
      await getPort(),
      [master, replica],
      await mkdtemp(join(tmpdir(), 'redis-sentinel-')),
    );
    await until('the replica has the data', async () =>
      /master_link_status:up/.test(await replica.ask('INFO', 'replication')),
    );
    const name = RedisSentinel.NAME;
    const settings = [
      `port ${sentinel.port}`,
      'bind 127.0.0.1',
      `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${name} 500`,
      `sentinel failover-timeout ${name} 3000`,
    ];
    await writeFile(join(sentinel.folder, 'sentinel.conf'), settings.join('\n'));
    const child = spawn(findRedisServer()!, [join(sentinel.folder, 'sentinel.conf'), '--sentinel'], {
      cwd: sentinel.folder,
    });
    await sentinel.run(child, (output) => output.includes('+slave slave'));
    return sentinel;
  }

  /** Kills the master, and returns when another server is the master. */
  async failOver(): Promise<void> {
    const [master, replica] = this.servers as [RedisServer, RedisServer];
    await master.kill();
    const find = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', RedisSentinel.NAME];
    await until('the replica is the master', async () => (await ask(this.port, find)).includes(String(replica.port)));
  }

  override async stop(): Promise<void> {
    await super.stop();
    for (const server of this.servers) await server.stop();
  }
}

/** Starts a cluster of three masters. */
export async function startRedisCluster(): Promise<RedisServer[]> {
  const servers = [];
  for (let index = 0; index < 3; index++) {
    // By default the second port is 10,000 above the first, which may be too high.
    servers.push(await RedisServer.start('--cluster-enabled', 'yes', '--cluster-port', String(await getPort())));
  }
  const nodes = servers.map(({ port }) => `127.0.0.1:${port}`);
  await promisify(execFile)('redis-cli', ['--cluster', 'create', ...nodes, '--cluster-yes']);
  for (const server of servers) {
    await until('the cluster is up', async () => /cluster_state:ok/.test(await server.ask('CLUSTER', 'INFO')));
  }
  return servers;
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
      // A command may arrive in several pieces.
      accident ??= this.#accident;
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
