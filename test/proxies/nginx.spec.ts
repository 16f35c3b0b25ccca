import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get } from '@nestjs/common';
import { SkipMaintenance } from 'nestjs-maintenance';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { call, type Reply } from '../e2e/client.js';
import { until } from '../tools/waiting.js';
import { findProxy, getDocumentedConfiguration, Proxy } from './proxy.js';

const TOKEN = 'a-token-of-sixteen-chars';
const nginx = findProxy('nginx');
const DOCUMENTED = getDocumentedConfiguration('nginx');
/** The page of nginx itself. */
const PAGE = '<!doctype html><title>nginx</title>';

@Controller()
class ShopController {
  @Get('browse')
  browse(): string {
    return 'open';
  }
  @Get('livez')
  live(): string {
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

(nginx ? describe.each(ADAPTERS) : describe.skip.each(ADAPTERS))('an application behind nginx (%s)', (adapter) => {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'));
  let processes: Running[];
  let proxy: Proxy | undefined;

  beforeAll(async () => {
    const options = { storage: `file:${join(folder, 'state.json')}`, adminToken: TOKEN, refreshInterval: 100 };
    const setup = { options, extras: { admin: true }, controllers: [ShopController] };
    processes = [await start(adapter, setup), await start(adapter, setup)];
  });
  afterEach(async () => {
    await proxy?.stop();
    proxy = undefined;
    await processes[0]!.maintenance.disable({ all: true });
  });
  afterAll(async () => {
    for (const running of processes) await running.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function startNginx(configuration: string): Promise<void> {
    const ports = processes.map(({ port }) => port);
    proxy = await Proxy.start('nginx', configuration, ports, PAGE);
  }

  function send(path: string, method = 'GET'): Promise<Reply> {
    const headers: Record<string, string> = method === 'POST' ? { authorization: `Bearer ${TOKEN}` } : {};
    return call(proxy!.port, path, { method, headers });
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
    expect((await send('/livez')).status).toBe(200);
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

  it('is replaced by the page of nginx if nginx counts its 503 as failures', async () => {
    await startNginx(DOCUMENTED.replace(/error timeout;/, 'error timeout http_503;'));
    await enable();
    expect((await send('/browse')).text).toContain('Back at four');
    expect((await send('/browse')).text).toBe(PAGE);
    expect((await send('/livez')).text).toBe(PAGE);
    expect((await send('/maintenance-mode/off', 'POST')).text).toBe(PAGE);
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
