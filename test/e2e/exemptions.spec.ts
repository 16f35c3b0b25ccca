import {
  Controller,
  Get,
  Injectable,
  Post,
  Res,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
  Module,
  RequestMethod,
  VERSION_NEUTRAL,
  VersioningType,
  type INestApplication,
  type MiddlewareConsumer,
  type NestModule,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { SkipMaintenance, type ExemptOptions } from 'nestjs-maintenance';
import { join } from 'node:path';
import { ServeStaticModule } from '@nestjs/serve-static';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { ADAPTER_REGISTRATIONS, start, type Running, type Setup } from './application.js';
import { shortenTimers } from './short-timers.js';
import { CatsController, HealthController, OpenController } from './controllers.js';

@Controller()
class ShopController {
  @Get('docs')
  docs(): string {
    return 'docs';
  }

  @Get('docs/*')
  below(): string {
    return 'below docs';
  }

  @Get('admin/docs/secret')
  secret(): string {
    return 'secret';
  }

  @Get('raw')
  raw(@Res() response: { send: (body: string) => void; header: (name: string, value: string) => void }): void {
    response.header('Cache-Control', 'public, max-age=3600');
    response.send('raw');
  }

  @Post('orders')
  order(): string {
    return 'ordered';
  }

  @SkipMaintenance()
  @Get('skipped')
  skipped(): string {
    return 'skipped';
  }
}

/** Reads the user from a header, as a session would; rejects an unknown role. */
@Injectable()
class AuthGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: unknown }>();
    const { 'x-role': role, 'x-roles': roles } = request.headers;
    if (role === 'unknown') throw new UnauthorizedException();
    if (role) request.user = { role };
    if (roles) request.user = { roles: roles.split(' ') };
    return true;
  }
}

const controllers = [ShopController, CatsController, HealthController, OpenController];

describe.each(ADAPTER_REGISTRATIONS)('the option `exempt` during a full window (%s, %s)', (adapter, registration) => {
  let running: Running;
  const startActive = async (exempt: ExemptOptions, setup: Setup = {}): Promise<Running['call']> => {
    running = await start(adapter, { registration, controllers, ...setup, options: { exempt, ...setup.options } });
    await running.maintenance.enable();
    return running.call;
  };
  afterEach(() => running.close());

  it('admits paths that match exempt.urls completely and in normalized form', async () => {
    const call = await startActive({ urls: ['/docs/{*rest}', '/cats/', /^\/orders?$/i, 'docs'] });
    for (const path of ['/docs', '/docs/a/b', '/docs/a?b=c', '/docs/caf%C3%A9', '/cats', '/cats?x=1']) {
      expect([path, (await call(path)).status]).toEqual([path, 200]);
    }
    // Fastify's router treats the trailing slash as another path; it is exempt all the same.
    for (const path of ['/docs/', '/cats/']) {
      expect([path, (await call(path)).status]).toEqual([path, path === '/docs/' || adapter === 'express' ? 200 : 404]);
    }
    expect((await call('/orders', { method: 'POST' })).status).toBe(201);
    for (const path of [
      '/cats/tom',
      '/CATS',
      '/Docs',
      '/docsx',
      '/admin/docs/secret',
      '/docs/../admin',
      '/docs/%2e%2e/admin',
      '/docs/a//b',
      '//docs',
      '/docs/a%2fb',
      '/docs/a\\b',
      '/docs;x=1',
      '/d%6fcs',
      '/cats//',
      '/orders/1',
    ]) {
      expect([path, (await call(path)).status]).toEqual([path, 503]);
    }
  });

  it('ignores one trailing slash in the request path and in the pattern', async () => {
    const call = await startActive({ urls: ['/docs/{*rest}', /^\/cats\/$/] });
    for (const path of ['/docs', '/docs/', '/docs/a', '/docs/a/', '/cats', '/cats/']) {
      expect([path, (await call(path)).status]).not.toEqual([path, 503]);
    }
    expect((await call('/docs//')).status).toBe(503);
    expect((await call('/')).status).toBe(503);
  });

  it('refuses a path if a multiline RegExp matches only one of its lines', async () => {
    const urls = [/\/ping/m, /^\/status$/gm];
    const call = await startActive({ urls });
    for (const path of ['/ping', '/status', '/status']) expect([path, (await call(path)).status]).toEqual([path, 404]);
    for (const path of ['/orders/%E2%80%A8/ping', '/ping%E2%80%A9/orders', '/orders%E2%80%A8/status%E2%80%A8']) {
      expect([path, (await call(path)).status]).toEqual([path, 503]);
    }
  });

  it('admits paths whose pattern is percent-encoded', async () => {
    const call = await startActive({ urls: ['/caf%C3%A9', '/a%20b'] });
    for (const path of ['/caf%C3%A9', '/a%20b']) expect([path, (await call(path)).status]).toEqual([path, 404]);
  });

  it('admits exempt handlers behind middleware that is bound to controllers and methods', async () => {
    const seen: string[] = [];
    const recordMethod = (request: { method: string }, _response: unknown, next: () => void): void => {
      seen.push(request.method);
      next();
    };
    @Module({})
    class RecordingModule implements NestModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(recordMethod).forRoutes(OpenController, { path: 'skipped', method: RequestMethod.ALL });
        consumer.apply(recordMethod).forRoutes({ path: '{*splat}', method: RequestMethod.GET });
      }
    }
    const call = await startActive({}, { imports: [RecordingModule] });
    expect((await call('/open')).text).toBe('open');
    expect((await call('/skipped')).text).toBe('skipped');
    expect(seen.length).toBeGreaterThan(0);
    seen.length = 0;
    expect((await call('/cats')).status).toBe(503);
    expect(seen).toEqual([]);
  });

  it('admits exempt handlers that the constructor binds to the instance', async () => {
    @SkipMaintenance()
    @Controller('bound')
    class BoundController {
      constructor() {
        this.get = this.get.bind(this);
      }

      @Get()
      get(): string {
        return 'bound';
      }
    }
    const call = await startActive({}, { controllers: [BoundController] });
    expect((await call('/bound')).text).toBe('bound');
  });

  it('admits GET and HEAD requests for probes, but no similar paths', async () => {
    const call = await startActive({});
    expect((await call('/health')).text).toBe('healthy');
    expect((await call('/health/')).status).toBe(adapter === 'express' ? 200 : 404);
    expect((await call('/health', { method: 'HEAD' })).status).toBe(200);
    for (const path of ['/healthz', '/livez', '/readyz', '/robots.txt']) expect((await call(path)).status).toBe(404);
    expect((await call('/health', { method: 'POST' })).status).toBe(503);
    for (const path of [
      '/health/../admin',
      '//admin',
      '/%68ealth',
      '/health%2f..%2fadmin',
      '/HEALTH',
      '/health;x=/admin',
      '/admin?x=/health',
      '/health/x',
      '/x/health',
      '/./health',
      '/health/.',
      '/health//',
      '/health%3b',
      '/healt%68',
      '/health%00',
      'http://localhost/health',
      '/admin#/health',
    ]) {
      expect([path, (await call(path)).status]).not.toEqual([path, 200]);
    }
  });

  it('admits probes with URI versioning, with and without a global prefix', async () => {
    @Controller({ path: 'health', version: '1' })
    class VersionedHealthController {
      @Get()
      check(): string {
        return 'healthy';
      }
    }
    @Controller({ path: 'vehicles', version: VERSION_NEUTRAL })
    class VehiclesController {
      @Get('health')
      health(): string {
        return 'a vehicle';
      }

      @Get(':id/health')
      getHistory(): string {
        return 'another vehicle';
      }
    }
    @Controller(['livez', 'alive'])
    class LiveController {
      @Get('/')
      check(): string {
        return 'live';
      }
    }
    const controllers = [VersionedHealthController, VehiclesController, LiveController];
    const versioned = (app: INestApplication, defaultVersion = '2'): void =>
      void app.enableVersioning({ type: VersioningType.URI, defaultVersion });
    const bare = await startActive({}, { controllers, main: (app) => versioned(app) });
    expect((await bare('/v1/health')).text).toBe('healthy');
    expect((await bare('/v1/health', { method: 'HEAD' })).status).toBe(200);
    expect((await bare('/v1/health', { method: 'POST' })).status).toBe(503);
    expect((await bare('/v2/livez')).text).toBe('live');
    for (const path of ['/v2/alive', '/vehicles/health', '/vehicles/7/health', '/v9/health', '/v1/nothing'])
      expect([path, (await bare(path)).status]).toEqual([path, 503]);
    await running.close();

    const main = (app: INestApplication): void => {
      app.setGlobalPrefix('shops/:shop/api');
      versioned(app);
    };
    const prefixed = await startActive({}, { controllers, main });
    expect((await prefixed('/shops/rome/api/v1/health')).text).toBe('healthy');
    expect((await prefixed('/shops/rome/api/v1/vehicles/health')).status).toBe(503);
    expect((await prefixed('/shops/rome/api/vehicles/health')).status).toBe(503);
    await running.close();

    const refused = await startActive({ probes: false }, { controllers, main: (app) => versioned(app) });
    expect((await refused('/v1/health')).status).toBe(503);
  });

  it('admits probes below a global prefix, unless exempt.probes is false', async () => {
    const main: Setup['main'] = (app) => void app.setGlobalPrefix('api', { exclude: ['admin'] });
    const call = await startActive({}, { main });
    expect((await call('/api/health')).status).toBe(200);
    expect((await call('/health')).status).toBe(404);
    expect((await call('/api/api/health')).status).toBe(503);
    await running.close();
    const slashed = await startActive({}, { main: (app) => void app.setGlobalPrefix('/api/') });
    expect((await slashed('/api/health')).status).toBe(200);
    await running.close();
    expect((await (await startActive({ probes: false }))('/health')).status).toBe(503);
  });

  it('admits exempt IP addresses, but trusts forwarding headers only with trust proxy', async () => {
    let call = await startActive({ ips: ['127.0.0.0/8', '::1'] });
    expect((await call('/cats')).status).toBe(200);
    expect((await call('/nowhere')).status).toBe(404);
    await running.close();

    call = await startActive({ ips: ['10.0.0.1', '2001:db8::/32'] });
    for (const claimed of ['10.0.0.1', '2001:db8::7']) {
      const headers = { 'x-forwarded-for': claimed, 'x-real-ip': claimed, forwarded: `for=${claimed}` };
      expect((await call('/cats', { headers })).status).toBe(503);
    }
    await running.close();

    call = await startActive(
      { ips: ['10.0.0.1', '2001:db8::/32'] },
      {
        fastify: { trustProxy: true },
        main: (app) => {
          if (adapter === 'express')
            (app.getHttpAdapter().getInstance() as { set: (k: string, v: unknown) => void }).set('trust proxy', true);
        },
      },
    );
    for (const [claimed, status] of [
      ['10.0.0.1', 200],
      ['::ffff:10.0.0.1', 200],
      ['2001:db8::7', 200],
      ['10.0.0.2', 503],
      ['2001:db9::7', 503],
      ['garbage', 503],
    ] as const) {
      expect([claimed, (await call('/cats', { headers: { 'x-forwarded-for': claimed } })).status]).toEqual([
        claimed,
        status,
      ]);
    }
  });

  describe('exempt.roles', () => {
    const auth = { providers: [{ provide: APP_GUARD, useClass: AuthGuard }] };
    const as = (role: string): { headers: Record<string, string> } => ({ headers: { 'x-role': role } });

    it('admits users whose role is exempt', async () => {
      const call = await startActive({ roles: ['staff', 'superuser'] }, auth);
      expect((await call('/cats', as('staff'))).status).toBe(200);
      expect((await call('/cats', { headers: { 'x-roles': 'customer superuser' } })).status).toBe(200);
      expect((await call('/cats', as('customer'))).status).toBe(503);
      expect((await call('/cats')).status).toBe(503);
      // No guard runs for unknown routes, so the user is unknown.
      expect((await call('/nowhere', as('staff'))).status).toBe(503);
    });

    it('returns the 400 of the body parser if a role could admit, and a 503 if an earlier guard rejects', async () => {
      const call = await startActive({ roles: ['staff'] }, auth);
      expect((await call('/cats', as('unknown'))).status).toBe(503);
      const body = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' };
      expect((await call('/cats', body)).status).toBe(400);
    });

    it('refuses before guards and body parsers if no exemption could apply', async () => {
      const call = await startActive({}, auth);
      expect((await call('/cats', as('unknown'))).status).toBe(503);
    });

    it('calls exempt.user for routes and for unknown URLs', async () => {
      let asked = 0;
      const call = await startActive({
        roles: ['staff'],
        user: async (request: { headers: Record<string, string> }) => {
          asked++;
          return Promise.resolve({ roles: [request.headers['x-who']] });
        },
      });
      const headers = { 'x-who': 'staff' };
      expect((await call('/cats', { headers })).status).toBe(200);
      expect((await call('/nowhere', { headers })).status).toBe(404);
      asked = 0;
      expect((await call('/nowhere', { headers: { 'x-who': 'guest' } })).status).toBe(503);
      expect(asked).toBe(1);
    });

    it('refuses the request if exempt.user never settles', async () => {
      const options = { storage: new MemoryStateStorage() };
      const call = await startActive({ roles: ['staff'], user: () => new Promise(() => undefined) }, { options });
      shortenTimers(running.app);
      expect((await call('/cats')).status).toBe(503);
      jest.restoreAllMocks();
    });

    it('refuses the request if exempt.user throws', async () => {
      const call = await startActive({
        roles: ['staff'],
        user: () => {
          throw new Error('the session store is down');
        },
      });
      expect((await call('/cats')).status).toBe(503);
      expect((await call('/nowhere')).status).toBe(503);
    });
  });

  it('calls exempt.when for route handlers if no role admits', async () => {
    const asked: string[] = [];
    const call = await startActive({
      roles: ['staff'],
      user: (request: { headers: Record<string, string> }) => ({ role: request.headers['x-who'] }),
      when: (context) => {
        asked.push(context.getHandler().name);
        const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
        if (headers['x-pass'] === 'throw') throw new Error('no');
        return Promise.resolve(headers['x-pass'] === 'yes');
      },
    });
    expect((await call('/cats', { headers: { 'x-pass': 'yes' } })).status).toBe(200);
    expect((await call('/cats', { headers: { 'x-pass': 'no' } })).status).toBe(503);
    expect((await call('/cats', { headers: { 'x-pass': 'throw' } })).status).toBe(503);
    expect(asked).toEqual(['list', 'list', 'list']);
    expect((await call('/cats', { headers: { 'x-who': 'staff' } })).status).toBe(200);
    expect((await call('/skipped', { headers: { 'x-pass': 'no' } })).status).toBe(200);
    expect((await call('/nowhere', { headers: { 'x-pass': 'yes' } })).status).toBe(503);
    expect(asked).toHaveLength(3);
  });

  it('admits every request in a test run if exempt.tests is true', async () => {
    expect((await (await startActive({ tests: true }))('/cats')).status).toBe(200);
    await running.close();
    expect((await (await startActive({ tests: false }))('/cats')).status).toBe(503);
  });

  it('sends Cache-Control: private to exempt users', async () => {
    const call = await startActive(
      { ips: ['127.0.0.1'] },
      {
        imports: [
          ServeStaticModule.forRoot({
            rootPath: join(__dirname, 'fixtures/public'),
            serveRoot: '/static',
            ...(adapter === 'fastify' && { renderPath: '/*' }),
          }),
        ],
      },
    );
    for (const path of ['/cats', '/raw', '/static/file.txt', '/nowhere']) {
      expect([path, (await call(path)).headers['cache-control']]).toEqual([path, 'private, no-store']);
    }
    expect((await call('/skipped')).headers['cache-control']).toBeUndefined();
    await running.maintenance.disable();
    expect((await call('/raw')).headers['cache-control']).toBe('public, max-age=3600');
  });
});
