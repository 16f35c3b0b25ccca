import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import getPort from 'get-port';
import { call } from '../e2e/client.js';
import { findProgram } from '../tools/programs.js';
import { until } from '../tools/waiting.js';

const GUIDE = readFileSync(resolve(__dirname, '../../docs/in-front.md'), 'utf8');

export type ProxyName = 'nginx' | 'caddy' | 'haproxy';

interface ProxyKind {
  /** The language of the code block in the guide. */
  language: string;
  /** Completes the configuration of the guide, so that the proxy runs without root and beside others. */
  complete: (configuration: string, port: number, folder: string) => string;
  getArguments: (file: string, folder: string) => string[];
}

const KINDS: Record<ProxyName, ProxyKind> = {
  nginx: {
    language: 'nginx',
    complete: (configuration, port, folder) => {
      const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (kind) => `${kind}_temp_path ${join(folder, kind)};`,
      );
      return `daemon off; pid ${join(folder, 'pid')}; error_log stderr;
        events {}
        http {
          access_log off; ${paths.join(' ')} types { text/html html; }
          ${configuration.replace(/listen \S+;/, `listen 127.0.0.1:${port};`)}
        }`;
    },
    getArguments: (file, folder) => ['-p', folder, '-c', file],
  },
  caddy: {
    language: 'caddyfile',
    complete: (configuration, port) =>
      `{\n  admin off\n}\n${configuration.replace('shop.example', `http://127.0.0.1:${port}`)}`,
    getArguments: (file) => ['run', '--config', file, '--adapter', 'caddyfile'],
  },
  haproxy: {
    language: 'haproxy',
    complete: (configuration, port) => configuration.replace('bind :80', `bind 127.0.0.1:${port}`),
    getArguments: (file) => ['-f', file],
  },
};

/** Returns a configuration of a proxy in the guide, by default the first one. */
export function getDocumentedConfiguration(name: ProxyName, index = 0): string {
  const blocks = GUIDE.matchAll(new RegExp(`^\`\`\`${KINDS[name].language}\n([^]*?)^\`\`\``, 'gm'));
  return [...blocks][index]![1]!;
}

/** Finds an installed proxy; outside CI, the tests of a missing one are skipped, with a message. */
export function findProxy(name: ProxyName): string | undefined {
  const found = findProgram(process.env[name.toUpperCase()], [name, `../sbin/${name}`]);
  if (!found) process.stderr.write(`skipped: ${name} not found, install with apt-get install ${name}\n`);
  return found;
}

/** A real proxy that listens on a free port. */
export class Proxy {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly port: number,
  ) {}

  /**
   * Starts a proxy with a configuration like that in the guide, and waits until it answers.
   *
   * @param name - the proxy
   * @param configuration - with the ports 3000 and 3001 for the instances
   * @param instancePorts - the ports to replace them with
   * @param page - the content of `503.html`
   */
  static async start(name: ProxyName, configuration: string, instancePorts: number[], page: string): Promise<Proxy> {
    const folder = mkdtempSync(join(tmpdir(), `${name}-`));
    // Processes of nginx that root starts run as another user.
    chmodSync(folder, 0o755);
    const port = await getPort();
    writeFileSync(join(folder, '503.html'), page);
    const file = join(folder, `${name}.conf`);
    const { complete, getArguments } = KINDS[name];
    writeFileSync(
      file,
      complete(configuration, port, folder)
        .replace(/127\.0\.0\.1:300([01])/g, (_address, index: string) => `127.0.0.1:${instancePorts[Number(index)]}`)
        .replaceAll('/srv/shop/errors', folder),
    );
    // Caddy writes its configuration below the home directory.
    const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
    const child = spawn(findProxy(name)!, getArguments(file, folder), { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    const proxy = new Proxy(child, folder, port);
    await until(`${name} answers`, async () => {
      if (child.exitCode !== null) throw new Error(`${name} exited: ${errors}`);
      return (await call(port, '/').catch(() => null)) !== null;
    });
    return proxy;
  }

  async stop(): Promise<void> {
    const closed = once(this.child, 'close');
    this.child.kill('SIGTERM');
    await closed;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
