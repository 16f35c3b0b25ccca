import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheModule } from '@nestjs/cache-manager';
import { Controller, Get, Inject, Module, type DynamicModule, type INestApplication } from '@nestjs/common';
import { ConfigModule, type ConfigType } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  Clock,
  maintenanceConfig,
  MaintenanceModule,
  MaintenanceService,
  StateStorage,
  useMaintenance,
  type MaintenanceModuleExtras,
  type MaintenanceModuleOptions,
} from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Adapter, type Registration } from './application.js';
import { call } from './client.js';
import { CatsController } from './controllers.js';

type Options = MaintenanceModuleOptions & MaintenanceModuleExtras;

async function startContext(...imports: (DynamicModule | Promise<DynamicModule>)[]): Promise<unknown> {
  @Module({ imports })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  await app.close();
  return 'started';
}

const circular: Record<string, unknown> = { password: 's3cret' };
circular.self = circular;

const createMemoryOptions = (): { storage: MemoryStateStorage } => ({ storage: new MemoryStateStorage() });

/** Changes the environment for one test. */
function withEnvironment(variables: Record<string, string>): void {
  const before = { ...process.env };
  Object.assign(process.env, variables);
  restore = () => {
    for (const name of Object.keys(variables)) delete process.env[name];
    Object.assign(process.env, before);
  };
}
let restore: () => void = () => undefined;
afterEach(() => restore());

describe('option validation', () => {
  const INVALID_OPTIONS: [string, unknown, RegExp][] = [
    ['an unknown option', { storge: 'file:x' }, /unknown option `storge`.*`storage`/],
    ['an unknown nested option', { exempt: { url: [] } }, /unknown option `exempt\.url`.*`exempt\.urls`/],
    ['an unknown extra', { mount: { edges: true } }, /unknown option `mount\.edges`.*`mount\.edge`/],
    ['a wrong type', { refreshInterval: '5s' }, /option `refreshInterval` must be a number of milliseconds, not "5s"/],
    ['an interval of nothing', { refreshInterval: 0 }, /`refreshInterval`/],
    ['a storage that is none', { storage: { read: 1 } }, /`storage` must be a StateStorage or the URL/],
    ['a URL of no storage', { storage: 'ftp://x/y' }, /`storage`.*"ftp:\/\/x\/y".*file:/],
    ['a path without a scheme', { storage: '/var/lib/state.json' }, /`storage`.*expected one of file:path/],
    ['a file URL without a file', { storage: 'file:' }, /`storage`/],
    [
      'a policy that does not exist',
      { onStorageFailure: 'panic' },
      /`onStorageFailure` must be one of "last-known", "on", "off", not "panic"/,
    ],
    [
      'a background.pause that is not a boolean',
      { background: { pause: 'yes' } },
      /`background\.pause` must be true or false, not "yes"/,
    ],
    ['a short token', { adminToken: 'short' }, /`adminToken` must be at least 16 characters long, not what was given/],
    ['a path with invalid syntax', { exempt: { urls: ['/docs/(.*'] } }, /`exempt\.urls`.*"\/docs\/\(\.\*"/],
    ['an unnamed wildcard', { exempt: { urls: ['/docs/*'] } }, /`exempt\.urls`.*\{\*rest\}/],
    ['an invalid IP address', { exempt: { ips: ['10.0.0.300'] } }, /`exempt\.ips`.*"10\.0\.0\.300"/],
    ['an abbreviated IP address', { exempt: { ips: ['10.1'] } }, /`exempt\.ips`.*"10\.1"/],
    ['a CIDR prefix that is too long', { exempt: { ips: ['10.0.0.0/33'] } }, /`exempt\.ips`.*\/33/],
    [
      'a status without a body',
      { response: { statusCode: 204 } },
      /`response\.statusCode` must be a 2xx, 4xx or 5xx status that has a body, not 204/,
    ],
    ['an invalid status', { response: { statusCode: 99 } }, /`response\.statusCode`/],
    ['a negative delay', { response: { retryAfter: -1 } }, /`response\.retryAfter` must be 0 or more/],
    [
      'an unknown response type',
      { response: { type: 'xml' } },
      /`response\.type` must be "auto", "html", "json" or a function/,
    ],
    [
      'a missing template file',
      { response: { template: '/nowhere/page.hbs' } },
      /`response\.template`.*\/nowhere\/page\.hbs/,
    ],
    ['a redirect without a scheme', { response: { redirectUrl: 'status.example.com' } }, /`response\.redirectUrl`/],
    ['a redirect to another scheme', { response: { redirectUrl: 'javascript:alert(1)' } }, /`response\.redirectUrl`/],
    [
      'a redirect to another host in disguise',
      { response: { redirectUrl: '//evil.example' } },
      /`response\.redirectUrl`/,
    ],
    ['a redirect that is not normalized', { response: { redirectUrl: '/a//b' } }, /`response\.redirectUrl`/],
    ['a redirect that cannot be decoded', { response: { redirectUrl: '/%zz' } }, /`response\.redirectUrl`/],
    ['a redirect with a line break', { response: { redirectUrl: '/closed\r\nX: 1' } }, /`response\.redirectUrl`/],
    ['a token that is invalid in a header', { adminToken: 'a-token-from-a-file\n' }, /`adminToken`.*visible ASCII/],
    ['a circular object', { storage: circular }, /`storage` must be a StateStorage.*not an object/],
    ['a bigint', { refreshInterval: 5n }, /`refreshInterval`.*not 5/],
    [
      'a URL with a password',
      { storage: 'mysql://user:p@ss@host/db?secret=x' },
      /^(?!.*(?:ss@|p@|secret=x)).*mysql:\/\/\*\*\*@host/,
    ],
    [
      'admin endpoints without protection',
      { admin: true },
      /`admin`.*`adminToken`.*MAINTENANCE_ADMIN_TOKEN.*`admin\.guards`/,
    ],
    ['an unknown admin option', { admin: { guard: [] }, adminToken: 'x'.repeat(16) }, /unknown option `admin\.guard`/],
  ];
  it.each(INVALID_OPTIONS)('rejects %s', async (_name, options, message) => {
    const attempt = async (): Promise<unknown> => startContext(MaintenanceModule.forRoot(options as Options));
    await expect(attempt()).rejects.toThrow(message);
    await expect(attempt()).rejects.toThrow(/^nestjs-maintenance: /);
  });

  it('rejects a template that is not valid Handlebars', async () => {
    const template = join(mkdtempSync(join(tmpdir(), 'template-')), 'page.hbs');
    writeFileSync(template, '{{#if}');
    await expect(
      startContext(MaintenanceModule.forRoot({ ...createMemoryOptions(), response: { template } })),
    ).rejects.toThrow(/`response\.template`.*page\.hbs/);
  });

  it.each(['{{nohelper x}}', '{{> nopartial}}'])('rejects a template that cannot be rendered: %s', async (source) => {
    const template = join(mkdtempSync(join(tmpdir(), 'template-')), 'page.hbs');
    writeFileSync(template, source);
    await expect(
      startContext(MaintenanceModule.forRoot({ ...createMemoryOptions(), response: { template } })),
    ).rejects.toThrow(/page\.hbs.*no(helper|partial)/);
  });

  it('rejects module options that are returned by a factory', async () => {
    const useFactory = (): Options => ({ admin: true });
    await expect(startContext(MaintenanceModule.forRootAsync({ useFactory }))).rejects.toThrow(
      /`admin`.*put it beside `useFactory`/,
    );
  });

  it('rejects invalid options of a factory and invalid async options', async () => {
    const useFactory = (): Options => ({ typo: 1 }) as Options;
    await expect(startContext(MaintenanceModule.forRootAsync({ useFactory }))).rejects.toThrow(/unknown option `typo`/);
    for (const nothing of [undefined, null, { useFactory: 5 }]) {
      await expect(async () => startContext(MaintenanceModule.forRootAsync(nothing as never))).rejects.toThrow(
        /exactly one of `useFactory`/,
      );
    }
    await expect(async () => startContext(MaintenanceModule.forRootAsync({}))).rejects.toThrow(
      /exactly one of `useFactory`/,
    );
    class NoFactory {}
    await expect(async () =>
      startContext(MaintenanceModule.forRootAsync({ useClass: NoFactory as never })),
    ).rejects.toThrow(/NoFactory needs a method createMaintenanceOptions/);
  });

  it('rejects a second registration', async () => {
    const twice = [MaintenanceModule.forRoot(createMemoryOptions()), MaintenanceModule.forRoot(createMemoryOptions())];
    await expect(startContext(...twice)).rejects.toThrow(
      /registered more than once.*Keep one forRoot\(\) or forRootAsync\(\)/,
    );
    await expect(startContext(...twice.slice(0, 1))).resolves.toBe('started');
  });

  it.each([
    [
      'MAINTENANCE_MODE',
      'maybe',
      /option `enabled`, set by the environment variable MAINTENANCE_MODE, must be true or false, not "maybe"/,
    ],
    ['MAINTENANCE_BACKGROUND_PAUSE', 'maybe', /MAINTENANCE_BACKGROUND_PAUSE, must be true or false, not "maybe"/],
    [
      'MAINTENANCE_REFRESH_INTERVAL',
      '5s',
      /option `refreshInterval`, set by the environment variable MAINTENANCE_REFRESH_INTERVAL, must be a whole number, not "5s"/,
    ],
    [
      'MAINTENANCE_STATUS_CODE',
      '99',
      /the option `response\.statusCode`, set by the environment variable MAINTENANCE_STATUS_CODE, must be a 2xx/,
    ],
    [
      'MAINTENANCE_EXEMPT_IPS',
      '10.0.0.0/8,nowhere',
      /the option `exempt\.ips`, set by the environment variable MAINTENANCE_EXEMPT_IPS, .*"nowhere"/,
    ],
    [
      'MAINTENANCE_EXEMPT_URLS',
      '/a,/^[/i',
      /option `exempt\.urls`, set by the environment variable MAINTENANCE_EXEMPT_URLS, /,
    ],
    ['MAINTENANCE_ON_STORAGE_FAILURE', 'panic', /MAINTENANCE_ON_STORAGE_FAILURE, must be one of/],
    ['MAINTENANCE_STORAGE', 'nonsense', /MAINTENANCE_STORAGE.*"nonsense"/],
    ['MAINTENANCE_TEMPLATE', '/nowhere.hbs', /\/nowhere\.hbs/],
  ])('rejects %s=%s', async (name, value, message) => {
    withEnvironment({ [name]: value });
    await expect(
      startContext(MaintenanceModule.forRoot(name === 'MAINTENANCE_STORAGE' ? {} : createMemoryOptions())),
    ).rejects.toThrow(message);
  });
});

describe.each(ADAPTERS)('MaintenanceModule (%s)', (adapter) => {
  it.each(['forRoot', 'useFactory', 'useClass', 'useExisting'] as Registration[])(
    'can be registered with %s',
    async (registration) => {
      const running = await start(adapter, {
        registration,
        controllers: [CatsController],
        options: { response: { retryAfter: 42 }, adminToken: 'x'.repeat(16) },
        extras: { admin: { path: 'ops' }, mount: { guard: true } },
      });
      await running.maintenance.enable();
      expect((await running.call('/cats')).headers['retry-after']).toBe('42');
      expect((await running.call('/ops', { headers: { authorization: `Bearer ${'x'.repeat(16)}` } })).status).toBe(200);
      await running.close();
    },
  );

  it.each([false, true])('leaves a storage open that another application uses (with a cache: %s)', async (cache) => {
    class ClosableStorage extends MemoryStateStorage {
      isClosed = false;
      override async read(): ReturnType<MemoryStateStorage['read']> {
        if (this.isClosed) throw new Error('the storage is closed');
        return super.read();
      }
      async close(): Promise<void> {
        this.isClosed = true;
      }
    }
    const storage = new ClosableStorage();
    const imports = [CacheModule.register({ isGlobal: true })];
    const setup = { controllers: [CatsController], imports, options: { storage, cache } };
    const [first, second] = [await start(adapter, setup), await start(adapter, setup)];
    await first.close();
    expect((await second.maintenance.refresh()).storage).toMatchObject({ healthy: true });
    await second.maintenance.enable();
    expect((await second.call('/cats')).status).toBe(503);
    await second.close();
    expect(storage.isClosed).toBe(true);
  });

  it('reads options from the environment, overridden by code', async () => {
    withEnvironment({
      MAINTENANCE_MODE: 'true',
      MAINTENANCE_STATUS_CODE: '500',
      MAINTENANCE_RETRY_AFTER: '77',
      MAINTENANCE_RESPONSE_TYPE: 'html',
      MAINTENANCE_EXEMPT_URLS: '/cats/:name, /^\\/do{1,2}gs$/i,',
      MAINTENANCE_EXEMPT_IPS: '10.0.0.0/8, ::2',
      MAINTENANCE_EXEMPT_PROBES: 'false',
      MAINTENANCE_ADMIN_TOKEN: '',
    });
    const running = await start(adapter, {
      controllers: [CatsController],
      options: { response: { statusCode: 503, type: undefined } },
    });
    const reply = await running.call('/cats');
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '77' } });
    expect(reply.headers['content-type']).toMatch(/html/);
    expect((await running.call('/cats/tom')).status).toBe(200);
    expect((await running.call('/DOOGS')).status).toBe(404);
    expect((await running.call('/health')).status).toBe(503);
    await running.close();
  });

  it('starts in a testing module with storage and clock overridden', async () => {
    let now = Date.parse('2026-12-01T00:00Z');
    const testing = await Test.createTestingModule({
      imports: [MaintenanceModule.forRoot()],
      controllers: [CatsController],
    })
      .overrideProvider(StateStorage)
      .useValue(new MemoryStateStorage())
      .overrideProvider(Clock)
      .useValue({ now: () => now, wake: () => () => undefined })
      .compile();
    const app = testing.createNestApplication<INestApplication>(createAdapter(adapter) as ExpressAdapter, {
      logger: false,
    });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as { port: number };
    await app.get(MaintenanceService).enable({ startsAt: '2026-12-01T01:00Z', endsAt: '2026-12-01T02:00Z' });
    const getStatusAt = async (time: string, path = '/cats'): Promise<number> => {
      now = Date.parse(time);
      return (await call(port, path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }))
        .status;
    };
    expect(await getStatusAt('2026-12-01T00:59:59.999Z')).toBe(400);
    expect(await getStatusAt('2026-12-01T01:00Z')).toBe(503);
    expect((await call(port, '/cats')).headers['retry-after']).toBe('3600');
    expect(await getStatusAt('2026-12-01T01:59:59.999Z')).toBe(503);
    expect((await call(port, '/cats')).headers['retry-after']).toBe('1');
    expect(await getStatusAt('2026-12-01T02:00Z')).toBe(400);
    expect(await getStatusAt('2026-12-01T01:30Z')).toBe(503);
    await app.close();
  });

  it('installs the middleware where main.ts calls useMaintenance()', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'public-'));
    writeFileSync(join(folder, 'early.txt'), 'early');
    const running = await start(adapter, {
      controllers: [CatsController],
      create: { bodyParser: false },
      main: async (app) => {
        app.enableCors();
        useMaintenance(app);
        useMaintenance(app);
        if (adapter === 'express')
          (app as INestApplication & { useStaticAssets: (path: string) => void }).useStaticAssets(folder);
        else {
          const { default: fastifyStatic } = await import('@fastify/static');
          await (app as unknown as { register: (plugin: unknown, options: object) => Promise<void> }).register(
            fastifyStatic,
            { root: folder },
          );
        }
      },
    });
    expect((await running.call('/early.txt')).text).toBe('early');
    await running.maintenance.enable();
    const reply = await running.call('/early.txt', { headers: { origin: 'https://shop.example.com' } });
    expect(reply).toMatchObject({ status: 503, headers: { 'access-control-allow-origin': '*' } });
    await running.close();
  });

  it('is required by useMaintenance()', async () => {
    @Module({})
    class Empty {}
    const app = await NestFactory.create(Empty, createAdapter(adapter) as ExpressAdapter, { logger: false });
    expect(() => useMaintenance(app)).toThrow(/add MaintenanceModule\.forRoot\(\) to the imports/);
    await app.close();
  });

  it('leaves the guard to @UseGuards() if mount.guard is false', async () => {
    const { MaintenanceGuard } = await import('nestjs-maintenance');
    const { UseGuards } = await import('@nestjs/common');
    @Controller()
    class Guarded {
      @UseGuards(MaintenanceGuard)
      @Get('guarded')
      guarded(): string {
        return 'guarded';
      }

      @Get('unguarded')
      unguarded(): string {
        return 'unguarded';
      }
    }
    const running = await start(adapter, { controllers: [Guarded], extras: { mount: { guard: false, edge: false } } });
    await running.maintenance.enable();
    expect((await running.call('/guarded')).status).toBe(503);
    expect((await running.call('/unguarded')).status).toBe(200);
    await running.close();
  });
});

it('exports maintenanceConfig for ConfigModule.forFeature()', async () => {
  withEnvironment({ MAINTENANCE_RETRY_AFTER: '5' });
  const found: ConfigType<typeof maintenanceConfig>[] = [];
  @Module({
    imports: [
      ConfigModule.forRoot({ ignoreEnvFile: true }),
      MaintenanceModule.forRoot(createMemoryOptions()),
      ConfigModule.forFeature(maintenanceConfig),
    ],
  })
  class AppModule {
    constructor(@Inject(maintenanceConfig.KEY) config: ConfigType<typeof maintenanceConfig>) {
      found.push(config);
    }
  }
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  expect(found).toEqual([{ response: { retryAfter: 5 } }]);
  await app.close();
});

it('leaves no files and no handles behind without changes of the state', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'maintenance-'));
  const before = process.getActiveResourcesInfo().length;
  await startContext(MaintenanceModule.forRoot({ storage: `file:${join(folder, 'state.json')}` }));
  expect(readdirSync(folder)).toEqual([]);
  await until('no handle is left', () => process.getActiveResourcesInfo().length <= before);
});

function createAdapter(adapter: Adapter): unknown {
  return adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter();
}
