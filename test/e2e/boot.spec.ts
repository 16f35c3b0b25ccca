import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { ADAPTERS, start, type Adapter, type Registration } from './application.js';
import { call } from './client.js';
import { CatsController } from './controllers.js';

type Options = MaintenanceModuleOptions & MaintenanceModuleExtras;

async function boot(...imports: (DynamicModule | Promise<DynamicModule>)[]): Promise<unknown> {
  @Module({ imports })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  await app.close();
  return 'booted';
}

const circular: Record<string, unknown> = { password: 's3cret' };
circular.self = circular;

const memory = (): { storage: MemoryStateStorage } => ({ storage: new MemoryStateStorage() });

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

describe('options that can not be used stop the application', () => {
  const UNUSABLE: [string, unknown, RegExp][] = [
    ['an unknown option', { storge: 'file:x' }, /unknown option `storge`.*`storage`/],
    ['an unknown nested option', { exempt: { url: [] } }, /unknown option `exempt\.url`.*`exempt\.urls`/],
    ['an unknown extra', { mount: { edges: true } }, /unknown option `mount\.edges`.*`mount\.edge`/],
    ['a wrong type', { refreshInterval: '5s' }, /option `refreshInterval` must be a number of milliseconds, not "5s"/],
    ['an interval of nothing', { refreshInterval: 0 }, /`refreshInterval`/],
    ['a storage that is none', { storage: { read: 1 } }, /`storage` must be a StateStorage or the URL/],
    ['a URL of no storage', { storage: 'ftp://x/y' }, /`storage`.*"ftp:\/\/x\/y".*file:/],
    ['a path without a scheme', { storage: '/var/lib/state.json' }, /`storage`.*write file:path/],
    ['a file URL without a file', { storage: 'file:' }, /`storage`/],
    [
      'a policy that does not exist',
      { onStorageFailure: 'panic' },
      /`onStorageFailure` must be one of "last-known", "on", "off", not "panic"/,
    ],
    [
      'a pause that is no answer',
      { background: { pause: 'yes' } },
      /`background\.pause` must be true or false, not "yes"/,
    ],
    ['a short token', { adminToken: 'short' }, /`adminToken` must be at least 16 characters long, not what was given/],
    ['a path in no syntax', { exempt: { urls: ['/docs/(.*'] } }, /`exempt\.urls`.*"\/docs\/\(\.\*"/],
    ['an unnamed wildcard', { exempt: { urls: ['/docs/*'] } }, /`exempt\.urls`.*\{\*rest\}/],
    ['an address that is none', { exempt: { ips: ['10.0.0.300'] } }, /`exempt\.ips`.*"10\.0\.0\.300"/],
    ['a short form of an address', { exempt: { ips: ['10.1'] } }, /`exempt\.ips`.*"10\.1"/],
    ['a prefix that is too long', { exempt: { ips: ['10.0.0.0/33'] } }, /`exempt\.ips`.*\/33/],
    [
      'a status without a body',
      { response: { statusCode: 204 } },
      /`response\.statusCode` must be a 2xx, 4xx or 5xx status that has a body, not 204/,
    ],
    ['a status that is none', { response: { statusCode: 99 } }, /`response\.statusCode`/],
    ['a negative delay', { response: { retryAfter: -1 } }, /`response\.retryAfter` must be 0 or more/],
    [
      'a format that does not exist',
      { response: { type: 'xml' } },
      /`response\.type` must be "auto", "html", "json" or a function/,
    ],
    [
      'a template that is not there',
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
    ['a redirect that would not be recognised', { response: { redirectUrl: '/a//b' } }, /`response\.redirectUrl`/],
    ['a redirect that can not be decoded', { response: { redirectUrl: '/%zz' } }, /`response\.redirectUrl`/],
    ['a redirect with a line break', { response: { redirectUrl: '/closed\r\nX: 1' } }, /`response\.redirectUrl`/],
    ['a token that no header can carry', { adminToken: 'a-token-from-a-file\n' }, /`adminToken`.*visible ASCII/],
    ['a circular object', { storage: circular }, /`storage` must be a StateStorage.*not an object/],
    ['a number of another kind', { refreshInterval: 5n }, /`refreshInterval`.*not 5/],
    [
      'a URL with a password',
      { storage: 'mysql://user:p@ss@host/db?secret=x' },
      /^(?!.*(?:ss@|p@|secret=x)).*mysql:\/\/\*\*\*@host/,
    ],
    [
      'admin endpoints for everybody',
      { admin: true },
      /`admin`.*`adminToken`.*MAINTENANCE_ADMIN_TOKEN.*`admin\.guards`/,
    ],
    [
      'a part of admin that does not exist',
      { admin: { guard: [] }, adminToken: 'x'.repeat(16) },
      /unknown option `admin\.guard`/,
    ],
  ];
  it.each(UNUSABLE)('%s', async (_name, options, message) => {
    const attempt = async (): Promise<unknown> => boot(MaintenanceModule.forRoot(options as Options));
    await expect(attempt()).rejects.toThrow(message);
    await expect(attempt()).rejects.toThrow(/^nestjs-maintenance: /);
  });

  it('a template that is not Handlebars', async () => {
    const template = join(mkdtempSync(join(tmpdir(), 'template-')), 'page.hbs');
    writeFileSync(template, '{{#if}');
    await expect(boot(MaintenanceModule.forRoot({ ...memory(), response: { template } }))).rejects.toThrow(
      /`response\.template`.*page\.hbs/,
    );
  });

  it.each(['{{nohelper x}}', '{{> nopartial}}'])('a template that can not be rendered: %s', async (source) => {
    const template = join(mkdtempSync(join(tmpdir(), 'template-')), 'page.hbs');
    writeFileSync(template, source);
    await expect(boot(MaintenanceModule.forRoot({ ...memory(), response: { template } }))).rejects.toThrow(
      /page\.hbs.*no(helper|partial)/,
    );
  });

  it('structure that comes from a factory', async () => {
    const useFactory = (): Options => ({ admin: true });
    await expect(boot(MaintenanceModule.forRootAsync({ useFactory }))).rejects.toThrow(
      /`admin`.*put it beside `useFactory`/,
    );
  });

  it('those of a factory too', async () => {
    const useFactory = (): Options => ({ typo: 1 }) as Options;
    await expect(boot(MaintenanceModule.forRootAsync({ useFactory }))).rejects.toThrow(/unknown option `typo`/);
    for (const nothing of [undefined, null, { useFactory: 5 }]) {
      await expect(async () => boot(MaintenanceModule.forRootAsync(nothing as never))).rejects.toThrow(
        /exactly one of `useFactory`/,
      );
    }
    await expect(async () => boot(MaintenanceModule.forRootAsync({}))).rejects.toThrow(/exactly one of `useFactory`/);
    class NoFactory {}
    await expect(async () => boot(MaintenanceModule.forRootAsync({ useClass: NoFactory as never }))).rejects.toThrow(
      /NoFactory needs a method createMaintenanceOptions/,
    );
  });

  it('a second registration', async () => {
    const twice = [MaintenanceModule.forRoot(memory()), MaintenanceModule.forRoot(memory())];
    await expect(boot(...twice)).rejects.toThrow(/registered more than once.*Keep one forRoot\(\) or forRootAsync\(\)/);
    await expect(boot(...twice.slice(0, 1))).resolves.toBe('booted');
  });

  it.each([
    ['MAINTENANCE_MODE', 'maybe', /MAINTENANCE_MODE must be true or false, not "maybe"/],
    ['MAINTENANCE_BACKGROUND_PAUSE', 'maybe', /MAINTENANCE_BACKGROUND_PAUSE must be true or false, not "maybe"/],
    ['MAINTENANCE_REFRESH_INTERVAL', '5s', /MAINTENANCE_REFRESH_INTERVAL must be a whole number, not "5s"/],
    ['MAINTENANCE_STATUS_CODE', '99', /environment variable MAINTENANCE_STATUS_CODE must be a 2xx/],
    ['MAINTENANCE_EXEMPT_IPS', '10.0.0.0/8,nowhere', /environment variable MAINTENANCE_EXEMPT_IPS.*"nowhere"/],
    ['MAINTENANCE_EXEMPT_URLS', '/a,/^[/i', /MAINTENANCE_EXEMPT_URLS/],
    ['MAINTENANCE_ON_STORAGE_FAILURE', 'panic', /MAINTENANCE_ON_STORAGE_FAILURE must be one of/],
    ['MAINTENANCE_STORAGE', 'nonsense', /MAINTENANCE_STORAGE.*"nonsense"/],
    ['MAINTENANCE_TEMPLATE', '/nowhere.hbs', /\/nowhere\.hbs/],
  ])('%s=%s', async (name, value, message) => {
    withEnvironment({ [name]: value });
    await expect(boot(MaintenanceModule.forRoot(name === 'MAINTENANCE_STORAGE' ? {} : memory()))).rejects.toThrow(
      message,
    );
  });
});

describe.each(ADAPTERS)('on %s', (adapter) => {
  it.each(['forRoot', 'useFactory', 'useClass', 'useExisting'] as Registration[])(
    'registers by %s',
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

  it('takes what the environment says, unless code says otherwise', async () => {
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

  it('starts in a testing module, with a storage and a clock of the test', async () => {
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
    const app = testing.createNestApplication<INestApplication>(adapterOf(adapter) as ExpressAdapter, {
      logger: false,
    });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as { port: number };
    await app.get(MaintenanceService).enable({ startsAt: '2026-12-01T01:00Z', endsAt: '2026-12-01T02:00Z' });
    const statusAt = async (time: string, path = '/cats'): Promise<number> => {
      now = Date.parse(time);
      return (await call(port, path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }))
        .status;
    };
    expect(await statusAt('2026-12-01T00:59:59.999Z')).toBe(400);
    expect(await statusAt('2026-12-01T01:00Z')).toBe(503);
    expect((await call(port, '/cats')).headers['retry-after']).toBe('3600');
    expect(await statusAt('2026-12-01T01:59:59.999Z')).toBe(503);
    expect((await call(port, '/cats')).headers['retry-after']).toBe('1');
    expect(await statusAt('2026-12-01T02:00Z')).toBe(400);
    expect(await statusAt('2026-12-01T01:30Z')).toBe(503);
    await app.close();
  });

  it('moves the edge to where main.ts says', async () => {
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

  it('needs the module for that', async () => {
    @Module({})
    class Empty {}
    const app = await NestFactory.create(Empty, adapterOf(adapter) as ExpressAdapter, { logger: false });
    expect(() => useMaintenance(app)).toThrow(/add MaintenanceModule\.forRoot\(\) to the imports/);
    await app.close();
  });

  it('mounts the guard where the application wants it', async () => {
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

it('leaves the variables that it reads to the configuration of the application', async () => {
  withEnvironment({ MAINTENANCE_RETRY_AFTER: '5' });
  const found: ConfigType<typeof maintenanceConfig>[] = [];
  @Module({
    imports: [
      ConfigModule.forRoot({ ignoreEnvFile: true }),
      MaintenanceModule.forRoot(memory()),
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

it('reads without writing more than its report, and leaves no handle behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'maintenance-'));
  const before = process.getActiveResourcesInfo().length;
  await boot(MaintenanceModule.forRoot({ storage: `file:${join(folder, 'state.json')}` }));
  expect(readdirSync(folder)).toEqual(['.state.json.instances']);
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
});

function adapterOf(adapter: Adapter): unknown {
  return adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter();
}
