import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import {
  Controller,
  Get,
  Module,
  Post,
  RequestMethod,
  UseGuards,
  VersioningType,
  type INestApplication,
  type MiddlewareConsumer,
  type NestModule,
} from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { ServeStaticModule } from '@nestjs/serve-static';
import { MaintenanceGuard, SkipMaintenance, useMaintenance } from 'nestjs-maintenance';
import { ADAPTERS, ADAPTER_REGISTRATIONS, start, type Adapter, type Running, type Setup } from './application.js';
import { upload, type Call, type Reply } from './client.js';
import {
  BirdsController,
  CatsController,
  ClosedController,
  DogsV1Controller,
  DogsV2Controller,
  HealthController,
  HostController,
  InheritsClosedController,
  InheritsOpenController,
  MixedController,
  OpenController,
} from './controllers.js';

const JSON_TYPE = { 'content-type': 'application/json' };

@Module({ controllers: [MixedController] })
class NestedModule {}

class OwnGuard extends MaintenanceGuard {}

@UseGuards(MaintenanceGuard)
@Controller('guarded')
class GuardedController {
  @Post('class')
  post(): string {
    return 'posted';
  }

  @UseGuards(OwnGuard)
  @Post('other')
  other(): string {
    return 'posted';
  }
}

const controllers = [
  CatsController,
  OpenController,
  ClosedController,
  HealthController,
  HostController,
  InheritsClosedController,
  InheritsOpenController,
];
const versioned = [DogsV1Controller, DogsV2Controller, BirdsController];
const imports = (adapter: Adapter): NonNullable<Setup['imports']> => [
  ServeStaticModule.forRoot({
    rootPath: join(__dirname, 'fixtures/public'),
    serveRoot: '/static',
    ...(adapter === 'fastify' && { renderPath: '/*' }),
  }),
  NestedModule,
  RouterModule.register([{ path: 'nested', module: NestedModule }]),
];

/** Finds the user by the request alone. */
function findUser({ headers }: { headers: object }): { role: string } | null {
  return 'x-staff' in headers ? { role: 'staff' } : null;
}

/** Asserts what all refusals have in common. */
function expectRefusal(reply: Reply, retryAfter = '3600'): void {
  expect(reply.status).toBe(503);
  expect(reply.headers['retry-after']).toBe(retryAfter);
  expect(reply.headers['maintenance-mode']).toMatch(/^full;scope="[^"]+"/);
  expect(reply.headers['cache-control']).toBe('no-store');
  expect(reply.headers.vary).toMatch(/\bAccept\b/);
  expect(reply.headers.etag).toBeUndefined();
}

describe.each(ADAPTER_REGISTRATIONS)('HTTP requests (%s, %s)', (adapter, registration) => {
  let running: Running;

  beforeAll(async () => {
    running = await start(adapter, {
      registration,
      controllers,
      imports: imports(adapter),
      main: (app) => app.enableCors(),
    });
  });
  afterAll(() => running.close());

  const REFUSED_CALLS: [string, string, Call?][] = [
    ['a known route', '/cats'],
    ['a route with a parameter', '/cats/tom'],
    ['a HEAD route', '/cats/head', { method: 'HEAD' }],
    ['HEAD of a GET route', '/cats', { method: 'HEAD' }],
    ['a POST', '/cats', { method: 'POST', headers: JSON_TYPE, body: '{"name":"Tom"}' }],
    ['a malformed body', '/cats', { method: 'POST', headers: JSON_TYPE, body: '{"name":' }],
    [
      'a body without a parser for its type',
      '/cats',
      { method: 'POST', headers: { 'content-type': 'x/y' }, body: 'z' },
    ],
    ['an unknown URL', '/nowhere'],
    ['an unknown URL with a body', '/nowhere', { method: 'POST', headers: JSON_TYPE, body: '{"name":' }],
    ['a method that the route does not support', '/cats', { method: 'DELETE' }],
    ['a static file', '/static/file.txt'],
    ['HEAD of a static file', '/static/file.txt', { method: 'HEAD' }],
    ['a missing static file', '/static/missing.txt'],
    ['a route of a nested module', '/nested/mixed', { method: 'POST' }],
    ['a host controller', '/hosted', { headers: { host: 'a.example.com' } }],
    ['a host controller on another host', '/hosted', { headers: { host: 'b.example.com' } }],
    ['@SkipMaintenance(false) in an exempt controller', '/open/undone'],
    ['@ForceMaintenance() in an exempt controller', '/open/forced'],
    ['@ForceMaintenance() and @SkipMaintenance() on one handler', '/open/both'],
    ['a forced controller', '/closed'],
    ['an inherited handler', '/inherits-closed/inherited'],
    ['another method of an exempt path', '/nested/mixed', { method: 'PUT' }],
  ];

  describe('during a full window', () => {
    beforeAll(() => running.maintenance.enable());
    afterAll(() => running.maintenance.disable());

    it.each(REFUSED_CALLS.map(([name, ...rest]) => ({ name, rest })))(
      'are refused: $name',
      async ({ rest: [path, request] }) => {
        const reply = await running.call(path, request);
        expectRefusal(reply);
        if (request?.method === 'HEAD') expect(reply.text).toBe('');
        else {
          expect(reply.headers['content-type']).toBe('application/problem+json');
          expect(reply.json()).toMatchObject({
            status: 503,
            statusCode: 503,
            title: 'Service Unavailable',
            mode: 'full',
          });
        }
      },
    );

    it('are admitted to controllers and handlers with @SkipMaintenance()', async () => {
      await expect(running.call('/open')).resolves.toMatchObject({ status: 200, text: 'open' });
      await expect(running.call('/closed/open')).resolves.toMatchObject({ status: 200, text: 'open' });
      await expect(running.call('/nested/mixed')).resolves.toMatchObject({ status: 200, text: 'read' });
      await expect(running.call('/inherits-open/inherited')).resolves.toMatchObject({ status: 200 });
    });

    it('pass the body parser if their handler is exempt', async () => {
      const call = { method: 'POST', headers: JSON_TYPE };
      expect((await running.call('/open', { ...call, body: '{"a":1}' })).json()).toEqual({ body: { a: 1 } });
      expect((await running.call('/open', { ...call, body: '{"a":' })).status).toBe(400);
    });

    it('have no additional Cache-Control header if their handler is exempt', async () => {
      expect((await running.call('/open')).headers['cache-control']).toBeUndefined();
    });

    it('receive CORS headers with refusals, and preflights succeed', async () => {
      const origin = 'https://shop.example.com';
      const headers = { origin, 'access-control-request-method': 'POST' };
      expect((await running.call('/cats', { method: 'OPTIONS', headers })).status).toBe(204);
      for (const path of ['/cats', '/nowhere']) {
        const reply = await running.call(path, { headers: { origin } });
        expectRefusal(reply);
        expect(reply.headers['access-control-allow-origin']).toBe('*');
      }
    });

    it('are refused without reading a body of 100 MB', async () => {
      const [status, sent] = await upload(running.port, '/cats', 100 * 2 ** 20);
      expect(status).toBe(503);
      expect(sent).toBeLessThan(100 * 2 ** 20);
    });
  });

  it.each([
    ['/cats', 200],
    ['/cats/tom', 200],
    ['/nowhere', 404],
    ['/static/file.txt', 200],
    ['/open', 200],
    ['/nested/mixed', 200],
  ])('are admitted after the window: %s returns %i', async (path, status) => {
    const reply = await running.call(path);
    expect(reply.status).toBe(status);
    expect(reply.headers['cache-control'] ?? '').not.toMatch(/no-store/);
  });

  it('are refused by @ForceMaintenance() handlers while maintenance is off', async () => {
    for (const path of ['/closed', '/open/forced', '/open/both']) expectRefusal(await running.call(path));
    expect((await running.call('/closed/open')).status).toBe(200);
  });
});

describe.each(ADAPTERS)('refused requests (%s)', (adapter) => {
  let running: Running | undefined;
  const startActive = async (setup: Setup): Promise<Running> => {
    running = await start(adapter, setup);
    await running.maintenance.enable();
    return running;
  };
  afterEach(() => running?.close());

  it('include those with and without the global prefix', async () => {
    const { call } = await startActive({
      controllers,
      imports: imports(adapter),
      main: (app) =>
        void app.setGlobalPrefix('api', {
          exclude: [{ path: 'closed/{*rest}', method: RequestMethod.ALL }, 'open', 'cats/tom'],
        }),
    });
    for (const path of ['/api/cats', '/cats/tom', '/api/nowhere', '/nowhere', '/static/file.txt', '/api', '/']) {
      expectRefusal(await call(path));
    }
    expect((await call('/api/health')).text).toBe('healthy');
    expect((await call('/health')).status).toBe(404);
    expect((await call('/open')).text).toBe('open');
    expect((await call('/closed/open')).text).toBe('open');
  });

  const VERSIONS: [
    string,
    (app: INestApplication) => unknown,
    (version: string) => [string, Record<string, string>],
  ][] = [
    ['URI', (app) => app.enableVersioning({ type: VersioningType.URI }), (version) => [`/v${version}/dogs`, {}]],
    [
      'header',
      (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version' }),
      (version) => ['/dogs', { 'x-version': version }],
    ],
    [
      'media type',
      (app) => app.enableVersioning({ type: VersioningType.MEDIA_TYPE, key: 'v=' }),
      (version) => ['/dogs', { accept: `application/json;v=${version}` }],
    ],
  ];
  it.each(VERSIONS)('are decided per version with %s versioning', async (_name, enable, buildRequest) => {
    const { call } = await startActive({ controllers: versioned, main: (app) => void enable(app) });
    const ask = (version: string): Promise<Reply> =>
      call(buildRequest(version)[0], { headers: buildRequest(version)[1] });
    expectRefusal(await ask('1'));
    expect(await ask('2')).toMatchObject({ status: 200, text: 'dogs 2' });
    expectRefusal(await ask('9'));
    expectRefusal(await call('/birds'));
  });

  it('are refused by the guard if mount.edge is false', async () => {
    const { call } = await startActive({ controllers, extras: { mount: { edge: false } } });
    expectRefusal(await call('/cats'));
    expect((await call('/open')).status).toBe(200);
    expect((await call('/nowhere')).status).toBe(404);
  });

  it('do not include unguarded handlers if mount.guard is false', async () => {
    const { call } = await startActive({
      controllers: [CatsController, GuardedController],
      extras: { mount: { guard: false } },
    });
    expect((await call('/cats')).status).toBe(200);
    expectRefusal(await call('/nowhere'));
    for (const path of ['/guarded/class', '/guarded/other']) {
      expectRefusal(await call(path, { method: 'POST', headers: JSON_TYPE, body: '{' }));
    }
  });

  describe.each<[string, NonNullable<Setup['options']>['exempt']]>([
    ['none', {}],
    ['exempt.roles', { roles: ['staff'], user: (request: { headers: object }) => findUser(request) }],
    ['exempt.when', { when: () => false }],
    [
      'exempt.roles and exempt.when',
      { roles: ['staff'], user: (request: { headers: object }) => findUser(request), when: () => false },
    ],
  ])('exemptions: %s', (name, exempt) => {
    const paths = ['/proxied/x', '/mounted', '/mounted/x', '/mounted/cats?a=b'];
    const answer = (request: { url: string }, response: { end: (body: string) => void }): void =>
      response.end(`middleware ${request.url}`);
    const startWithMiddleware = async (): Promise<Running['call']> => {
      @Module({})
      class AnsweringModule implements NestModule {
        configure(consumer: MiddlewareConsumer): void {
          consumer.apply(answer).forRoutes('cats', 'proxied/*rest', 'open');
        }
      }
      const { call } = await startActive({
        controllers,
        imports: [AnsweringModule],
        options: { exempt },
        main: (app) => {
          useMaintenance(app);
          app.use('/mounted', answer);
        },
      });
      return call;
    };

    it('refuses unknown URLs before middleware of the application', async () => {
      const call = await startWithMiddleware();
      for (const path of paths) {
        for (const method of ['GET', 'POST']) {
          expectRefusal(await call(path, { method, headers: { 'content-type': 'text/html', accept: 'text/html' } }));
        }
      }
      await running?.maintenance.disable();
      for (const path of paths) expect((await call(path)).text).toContain('middleware');
      expect((await call('/mounted/x')).text).toBe('middleware /x');
    });

    it('runs middleware of the application before a handler that is or may be exempt', async () => {
      const call = await startWithMiddleware();
      expect((await call('/open')).text).toContain('middleware');
      expect((await call('/cats')).status).toBe(name === 'none' ? 503 : 200);
    });

    it('admits a user with an exempt role to middleware', async () => {
      if (!exempt?.roles) return;
      const call = await startWithMiddleware();
      for (const path of paths) {
        const reply = await call(path, { headers: { 'x-staff': '1' } });
        expect(reply.text).toContain('middleware');
        expect(reply.headers['cache-control']).toBe('private, no-store');
      }
    });
  });

  it.each<[string, NonNullable<Setup['options']>]>([
    ['no exemptions', {}],
    ['exempt.roles', { exempt: { roles: ['staff'] } }],
    ['exempt.when', { exempt: { when: () => false } }],
  ])('include other hosts than that of a controller: %s', async (_name, options) => {
    @SkipMaintenance()
    @Controller({ path: 'admitted', host: 'a.example.com' })
    class AdmittedHostController {
      @Get(':any')
      get(): string {
        return 'admitted';
      }
    }
    const { call } = await startActive({ controllers: [HostController, AdmittedHostController], options });
    const [a, b] = ['a', 'b'].map((name) => ({ headers: { host: `${name}.example.com` } }));
    expectRefusal(await call('/hosted', a));
    expect((await call('/admitted/x', a)).text).toBe('admitted');
    for (const path of ['/hosted', '/admitted/x']) expectRefusal(await call(path, b));
    await running?.maintenance.disable();
    for (const path of ['/hosted', '/admitted/x']) {
      expect((await call(path, a)).status).toBe(200);
      expect((await call(path, b)).status).toBe(404);
    }
  });

  it('have the CORS headers of the application', async () => {
    const origin = 'https://shop.example.com';
    const expectCors = async (call: Running['call']): Promise<void> => {
      for (const path of ['/cats', '/nowhere']) {
        const reply = await call(path, { headers: { origin } });
        expectRefusal(reply);
        expect(reply.headers['access-control-allow-origin']).toBe(origin);
        expect(reply.headers.vary).toMatch(/Origin/);
      }
    };
    await expectCors((await startActive({ controllers, create: { cors: { origin: [origin] } } })).call);
    await running?.close();
    if (adapter === 'express') {
      const cors = (_request: unknown, response: ServerResponse, next: () => void): void => {
        response.setHeader('Access-Control-Allow-Origin', origin).setHeader('Vary', 'Origin');
        next();
      };
      await expectCors((await startActive({ controllers, main: (app) => void app.use(cors) })).call);
    } else {
      const { default: cors } = await import('@fastify/cors');
      const main = (app: INestApplication): Promise<unknown> =>
        (app as unknown as { register: (plugin: unknown, options: object) => Promise<unknown> }).register(cors, {
          origin: [origin],
        });
      await expectCors((await startActive({ controllers, main: async (app) => void (await main(app)) })).call);
    }
  });

  it('include OPTIONS requests if CORS is not enabled', async () => {
    const { call } = await startActive({ controllers });
    expectRefusal(await call('/cats', { method: 'OPTIONS' }));
  });

  it('need no body parser', async () => {
    const { call } = await startActive({ controllers, create: { bodyParser: false } });
    expectRefusal(await call('/cats', { method: 'POST', headers: JSON_TYPE, body: '{' }));
    expectRefusal(await call('/nowhere'));
  });

  it('respect @SkipMaintenance() if the adapter has a setOnRouteTriggered() callback', async () => {
    const routes: string[] = [];
    const { call } = await startActive({
      controllers,
      main: (app) =>
        (
          app.getHttpAdapter() as unknown as {
            setOnRouteTriggered?: (f: (method: number, path: string) => void) => void;
          }
        ).setOnRouteTriggered?.((_method, path) => void routes.push(path)),
    });
    expect((await call('/open')).status).toBe(200);
    expectRefusal(await call('/cats'));
    expect(routes).toContain('/open');
  });
});
