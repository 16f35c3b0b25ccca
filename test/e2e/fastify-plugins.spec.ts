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

const getInstance = (app: INestApplication): FastifyInstance => app.getHttpAdapter().getInstance() as FastifyInstance;

/** Returns a plugin that adds a hook to its parent, as with fastify-plugin. */
function createPlugin(hook: Hook): FastifyPluginCallback {
  const plugin: FastifyPluginCallback = (instance, _options, done) => {
    instance.addHook('onRequest', hook as never);
    done();
  };
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}

describe('refusals with Fastify plugins', () => {
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

  it('gives the members for views to locals that a hook creates, without replacing those of the application', async () => {
    const seen: object[] = [];
    const running = await startActive((app) => {
      const instance = getInstance(app);
      instance.decorateReply('locals', null);
      instance.addHook('preHandler', (_request, reply, done) => {
        const typed = reply as typeof reply & { locals: Record<string, unknown> };
        typed.locals = { maintenanceMode: 'own' };
        typed.locals = { ...typed.locals, name: 'merged' };
        seen.push({ ...typed.locals });
        done();
      });
    });
    await running.maintenance.disable();
    expect((await running.call('/open')).status).toBe(200);
    expect(seen).toEqual([
      { name: 'merged', maintenanceMode: 'own', maintenance: expect.anything(), maintenanceAnnouncement: null },
    ]);
  });

  const hooks: [string, Hook][] = [
    ['sends a response', (_request: unknown, reply: { send: (body: string) => void }) => reply.send('a hook')],
    [
      "ends Node's response",
      (_request: unknown, reply: { raw: { end: (body: string) => void } }) => void reply.raw.end('a hook'),
    ],
    ['rejects', () => Promise.reject(new Error('Connection is closed.'))],
    [
      'throws',
      () => {
        throw new Error('Connection is closed.');
      },
    ],
    ['never settles', () => NEVER],
  ] as [string, Hook][];

  describe.each(hooks)('an onRequest hook that %s', (_name, hook) => {
    const registered: [string, (app: FastifyApplication) => unknown][] = [
      ['by a plugin', (app) => app.register(createPlugin(hook))],
      ['on the root instance', (app) => getInstance(app).addHook('onRequest', hook as never)],
      [
        'by a plugin for each route',
        (app) =>
          getInstance(app).addHook('onRoute', (route) => {
            route.onRequest = hook as never;
          }),
      ],
    ];
    it.each(registered)('does not affect refusals if it is registered %s', async (_place, register) => {
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

    it('does not affect the refusal of an unknown URL with exempt.roles', async () => {
      const { call } = await startActive((app) => app.register(createPlugin(hook)), { exempt: { roles: ['staff'] } });
      expect((await call('/nowhere', { headers: COOKIE })).status).toBe(503);
    });
  });

  it('skip the onRequest hooks of plugins, which run only for admitted requests', async () => {
    const seen: string[] = [];
    const { call, maintenance } = await startActive(
      (app) =>
        app.register(
          createPlugin(((request: { url: string }, _reply: unknown, done: () => void) => {
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

  it('skip the hook of setOnRequestHook(), which runs only for admitted requests', async () => {
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

  it('are left to the guard if a role could admit, so that hooks can find the user', async () => {
    const login = createPlugin(((request: { user?: object; headers: object }, _reply: unknown, done: () => void) => {
      if ('x-staff' in request.headers) request.user = { role: 'staff' };
      done();
    }) as Hook);
    const { call } = await startActive((app) => app.register(login), { exempt: { roles: ['staff'] } });
    expect((await call('/cats', { headers: { 'x-staff': '1' } })).status).toBe(200);
    expect((await call('/cats')).status).toBe(503);
  });

  describe('with sessions in an unreachable Redis', () => {
    const secret = 'a secret with at least 32 characters in it';

    /** Returns a store that reads like connect-redis. */
    const createStore = async (enableOfflineQueue: boolean): Promise<NonNullable<FastifySessionOptions['store']>> => {
      const client = createClient({
        socket: { port: await findUnusedPort(), reconnectStrategy: () => 1_000 },
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
    ])('are sent for requests with a session cookie if the Redis client %s', async (_name, enableOfflineQueue) => {
      const store = await createStore(enableOfflineQueue);
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
      // Without maintenance, the failing store causes the response.
      await maintenance.disable();
      if (!enableOfflineQueue) expect((await call('/cats', { headers })).status).toBe(500);
    });
  });

  describe('with CORS', () => {
    const options = { origin: [ORIGIN], credentials: true };
    const ways: [string, (app: FastifyApplication) => unknown][] = [
      ['app.enableCors()', (app) => app.enableCors(options)],
      ['@fastify/cors with await', (app) => app.register(fastifyCors, options)],
      ['@fastify/cors without await', (app) => void app.register(fastifyCors, options)],
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
        '@fastify/cors after a hook that never settles',
        async (app) => {
          await app.register(createPlugin(() => NEVER));
          await app.register(fastifyCors, options);
        },
      ],
    ];
    it.each(ways)('have the headers of %s and answer preflights', async (_way, register) => {
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

    it('have the headers of @fastify/cors only in the scope in which it is registered', async () => {
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
      ['never settles', () => NEVER],
    ];
    it.each(origins)('are sent even if the origin function %s', async (_name, origin) => {
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

  it('have the headers of @fastify/helmet', async () => {
    for (const settings of [{}, { enableCSPNonces: true }]) {
      const { call } = await startActive((app) => app.register(fastifyHelmet, settings));
      for (const path of ['/cats', '/nowhere'])
        expect(await call(path)).toMatchObject({
          status: 503,
          headers: { 'x-content-type-options': 'nosniff', 'strict-transport-security': expect.any(String) },
        });
      const page = await call('/cats', { headers: { accept: 'text/html' } });
      // The page needs its own policy: that of the application would block its script.
      expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    }
  });

  it("have Nest's security headers and take precedence over its CSRF protection", async () => {
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
async function findUnusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
