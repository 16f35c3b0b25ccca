import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Controller, Get } from '@nestjs/common';
import { SkipMaintenance } from 'nestjs-maintenance';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { call, type Reply } from '../e2e/client.js';
import getPort from 'get-port';
import { findProgram } from '../tools/programs.js';
import { until } from '../tools/waiting.js';

const TOKEN = 'a-token-of-sixteen-chars';
const nginx = findProgram(process.env.NGINX, ['nginx', '/usr/sbin/nginx']);
const isRequired = process.env.CI === 'true';
if (!nginx) process.stderr.write('skipped: nginx not found, install with apt-get install nginx\n');
/** The configuration in the guide, for an upstream with two processes. */
const DOCUMENTED = /```nginx\n([^]*?)```/.exec(
  readFileSync(resolve(__dirname, '../../docs/deployment.md'), 'utf8'),
)![1]!;

@Controller()
class ShopController {
  @Get('browse')
  browse(): string {
    return 'open';
  }
  @Get('health')
  health(): string {
    return 'ok';
  }
  @Get('auth')
  authorize(): string {
    return 'yes';
  }
  @SkipMaintenance()
  @Get('auth/exempt')
  authorizeAlways(): string {
    return 'yes';
  }
}

it('finds nginx in CI', () => {
  if (isRequired) expect(nginx).toBeDefined();
});

(nginx ? describe.each(ADAPTERS) : describe.skip.each(ADAPTERS))('an application behind nginx (%s)', (adapter) => {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'));
  let processes: Running[];
  let proxy: ChildProcess | undefined;
  let port: number;

  beforeAll(async () => {
    const options = { storage: `file:${join(folder, 'state.json')}`, adminToken: TOKEN, refreshInterval: 100 };
    const setup = { options, extras: { admin: true }, controllers: [ShopController] };
    processes = [await start(adapter, setup), await start(adapter, setup)];
  });
  afterEach(async () => {
    const ended = proxy && once(proxy, 'close');
    proxy?.kill('SIGTERM');
    await ended;
    proxy = undefined;
    await processes[0]!.maintenance.disable({ all: true });
  });
  afterAll(async () => {
    for (const running of processes) await running.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts nginx with this configuration, with the ports 80, 3000 and 3001 replaced by those of the test. */
  async function startNginx(configuration: string): Promise<void> {
    port = await getPort();
    const http = configuration
      .replace(/listen 80\b/, `listen 127.0.0.1:${port}`)
      .replace(/127\.0\.0\.1:300([01])/g, (_address, index: string) => `127.0.0.1:${processes[Number(index)]!.port}`);
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => `${kind}_temp_path ${join(folder, kind)};`,
    );
    const file = join(folder, 'nginx.conf');
    writeFileSync(
      file,
      `daemon off; pid ${join(folder, 'pid')}; error_log stderr;
      events {}
      http { access_log off; ${paths.join(' ')} ${http} }`,
    );
    let errors = '';
    const started = spawn(nginx!, ['-p', folder, '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    proxy = started;
    started.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    await until('nginx answers', async () => {
      if (started.exitCode !== null) throw new Error(errors);
      return (await send('/health').catch(() => null))?.status === 200;
    });
  }

  function send(path: string, method = 'GET'): Promise<Reply> {
    const headers: Record<string, string> = method === 'POST' ? { authorization: `Bearer ${TOKEN}` } : {};
    return call(port, path, { method, headers });
  }

  async function enable(): Promise<void> {
    const [first, second] = processes as [Running, Running];
    await first.maintenance.enable({ message: 'Back at four' });
    await until('both processes refuse', () => second.maintenance.status().active);
  }

  async function expectOwnResponses(): Promise<void> {
    for (let requests = 0; requests < 4; requests++) {
      const reply = await send('/browse');
      expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '3600' } });
      expect(reply.text).toContain('Back at four');
    }
    expect((await send('/health')).status).toBe(200);
    expect((await send('/maintenance-mode/off', 'POST')).status).toBe(200);
  }

  it('sends its 503 to clients with the configuration in the guide', async () => {
    await startNginx(DOCUMENTED);
    await enable();
    await expectOwnResponses();
  });

  it('sends its 503 to clients with http_503 and max_fails=0', async () => {
    const [upstreams, rest] = [DOCUMENTED.replace(/(:300[01]);/g, '$1 max_fails=0;'), 'error timeout http_503;'];
    await startNginx(upstreams.replace(/error timeout;/, rest));
    await enable();
    await expectOwnResponses();
  });

  it('is replaced by a 502 of nginx if nginx counts its 503 as failures', async () => {
    await startNginx(DOCUMENTED.replace(/error timeout;/, 'error timeout http_503;'));
    await enable();
    expect((await send('/browse')).status).toBe(503);
    expect((await send('/browse')).status).toBe(502);
    expect((await send('/health')).status).toBe(502);
    expect((await send('/maintenance-mode/off', 'POST')).status).toBe(502);
  });

  it.each([
    ['/auth', 500],
    ['/auth/exempt', 503],
  ])('is the target of auth_request to %s, which causes status %i', async (path, status) => {
    const auth = `auth_request /check; location = /check { internal; proxy_pass http://shop${path}; } location / {`;
    await startNginx(DOCUMENTED.replace('location / {', auth).replace(/server_name .*;/, ''));
    await enable();
    const reply = await send('/browse');
    expect(reply.status).toBe(status);
    if (status === 503) expect(reply.text).toContain('Back at four');
  });
});
