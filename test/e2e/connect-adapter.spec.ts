import { tmpdir } from 'node:os';
import { Body, Controller, Get, Header, Param, Post, Query, Render } from '@nestjs/common';
import { WebSocketServer } from 'ws';
import { ForceMaintenance, SkipMaintenance, useMaintenance, type EnableOptions } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { run as runProgram } from '../cli/program.js';
import { TIMEOUT_MS } from '../tools/waiting.js';
import { start, type Running, type Setup } from './application.js';
import { NodeLikeAdapter } from './node-like-adapter.js';
import { upgrade } from './socket-clients.js';
import { waitUntilDrainBlockedBy, BlockingHandlers } from './blocking-handlers.js';

const TOKEN = 'the-token-of-the-test';
const JSON_TYPE = { 'content-type': 'application/json' };
let handlers = new BlockingHandlers();

@Controller()
class ShopController {
  @Get('orders/:id')
  order(@Param('id') id: string): string {
    return `order ${id}`;
  }

  @SkipMaintenance()
  @Get('orders/latest')
  latest(): string {
    return 'the latest';
  }

  @Post('orders')
  create(@Body() body: object): object {
    return body;
  }

  @SkipMaintenance()
  @Get('open')
  open(): string {
    return 'open';
  }

  @ForceMaintenance()
  @Get('closed')
  closed(): string {
    return 'closed';
  }

  @Get('slow/:name')
  slow(@Param('name') name: string): Promise<string> {
    return handlers.block(name);
  }

  @SkipMaintenance()
  @Header('Content-Type', 'text/plain')
  @Render('page')
  @Get('page')
  page(@Query('own') own?: string): object {
    return own === undefined ? {} : { maintenanceMode: own };
  }
}

describe('an HTTP adapter with connect middleware', () => {
  let running: Running;
  let adapter: NodeLikeAdapter;

  async function startWith(setup: Setup = {}): Promise<Running> {
    adapter = new NodeLikeAdapter();
    running = await start('express', { server: adapter, controllers: [ShopController], ...setup });
    return running;
  }

  beforeEach(() => (handlers = new BlockingHandlers()));
  afterEach(async () => {
    handlers.close();
    await running.close();
  });

  it('serves the public status, also in a window', async () => {
    const { call, maintenance, port } = await startWith({ extras: { publicStatus: true } });
    await maintenance.enable({ message: 'Back at four' });
    const reply = await call('/maintenance-status?scope=orders');
    expect(reply).toMatchObject({ status: 200, headers: { 'cache-control': 'public, max-age=5' } });
    expect(reply.json()).toMatchObject({ active: true, message: 'Back at four' });
    const stream = await fetch(`http://127.0.0.1:${port}/maintenance-status/events`);
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    await stream.body!.cancel();
  });

  it('responds as without the module while maintenance is off', async () => {
    const { call } = await startWith();
    expect((await call('/orders/7')).text).toBe('order 7');
    expect((await call('/unknown')).status).toBe(404);
    const body = JSON.stringify({ item: 1 });
    expect((await call('/orders', { method: 'POST', headers: JSON_TYPE, body })).json()).toEqual({ item: 1 });
    expect((await call('/orders', { method: 'POST', headers: JSON_TYPE, body: '{' })).status).toBeGreaterThanOrEqual(
      400,
    );
    expect((await call('/closed')).status).toBe(503);
  });

  it.each([
    ['a handler', '/orders/7', 'GET'],
    ['HEAD of a handler', '/orders/7', 'HEAD'],
    ['a handler with a body', '/orders', 'POST'],
    ['an unknown URL', '/unknown', 'GET'],
    ['an unknown URL with a body', '/unknown', 'POST'],
    ['a method that the path does not support', '/open', 'DELETE'],
    ['a path that is not normalized', '//open', 'GET'],
    ['a path that cannot be decoded', '/%zz', 'GET'],
    ['an absolute URL', 'http://localhost/orders/7', 'GET'],
    ['a path handled by middleware', '/rpc/pay', 'GET'],
  ])('refuses %s during a full window', async (_name, path, method) => {
    const { call, maintenance } = await startWith({
      main: (app) => {
        useMaintenance(app);
        app.use('/rpc', (_request: unknown, response: { end(text: string): void }) => response.end('paid'));
      },
    });
    await maintenance.enable({ message: 'Back at four' });
    const headers = method === 'POST' ? JSON_TYPE : undefined;
    const reply = await call(path, { method, headers, ...(headers && { body: '{' }) });
    expect(reply).toMatchObject({
      status: 503,
      headers: { 'retry-after': '3600', 'maintenance-mode': 'full;scope="*"' },
    });
    if (method !== 'HEAD') expect(reply.json()).toMatchObject({ status: 503, message: 'Back at four' });
    expect(adapter.bodiesRead).toBe(0);
    await maintenance.disable();
    expect((await call('/orders/7')).text).toBe('order 7');
  });

  it('sends the page to browsers', async () => {
    const { call, maintenance } = await startWith();
    await maintenance.enable();
    const reply = await call('/unknown', { headers: { accept: 'text/html' } });
    expect(reply).toMatchObject({ status: 503, headers: { 'content-type': 'text/html; charset=utf-8' } });
  });

  it('follows the decorators of the first matching route', async () => {
    const { call, maintenance } = await startWith();
    await maintenance.enable();
    expect((await call('/open')).text).toBe('open');
    // The first matching route handles the request; its handler has no decorator.
    expect((await call('/orders/latest')).status).toBe(503);
    expect((await call('/closed')).status).toBe(503);
  });

  it.each<[string, Setup, EnableOptions, Record<string, string>, number]>([
    ['an exempt address', { options: { exempt: { ips: ['127.0.0.1'] } } }, {}, {}, 404],
    ['an exempt URL', { options: { exempt: { urls: ['/api/unknown'] } } }, {}, {}, 404],
    ['another URL', { options: { exempt: { urls: ['/unknown'] } } }, {}, {}, 503],
    [
      'an exempt role',
      { options: { exempt: { roles: ['staff'], user: getUser as never } } },
      {},
      { role: 'staff' },
      404,
    ],
    ['another role', { options: { exempt: { roles: ['staff'], user: getUser as never } } }, {}, { role: 'guest' }, 503],
    ['a read-only window', {}, { mode: 'read-only' }, {}, 404],
    ['mount.edge: false', { extras: { mount: { edge: false } } }, {}, {}, 404],
  ])('decides on an unknown URL below a global prefix: %s', async (_name, setup, window, headers, status) => {
    const { call, maintenance } = await startWith({ ...setup, main: (app) => void app.setGlobalPrefix('api') });
    await maintenance.enable(window);
    expect((await call('/api/unknown', { headers })).status).toBe(status);
  });

  it('admits users with an exempt role to a handler', async () => {
    const exempt = { roles: ['staff'], user: getUser as never };
    const { call, maintenance } = await startWith({ options: { exempt } });
    await maintenance.enable();
    expect((await call('/orders/7', { headers: { role: 'staff' } })).text).toBe('order 7');
    expect((await call('/orders/7', { headers: { role: 'guest' } })).status).toBe(503);
  });

  it('supports the admin endpoints', async () => {
    const { call } = await startWith({ options: { adminToken: TOKEN }, extras: { admin: true } });
    const post = (path: string, body?: string) =>
      call(`/maintenance-mode/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, ...(body !== undefined && JSON_TYPE) },
        body,
      });
    expect((await post('on', '{"message":"now"}')).json()).toMatchObject({ active: true });
    expect((await call('/orders/7')).json()).toMatchObject({ message: 'now' });
    expect((await post('off')).json()).toMatchObject({ active: false });
  });

  it('passes the status to views unless they define members of the same names', async () => {
    const { call, maintenance } = await startWith();
    const seen = async (path = '/page') => JSON.parse((await call(path)).text.replace('page: ', ''));
    expect(await seen()).toMatchObject({ maintenanceMode: false, maintenance: { active: false } });
    await maintenance.enable();
    expect(await seen()).toMatchObject({ maintenanceMode: true, maintenance: { active: true } });
    expect(await seen('/page?own=mine')).toMatchObject({ maintenanceMode: 'mine' });
  });

  it('counts requests as in-flight until their handlers have finished', async () => {
    const { call, maintenance, stateFile } = await startWith();
    const reply = call('/slow/report');
    await handlers.waitUntilStarted('report');
    await maintenance.enable();
    await waitUntilDrainBlockedBy(maintenance, 'GET /slow/:name');
    const wait = ['on', '--wait', '--timeout', '1s', '--storage', `file:${stateFile}`];
    expect((await runProgram(wait, { cwd: tmpdir() })).code).toBe(4);
    handlers.finish('report');
    expect((await reply).text).toBe('report is done');
    await expect(maintenance.drained()).resolves.toMatchObject({ drained: true, pending: [] });
  });

  it('counts handlers as in-flight after their client has disconnected', async () => {
    const { app, call, maintenance } = await startWith({ options: { storage: new MemoryStateStorage() } });
    const reply = call('/slow/report').catch(() => 'gone');
    await handlers.waitUntilStarted('report');
    (app.getHttpServer() as { closeAllConnections(): void }).closeAllConnections();
    expect(await reply).toBe('gone');
    await maintenance.enable();
    await waitUntilDrainBlockedBy(maintenance, 'GET /slow/:name');
    handlers.finish('report');
    expect(await maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({ drained: true });
  });

  it('refuses upgrades outside of gateways', async () => {
    const { port, maintenance } = await startWith({
      main: (app) => void new WebSocketServer({ server: app.getHttpServer() as never }),
    });
    expect(await upgrade(port, '/live')).toMatchObject({ status: 101 });
    await maintenance.enable();
    expect(await upgrade(port, '/live')).toMatchObject({ status: 503 });
  });
});

function getUser({ headers }: { headers: Record<string, string> }): { role?: string } {
  return { role: headers.role };
}
