import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderWith, run } from '../cli/program.js';
import { describeOnEachBackend, type Backend } from '../fleet/storage-backends.js';
import { until } from '../tools/waiting.js';
import { DemoProcess } from './demo-process.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'demo-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(['express', 'fastify'])('the demo application (%s)', (adapter) => {
  let demo: DemoProcess;

  const getStatus = async (path: string, init?: RequestInit): Promise<number> => (await demo.fetch(path, init)).status;
  const form = (body: string): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  });

  beforeAll(async () => {
    demo = new DemoProcess({ ADAPTER: adapter, MAINTENANCE_STORAGE: `file:${join(folder, adapter)}.json` });
    if ((await demo.start()) !== null) throw new Error(demo.printed);
  }, 30_000);

  afterEach(() => demo.turn('off', { all: true }));
  afterAll(() => demo.stop());

  it('prints its URL, its state file and how to turn maintenance on', () => {
    expect(demo.printed).toContain(`(${adapter})`);
    expect(demo.printed).toContain(`State:            ${join(folder, adapter)}.json`);
    expect(demo.printed).toContain('npm run maintenance -- on');
  });

  it('serves all routes while maintenance is off', async () => {
    const { status, html } = await demo.page('/');
    expect([status, html.includes('Teapot'), html.includes('banner')]).toEqual([200, true, false]);
    expect(await (await demo.fetch('/api/products/1')).json()).toMatchObject({ name: 'Teapot' });
    const order = await demo.post('/api/orders', { product: 2, quantity: 3 });
    expect(order.status).toBe(201);
    const { number, total } = (await order.json()) as { number: number; total: number };
    expect(total).toBe(17_700);
    expect(await (await demo.post('/api/payments', { order: number })).json()).toMatchObject({ isPaid: true });
    expect((await demo.page('/orders', form('product=1'))).html).toContain('Thank you');
    expect((await demo.page('/pay', form(`order=${number}`))).html).toContain('is paid');
    expect(await getStatus('/assets/teapot.svg')).toBe(200);
    expect(await getStatus('/assets/none.svg')).toBe(404);
    expect((await demo.post('/api/orders', { product: 9 })).status).toBe(404);
    expect((await demo.post('/api/orders', { product: 1, quantity: 0 })).status).toBe(400);
  });

  it('has a route with @ForceMaintenance()', async () => {
    expect(await getStatus('/api/reports/turnover')).toBe(503);
  });

  it('serves the panel, and names its URL', async () => {
    const response = await demo.fetch('/maintenance-mode/panel');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(demo.printed).toContain('/maintenance-mode/panel');
  });

  it('requires the token for the admin endpoints', async () => {
    const response = await demo.post('/maintenance-mode/on', {});
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /);
  });

  it('refuses requests except exempt ones during a full window', async () => {
    const endsAt = new Date(Date.now() + 600_000).toISOString();
    await demo.turn('on', { message: 'Back at <four>', endsAt });
    const json = await demo.fetch('/api/products');
    expect(json.status).toBe(503);
    expect(json.headers.get('content-type')).toContain('application/problem+json');
    expect(Number(json.headers.get('retry-after'))).toBeGreaterThan(590);
    expect(json.headers.get('cache-control')).toBe('no-store');
    expect(await json.json()).toMatchObject({ detail: 'Back at <four>', endsAt, mode: 'full' });
    const page = await demo.page('/');
    expect([page.status, page.html.includes('Back at &lt;four&gt;')]).toEqual([503, true]);

    expect(await getStatus('/assets/teapot.svg')).toBe(503);
    expect(await getStatus('/nothing')).toBe(503);
    expect(await getStatus('/api/orders', { ...form('{'), headers: { 'content-type': 'application/json' } })).toBe(503);
    expect(await getStatus('/api/reports/turnover')).toBe(503);

    expect(await getStatus('/health')).toBe(200);
    expect(await getStatus('/webhooks/courier', { method: 'POST' })).toBe(202);
    expect(await getStatus('/assets/shop.css')).toBe(200);
    const status = await demo.page('/status');
    expect(status.status).toBe(200);
    expect(status.html).toContain('<strong>The shop is closed</strong>');
    expect(status.html).toContain('<q>Back at &lt;four&gt;</q>');

    await demo.turn('off');
    expect((await demo.page('/')).status).toBe(200);
    expect((await demo.page('/status')).html).not.toContain('banner');
  });

  it('admits reads during a read-only window', async () => {
    await demo.turn('on', { mode: 'read-only' });
    expect((await demo.page('/')).html).toContain('<strong>The shop is read-only</strong>');
    expect((await demo.post('/api/products/search', { words: 'ash' })).status).toBe(200);
    expect((await demo.post('/api/orders', { product: 1 })).status).toBe(503);
    expect(await demo.page('/orders', form('product=1'))).toMatchObject({ status: 503 });
  });

  it('refuses only payments during a window on the payments', async () => {
    await demo.turn('on', { scope: 'payments' });
    expect((await demo.page('/')).html).toContain('<strong>The part “payments” is closed</strong>');
    expect(await getStatus('/api/payments/methods')).toBe(503);
    expect(await getStatus('/pay', form('order=1001'))).toBe(503);
    expect((await demo.post('/api/orders', { product: 1 })).status).toBe(201);
  });

  it('announces a planned window', async () => {
    await demo.turn('on', { startsAt: '2099-12-01T02:00Z', endsAt: '2099-12-01T03:00Z', message: 'New till' });
    const { status, html } = await demo.page('/');
    expect(status).toBe(200);
    expect(html).toContain('from Tue, 01 Dec 2099 02:00 UTC until Tue, 01 Dec 2099 03:00 UTC.');
    expect(html).toContain('<q>New till</q>');
  });
});

describeOnEachBackend('three demo instances with one storage', ({ notifies, open }) => {
  let backend: Backend;
  let demos: DemoProcess[];

  beforeAll(async () => {
    backend = await open();
    demos = ['express', 'express', 'fastify'].map(
      (adapter) =>
        new DemoProcess({
          ADAPTER: adapter,
          MAINTENANCE_STORAGE: backend.url,
          // Where the storage notifies of changes, only that can be in time.
          ...(notifies && { MAINTENANCE_REFRESH_INTERVAL: '600000' }),
          ...backend.env,
        }),
    );
    for (const demo of demos) if ((await demo.start()) !== null) throw new Error(demo.printed);
  }, 60_000);

  afterAll(async () => {
    await Promise.all(demos.map((demo) => demo.stop()));
    await backend.close();
  });

  it('apply changes of the command line', async () => {
    const cwd = folderWith();
    const env = { MAINTENANCE_STORAGE: backend.url, ...backend.env };
    for (const [command, expected] of [
      ['on', 503],
      ['off', 200],
    ] as const) {
      expect(await run([command], { cwd, env })).toMatchObject({ code: 0 });
      const getStatuses = () => Promise.all(demos.map(async (demo) => (await demo.fetch('/')).status));
      await until(`all respond with ${expected}`, async () =>
        (await getStatuses()).every((status) => status === expected),
      );
    }
  });
});

it.each([
  [{ ADAPTER: 'koa' }, 'ADAPTER must be express or fastify, not "koa".\n'],
  [{ PORT: '70000' }, 'PORT must be 0 to 65535, not "70000".\n'],
])('the demo does not start with %j', async (environment, sentence) => {
  const demo = new DemoProcess(environment);
  expect(await demo.start()).toBe(1);
  expect(demo.printed).toBe(sentence);
});
