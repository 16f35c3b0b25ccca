import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import fastifyCookie from '@fastify/cookie';
import fastifyCors from '@fastify/cors';
import fastifyHelmet from '@fastify/helmet';
import fastifySession, { type FastifySessionOptions } from '@fastify/session';
import type { INestApplication } from '@nestjs/common';
import type { FastifyInstance, FastifyPluginCallback } from 'fastify';
import type { MaintenanceModuleOptions } from 'nestjs-maintenance';
import { createClient } from 'redis';
import { start, type Running } from './application.js';
import { CatsController, HealthController, OpenController } from './controllers.js';

const COOKIE = { cookie: 'sessionId=abc' };
const ORIGIN = 'https://shop.example.com';
const PREFLIGHT = { method: 'OPTIONS', headers: { origin: ORIGIN, 'access-control-request-method': 'POST' } };
const NEVER = new Promise<never>(() => undefined);

type Hook = Parameters<FastifyInstance['addHook']>[1];
type FastifyApplication = INestApplication & { register: (plugin: unknown, options?: object) => Promise<unknown> };

const instanceOf = (app: INestApplication): FastifyInstance => app.getHttpAdapter().getInstance() as FastifyInstance;

/** Registers a hook as a plugin does that is made with fastify-plugin. */
function pluginWith(hook: Hook): FastifyPluginCallback {
  const plugin: FastifyPluginCallback = (instance, _options, done) => {
    instance.addHook('onRequest', hook as never);
    done();
  };
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}

describe('maintenance on Fastify', () => {
  const closing: (() => Promise<unknown>)[] = [];
  const startActive = async (
    register: (app: FastifyApplication) => unknown,
    options: MaintenanceModuleOptions = {},
  ): Promise<Running> => {
    const running = await start('fastify', {
      controllers: [CatsController, OpenController, HealthController],
      options,
      main: async (app) => void (await register(app as FastifyApplication)),
    });
    closing.push(() => running.close());
    await running.maintenance.enable();
    return running;
  };
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const hooks: [string, Hook][] = [
    ['answers by itself', (_request: unknown, reply: { send: (body: string) => void }) => reply.send('a hook')],
    [
      "answers through Node's response",
      (_request: unknown, reply: { raw: { end: (body: string) => void } }) => void reply.raw.end('a hook'),
    ],
    ['rejects', () => Promise.reject(new Error('Connection is closed.'))],
    [
      'throws',
      () => {
        throw new Error('Connection is closed.');
      },
    ],
    ['never ends', () => NEVER],
  ] as [string, Hook][];

  describe.each(hooks)('with an onRequest hook that %s', (_name, hook) => {
    const registered: [string, (app: FastifyApplication) => unknown][] = [
      ['of a plugin', (app) => app.register(pluginWith(hook))],
      ['of the root instance', (app) => instanceOf(app).addHook('onRequest', hook as never)],
      [
        'that a plugin adds to each route',
        (app) =>
          instanceOf(app).addHook('onRoute', (route) => {
            route.onRequest = hook as never;
          }),
      ],
    ];
    it.each(registered)('refuses before the hook %s', async (_place, register) => {
      const { call } = await startActive(register);
      for (const path of ['/cats', '/nowhere', '/cats?a=b'])
        for (const method of ['GET', 'POST', 'HEAD'])
          expect([path, method, await call(path, { method, headers: COOKIE })]).toEqual([
            path,
            method,
            expect.objectContaining({
              status: 503,
              headers: expect.objectContaining({ 'retry-after': '3600', 'cache-control': 'no-store' }),
            }),
          ]);
    });

    it('refuses an unknown URL before the hook where a role could admit', async () => {
      const { call } = await startActive((app) => app.register(pluginWith(hook)), { exempt: { roles: ['staff'] } });
      expect((await call('/nowhere', { headers: COOKIE })).status).toBe(503);
    });
  });

  it('runs the onRequest hooks of plugins for what it admits', async () => {
    const seen: string[] = [];
    const { call, maintenance } = await startActive(
      (app) =>
        app.register(
          pluginWith(((request: { url: string }, _reply: unknown, done: () => void) => {
            seen.push(request.url);
            done();
          }) as Hook),
        ),
      { exempt: { urls: ['/exempt'] } },
    );
    const paths = ['/open', '/health', '/exempt'];
    for (const path of [...paths, '/cats', '/nowhere']) await call(path);
    expect(seen).toEqual(paths);
    await maintenance.disable();
    for (const path of ['/cats', '/nowhere']) await call(path);
    expect(seen).toEqual([...paths, '/cats', '/nowhere']);
  });

  it("runs the adapter's own hook for what it admits, at once or later", async () => {
    const seen: string[] = [];
    const user = ({ headers }: { headers: object }): Promise<object | null> =>
      Promise.resolve('x-staff' in headers ? { role: 'staff' } : null);
    const hook = async (request: { url: string }, _reply: unknown, done: () => void): Promise<void> => {
      await Promise.resolve();
      seen.push(request.url);
      done();
    };
    const { call } = await startActive(
      (app) => (app.getHttpAdapter() as unknown as { setOnRequestHook: (set: unknown) => void }).setOnRequestHook(hook),
      { exempt: { roles: ['staff'], user } },
    );
    const headers = { 'x-staff': '1' };
    expect((await call('/open')).status).toBe(200);
    expect((await call('/cats', { headers })).status).toBe(200);
    expect((await call('/nowhere', { headers })).status).toBe(404);
    expect((await call('/nowhere')).status).toBe(503);
    expect(seen).toEqual(['/open', '/cats', '/nowhere']);
  });

  it('leaves a handler that a role could admit to the hooks and the guard', async () => {
    const login = pluginWith(((request: { user?: object; headers: object }, _reply: unknown, done: () => void) => {
      if ('x-staff' in request.headers) request.user = { role: 'staff' };
      done();
    }) as Hook);
    const { call } = await startActive((app) => app.register(login), { exempt: { roles: ['staff'] } });
    expect((await call('/cats', { headers: { 'x-staff': '1' } })).status).toBe(200);
    expect((await call('/cats')).status).toBe(503);
  });

  describe('with sessions in a Redis that is away', () => {
    const secret = 'a secret with at least 32 characters in it';

    /** Returns a store that reads as connect-redis does. */
    const storeAt = async (enableOfflineQueue: boolean): Promise<NonNullable<FastifySessionOptions['store']>> => {
      const client = createClient({
        socket: { port: await unusedPort(), reconnectStrategy: () => 1_000 },
        disableOfflineQueue: !enableOfflineQueue,
      });
      client.on('error', () => undefined);
      client.connect().catch(() => undefined);
      closing.push(() => Promise.resolve(client.destroy()));
      return {
        get: (id, callback) => void client.get(`sess:${id}`).then(() => callback(null, null), callback),
        set: (id, session, callback) =>
          void client.set(`sess:${id}`, JSON.stringify(session)).then(() => callback(), callback),
        destroy: (id, callback) => void client.del(`sess:${id}`).then(() => callback(), callback),
      };
    };

    it.each([
      ['fails', false],
      ['waits for the connection', true],
    ])('refuses who has a session cookie where its client %s', async (_name, enableOfflineQueue) => {
      const store = await storeAt(enableOfflineQueue);
      let signed = '';
      const { call, maintenance } = await startActive(async (app) => {
        await app.register(fastifyCookie);
        await app.register(fastifySession, { secret, store, cookie: { secure: false }, saveUninitialized: false });
        signed = new fastifyCookie.Signer(secret).sign('abc');
      });
      const headers = { cookie: `sessionId=${encodeURIComponent(signed)}` };
      for (const path of ['/cats', '/nowhere', '/cats']) {
        for (const accept of ['application/json', 'text/html']) {
          const reply = await call(path, { headers: { ...headers, accept } });
          expect([path, reply.status, reply.headers['retry-after']]).toEqual([path, 503, '3600']);
          expect(reply.headers['content-type']).toContain(accept === 'text/html' ? accept : 'problem+json');
        }
      }
      // The store is what would have answered.
      await maintenance.disable();
      if (!enableOfflineQueue) expect((await call('/cats', { headers })).status).toBe(500);
    });
  });

  describe('with CORS', () => {
    const options = { origin: [ORIGIN], credentials: true };
    const ways: [string, (app: FastifyApplication) => unknown][] = [
      ['app.enableCors()', (app) => app.enableCors(options)],
      ['@fastify/cors, registered and waited for', (app) => app.register(fastifyCors, options)],
      ['@fastify/cors, registered', (app) => void app.register(fastifyCors, options)],
      [
        '@fastify/cors with a delegate',
        (app) =>
          app.register(
            fastifyCors,
            () => (_request: unknown, done: (error: null, value: object) => void) =>
              setImmediate(() => done(null, options)),
          ),
      ],
      [
        '@fastify/cors behind a plugin that never ends',
        async (app) => {
          await app.register(pluginWith(() => NEVER));
          await app.register(fastifyCors, options);
        },
      ],
    ];
    it.each(ways)('sets the headers of %s on refusals, and answers preflights', async (_way, register) => {
      for (const exempt of [{}, { roles: ['staff'] }]) {
        const { call } = await startActive(register, { exempt });
        for (const accept of ['application/json', 'text/html', 'text/html']) {
          const reply = await call('/nowhere', { headers: { origin: ORIGIN, accept } });
          expect(reply).toMatchObject({
            status: 503,
            headers: { 'access-control-allow-origin': ORIGIN, 'access-control-allow-credentials': 'true' },
          });
          expect(reply.headers.vary).toMatch(/Origin.*Accept/);
        }
        expect(
          (await call('/nowhere', { headers: { origin: 'https://elsewhere.example' } })).headers,
        ).not.toHaveProperty('access-control-allow-origin');
        expect(await call('/cats', PREFLIGHT)).toMatchObject({
          status: 204,
          headers: { 'access-control-allow-origin': ORIGIN },
        });
      }
    });

    it('sets the headers of @fastify/cors only where it is registered', async () => {
      const { call } = await startActive((app) =>
        app.register(
          async (instance: FastifyInstance) => {
            await instance.register(fastifyCors, options);
            instance.get('/file', () => 'a file');
          },
          { prefix: '/part' },
        ),
      );
      const headers = { origin: ORIGIN };
      expect((await call('/part/file', { headers })).headers).toHaveProperty('access-control-allow-origin', ORIGIN);
      expect((await call('/nowhere', { headers })).headers).not.toHaveProperty('access-control-allow-origin');
    });

    const origins: [string, () => unknown][] = [
      [
        'throws',
        () => {
          throw new Error('no');
        },
      ],
      ['rejects', () => Promise.reject(new Error('Connection is closed.'))],
      ['never answers', () => NEVER],
    ];
    it.each(origins)('refuses where the function that chooses origins %s', async (_name, origin) => {
      for (const register of [
        (app: FastifyApplication) => app.enableCors({ origin }),
        (app: FastifyApplication) => app.register(fastifyCors, { origin }),
      ]) {
        const { call } = await startActive(register);
        for (const path of ['/cats', '/nowhere'])
          expect((await call(path, { headers: { origin: ORIGIN } })).status).toBe(503);
      }
    });
  });

  it('sets the headers of @fastify/helmet on refusals', async () => {
    for (const settings of [{}, { enableCSPNonces: true }]) {
      const { call } = await startActive((app) => app.register(fastifyHelmet, settings));
      for (const path of ['/cats', '/nowhere'])
        expect(await call(path)).toMatchObject({
          status: 503,
          headers: { 'x-content-type-options': 'nosniff', 'strict-transport-security': expect.any(String) },
        });
      const page = await call('/cats', { headers: { accept: 'text/html' } });
      // The policy of the page, not that of the application, which would forbid its script.
      expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    }
  });

  it("sets Nest's own security headers on refusals, and refuses what its CSRF protection would reject", async () => {
    const { call } = await startActive((app) => {
      const secured = app as unknown as Record<string, ((options?: object) => void) | undefined>;
      secured.useSecurityHeaders?.();
      secured.enableCsrfProtection?.();
    });
    const reply = await call('/cats', { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } });
    expect(reply.status).toBe(503);
    if (NEST_MAJOR === '12') expect(reply.headers).toHaveProperty('x-content-type-options', 'nosniff');
  });
});

declare const NEST_MAJOR: string;

/** Returns a port on which nothing listens. */
async function unusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
