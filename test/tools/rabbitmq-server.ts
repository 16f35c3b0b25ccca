import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import getPort from 'get-port';
import { ServerProcess } from './server-process.js';

/** Not the program in `PATH`, which runs only as the user `rabbitmq` and with the data of the machine. */
const PROGRAM = '/usr/lib/rabbitmq/bin/rabbitmq-server';

/** A RabbitMQ server of a test's own. It needs about 8 s to start. */
export class RabbitMqServer extends ServerProcess {
  private constructor(
    readonly port: number,
    private readonly nameServerPort: number,
    folder: string,
  ) {
    super(folder);
  }

  static async start(): Promise<RabbitMqServer> {
    if (!existsSync(PROGRAM)) throw new Error('RabbitMQ not found, install with apt-get install rabbitmq-server');
    const folder = await mkdtemp(join(tmpdir(), 'rabbitmq-'));
    const server = new RabbitMqServer(await getPort(), await getPort(), folder);
    const child = spawn(PROGRAM, { env: await server.#getVariables(), stdio: ['ignore', 'pipe', 'pipe'] });
    await server.run(child, (output) => output.includes('Server startup complete'));
    return server;
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  override async stop(): Promise<void> {
    await this.kill();
    // Erlang leaves its name server behind.
    await promisify(execFile)('epmd', ['-kill'], { env: this.#getNameServer() });
    await super.stop();
  }

  #getNameServer(): NodeJS.ProcessEnv {
    return { PATH: process.env.PATH, ERL_EPMD_ADDRESS: '127.0.0.1', ERL_EPMD_PORT: String(this.nameServerPort) };
  }

  async #getVariables(): Promise<NodeJS.ProcessEnv> {
    return {
      ...this.#getNameServer(),
      HOME: this.folder,
      RABBITMQ_NODENAME: `test-${this.port}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(this.port),
      RABBITMQ_DIST_PORT: String(await getPort()),
      RABBITMQ_MNESIA_BASE: join(this.folder, 'data'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_PID_FILE: join(this.folder, 'pid'),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_CONFIG_FILE: join(this.folder, 'none'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(this.folder, 'plugins'),
      // With these two, the program becomes the server instead of waiting for it: a signal reaches it.
      RABBITMQ_ALLOW_INPUT: 'true',
      RABBITMQ_SERVER_START_ARGS: '-noinput',
    };
  }
}
