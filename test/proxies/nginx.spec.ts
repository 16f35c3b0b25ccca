import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Controller, Get } from '@nestjs/common';
import { SkipMaintenance } from 'nestjs-maintenance';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { call, type Reply } from '../e2e/client.js';
import { findProgram, freePort } from '../tools/programs.js';
import { until } from '../tools/waiting.js';

const TOKEN = 'a-token-of-sixteen-chars';
const nginx = findProgram(process.env.NGINX, ['nginx', '/usr/sbin/nginx']);
const isRequired = process.env.CI === 'true';
if (!nginx) process.stderr.write('skipped: nginx not found, install with apt-get install nginx\n');
/** The configuration that the guide shows, of an upstream of two processes. */
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

it('finds nginx where nothing may be skipped', () => {
  if (isRequired) expect(nginx).toBeDefined();
});

(nginx ? describe.each(ADAPTERS) : describe.skip.each(ADAPTERS))('behind nginx, on %s', (adapter) => {
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

  /** Starts nginx with this configuration, in which it listens on 80 and the processes on 3000 and 3001. */
  async function serve(configuration: string): Promise<void> {
    port = await freePort();
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
      return (await ask('/health').catch(() => null))?.status === 200;
    });
  }

  function ask(path: string, method = 'GET'): Promise<Reply> {
    const headers: Record<string, string> = method === 'POST' ? { authorization: `Bearer ${TOKEN}` } : {};
    return call(port, path, { method, headers });
  }

  async function enable(): Promise<void> {
    const [first, second] = processes as [Running, Running];
    await first.maintenance.enable({ message: 'Back at four' });
    await until('both refuse', () => second.maintenance.status().active);
  }

  async function expectAnswers(): Promise<void> {
    for (let visits = 0; visits < 4; visits++) {
      const reply = await ask('/browse');
      expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '3600' } });
      expect(reply.text).toContain('Back at four');
    }
    expect((await ask('/health')).status).toBe(200);
    expect((await ask('/maintenance-mode/off', 'POST')).status).toBe(200);
  }

  it('visitors get our answer with the configuration of the guide', async () => {
    await serve(DOCUMENTED);
    await enable();
    await expectAnswers();
  });

  it('visitors get our answer with http_503 if nginx counts no failures', async () => {
    const [upstreams, rest] = [DOCUMENTED.replace(/(:300[01]);/g, '$1 max_fails=0;'), 'error timeout http_503;'];
    await serve(upstreams.replace(/error timeout;/, rest));
    await enable();
    await expectAnswers();
  });

  it('nginx answers everything with 502 where it counts our answers as failures', async () => {
    await serve(DOCUMENTED.replace(/error timeout;/, 'error timeout http_503;'));
    await enable();
    expect((await ask('/browse')).status).toBe(503);
    expect((await ask('/browse')).status).toBe(502);
    expect((await ask('/health')).status).toBe(502);
    expect((await ask('/maintenance-mode/off', 'POST')).status).toBe(502);
  });

  it.each([
    ['/auth', 500],
    ['/auth/exempt', 503],
  ])('auth_request to %s leads to %i', async (path, status) => {
    const auth = `auth_request /check; location = /check { internal; proxy_pass http://shop${path}; } location / {`;
    await serve(DOCUMENTED.replace('location / {', auth).replace(/server_name .*;/, ''));
    await enable();
    const reply = await ask('/browse');
    expect(reply.status).toBe(status);
    if (status === 503) expect(reply.text).toContain('Back at four');
  });
});
