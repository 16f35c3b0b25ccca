import { Controller, Get, Post, Res, Sse, UseInterceptors, type MessageEvent } from '@nestjs/common';
import {
  InvalidWindowError,
  MaintenanceInterceptor,
  MaintenanceScope,
  type EnableOptions,
  type MaintenanceStatus,
} from 'nestjs-maintenance';
import { BehaviorSubject, type Observable } from 'rxjs';
import { ADAPTERS, start, type Adapter, type Running, type Setup } from './application.js';
import type { Call, Reply } from './client.js';
import { CatsResolver, createGraphqlModule } from './graphql/cats.js';

const TOKEN = 'a-token-of-24-characters';
const AT_OFFICE = { 'x-forwarded-for': '203.0.113.9' };
const OFFICE = '203.0.113.0/24';

@Controller()
class ShopController {
  @Get('shop')
  shop(): string {
    return 'shop';
  }

  @Get('raw')
  raw(@Res() response: { send: (body: string) => void; header: (name: string, value: string) => void }): void {
    response.header('Cache-Control', 'public, max-age=3600');
    response.send('raw');
  }

  @UseInterceptors(MaintenanceInterceptor)
  @Get('locals')
  locals(@Res() response: { locals: { maintenance: unknown }; send: (body: unknown) => void }): void {
    response.send(response.locals.maintenance);
  }

  @MaintenanceScope('payments')
  @Post('pay')
  pay(): string {
    return 'paid';
  }

  @Sse('events')
  events(): Observable<MessageEvent> {
    return new BehaviorSubject<MessageEvent>({ data: 'hello' });
  }
}

/** Makes an adapter believe the forwarding headers of this machine. */
function trustProxy(adapter: Adapter): Setup {
  if (adapter === 'fastify') return { fastify: { trustProxy: '127.0.0.1' } };
  const set = (app: object): void => (app as { set: (k: string, v: string) => void }).set('trust proxy', 'loopback');
  return { main: (app) => set(app) };
}

describe.each(ADAPTERS)('`allowIps` of a window (%s)', (adapter) => {
  let running: Running;

  beforeAll(async () => {
    running = await start(adapter, {
      controllers: [ShopController],
      imports: [createGraphqlModule()],
      providers: [CatsResolver],
      options: { adminToken: TOKEN, exempt: { probes: false } },
      extras: { admin: true },
      ...trustProxy(adapter),
    });
  });
  afterEach(() => running.maintenance.disable({ all: true }));
  afterAll(() => running.close());

  const enable = (window: EnableOptions): Promise<MaintenanceStatus> => running.maintenance.enable(window);
  const from = (address: string, path: string, call: Call = {}): Promise<Reply> =>
    running.call(path, { ...call, headers: { 'x-forwarded-for': address, ...call.headers } });
  const getStatus = async (address: string, path = '/shop', method = 'GET'): Promise<number> =>
    (await from(address, path, { method })).status;

  it('admits the addresses that it names, and no others', async () => {
    await enable({ allowIps: [OFFICE, '198.51.100.7', '2001:db8::/32'] });
    for (const address of ['203.0.113.9', '198.51.100.7', '::ffff:203.0.113.9', '2001:db8::1']) {
      expect([address, await getStatus(address)]).toEqual([address, 200]);
    }
    for (const address of ['203.0.114.9', '198.51.100.8', '::1', '2001:db9::1', 'unknown']) {
      expect([address, await getStatus(address)]).toEqual([address, 503]);
    }
    expect((await running.call('/shop')).status).toBe(503);
  });

  it.each([
    ['GET', '/shop', 200],
    ['GET', '/raw', 200],
    ['POST', '/pay', 201],
    ['GET', '/nothing', 404],
  ])('keeps shared caches from storing the answer to %s %s', async (method, path, status) => {
    await enable({ allowIps: [OFFICE] });
    const reply = await from('203.0.113.9', path, { method });
    expect(reply).toMatchObject({ status, headers: { 'cache-control': 'private, no-store' } });
    expect(await getStatus('192.0.2.1', path, method)).toBe(503);
  });

  it('leaves the answers alone that no window covers', async () => {
    await enable({ scope: 'payments', allowIps: [OFFICE] });
    const reply = await from('203.0.113.9', '/raw');
    expect(reply).toMatchObject({ status: 200, headers: { 'cache-control': 'public, max-age=3600' } });
  });

  it('counts for its own window only: another one that covers the request refuses it', async () => {
    await enable({ allowIps: [OFFICE], endsAt: new Date(Date.now() + 7_200_000) });
    await enable({ scope: 'payments', message: 'Moving payments', retryAfter: 60 });
    expect(await getStatus('203.0.113.9')).toBe(200);
    const refused = await from('203.0.113.9', '/pay', { method: 'POST' });
    // The window that ends later does not refuse this client, so it does not say when to come back.
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '60' } });
    expect(refused.json()).toMatchObject({ scope: 'payments', detail: 'Moving payments' });
    await enable({ scope: 'payments', allowIps: ['203.0.113.9'] });
    expect(await getStatus('203.0.113.9', '/pay', 'POST')).toBe(201);
  });

  it('admits operations of GraphQL', async () => {
    await enable({ allowIps: [OFFICE] });
    const ask = (headers: Record<string, string>): Promise<Reply> =>
      running.call('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query: '{ cats }' }),
      });
    const admitted = await ask(AT_OFFICE);
    expect(admitted).toMatchObject({ status: 200, headers: { 'cache-control': 'private, no-store' } });
    expect(admitted.json()).toMatchObject({ data: { cats: expect.anything() as unknown } });
    expect((await ask({})).status).toBe(503);
  });

  it('keeps event streams open until their address is removed', async () => {
    const chunks: string[] = [];
    const response = await fetch(`http://127.0.0.1:${running.port}/events`, { headers: AT_OFFICE });
    const ended = (async () => {
      for await (const chunk of response.body!) chunks.push(Buffer.from(chunk as Uint8Array).toString());
    })();
    await enable({ allowIps: [OFFICE] });
    expect(await getStatus('203.0.113.9', '/shop')).toBe(200);
    expect(chunks.join('')).not.toContain('maintenance');
    await enable({ allowIps: ['198.51.100.7'] });
    await ended;
    expect(chunks.join('')).toContain('event: maintenance');
    expect((await from('203.0.113.9', '/events')).status).toBe(503);
  });

  it('is replaced when it is given, kept when it is not, and cleared by null or an empty list', async () => {
    const { windows } = await enable({ allowIps: [OFFICE] });
    const { id } = windows.active[0]!;
    const getAllowed = (): unknown => running.maintenance.status().windows.active.map(({ allowIps }) => allowIps);
    await enable({ message: 'Back at four' });
    expect(getAllowed()).toEqual([[OFFICE]]);
    await enable({ allowIps: [' 198.51.100.7', '198.51.100.7'] });
    expect(getAllowed()).toEqual([['198.51.100.7']]);
    expect([await getStatus('203.0.113.9'), await getStatus('198.51.100.7')]).toEqual([503, 200]);
    const { revision } = running.maintenance.status();
    expect((await enable({ allowIps: ['198.51.100.7'] })).revision).toBe(revision);
    await enable({ allowIps: null });
    expect(getAllowed()).toEqual([undefined]);
    await enable({ allowIps: [OFFICE] });
    expect(await enable({ allowIps: [] })).toMatchObject({ windows: { active: [{ id, message: 'Back at four' }] } });
    expect(getAllowed()).toEqual([undefined]);
    expect(await getStatus('203.0.113.9')).toBe(503);
  });

  it.each([
    ['10.0.0.300', /`allowIps`.*"10\.0\.0\.300" is neither an IP address nor a CIDR block/],
    ['10.0.0.0/33', /"10\.0\.0\.0\/33"/],
    [7, /`allowIps`: 7 is neither/],
  ])('rejects %j with the value in the message', async (entry, message) => {
    await expect(enable({ allowIps: [OFFICE, entry as string] })).rejects.toThrow(message);
    await expect(enable({ allowIps: [entry as string] })).rejects.toThrow(InvalidWindowError);
    const reply = await post({ allowIps: [entry] });
    expect([reply.status, reply.json().message]).toEqual([400, expect.stringMatching(message)]);
    expect(running.maintenance.status().active).toBe(false);
  });

  it('rejects a list that is none, and more than 100 entries', async () => {
    await expect(enable({ allowIps: OFFICE as never })).rejects.toThrow('`allowIps` must be an array');
    const many = Array.from({ length: 101 }, (_, index) => `10.0.${index}.0/24`);
    await expect(enable({ allowIps: many })).rejects.toThrow('`allowIps` has 101 entries');
    await enable({ allowIps: many.slice(1) });
    expect(await getStatus('10.0.100.1')).toBe(200);
  });

  it('is shown to operators only', async () => {
    await enable({ allowIps: [OFFICE], message: 'Back at four' });
    const [json, page] = await Promise.all(
      ['application/json', 'text/html'].map((accept) => running.call('/shop', { headers: { accept } })),
    );
    for (const reply of [json!, page!]) {
      expect(reply.text).toContain('Back at four');
      expect(reply.text + JSON.stringify(reply.headers)).not.toContain('203.0.113');
    }
    const view = (await from('203.0.113.9', '/locals')).json<MaintenanceStatus>().windows.active;
    expect(view).toEqual([expect.objectContaining({ message: 'Back at four' })]);
    expect(view[0]).not.toHaveProperty('allowIps');
    const status = await running.call('/maintenance-mode', { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(status.json<MaintenanceStatus>().windows.active[0]!.allowIps).toEqual([OFFICE]);
  });

  it('applies to the window of during()', async () => {
    const statuses = await running.maintenance.during(
      async () => [await getStatus('203.0.113.9'), await getStatus('192.0.2.1')],
      { allowIps: [OFFICE] },
    );
    expect(statuses).toEqual([200, 503]);
  });

  function post(body: object, headers: Record<string, string> = AT_OFFICE): Promise<Reply> {
    return running.call('/maintenance-mode/on', {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  }

  describe('with `allowMe` of the admin endpoint', () => {
    const getAllowed = (reply: Reply): unknown => reply.json<MaintenanceStatus>().windows.active[0]?.allowIps;

    it('admits the caller by the address that the trusted proxy passes', async () => {
      expect(getAllowed(await post({ allowMe: true, message: 'Back at four' }))).toEqual(['203.0.113.9']);
      expect([await getStatus('203.0.113.9'), await getStatus('203.0.113.10')]).toEqual([200, 503]);
    });

    it('adds the address to those that are given, or that the window admits already', async () => {
      const first = await post({ allowMe: true, allowIps: ['198.51.100.7'] });
      expect(getAllowed(first)).toEqual(['198.51.100.7', '203.0.113.9']);
      const second = await post({ allowMe: true }, { 'x-forwarded-for': '::ffff:203.0.113.10' });
      expect(getAllowed(second)).toEqual(['198.51.100.7', '203.0.113.9', '203.0.113.10']);
      const again = await post({ allowMe: true });
      expect(again.json().revision).toBe(second.json().revision);
    });

    it('adds nothing if it is false', async () => {
      expect(getAllowed(await post({ allowMe: false }))).toBeUndefined();
    });

    it.each([1, 'yes', null])('rejects %j', async (allowMe) => {
      const reply = await post({ allowMe });
      expect([reply.status, reply.json().message]).toEqual([400, expect.stringContaining('`allowMe` must be')]);
    });
  });
});

describe.each(ADAPTERS)('`allowMe` without a trusted proxy (%s)', (adapter) => {
  let running: Running;
  beforeAll(async () => {
    running = await start(adapter, { options: { adminToken: TOKEN }, extras: { admin: true } });
  });
  afterAll(() => running.close());

  const allowMe = (headers: Record<string, string> = {}): Promise<Reply> =>
    running.call('/maintenance-mode/on', {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      body: '{"allowMe":true}',
    });

  it('admits a caller without a proxy', async () => {
    expect((await allowMe()).json<MaintenanceStatus>().windows.active[0]!.allowIps).toEqual(['127.0.0.1']);
    await running.maintenance.disable();
  });

  it('rejects a caller behind a proxy, whose address would admit all clients', async () => {
    const reply = await allowMe(AT_OFFICE);
    expect([reply.status, reply.json().message]).toEqual([
      400,
      expect.stringContaining('127.0.0.1 is the address of a'),
    ]);
    expect(running.maintenance.status().active).toBe(false);
  });
});
