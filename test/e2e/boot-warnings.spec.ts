import { Controller, Get, Module, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MaintenanceModule, MaintenanceService, SkipMaintenance } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { ADAPTERS, start, type Adapter, type Setup } from './application.js';

const TOKEN = 'x'.repeat(16);

@Controller()
class ShopController {
  @Get()
  browse(): string {
    return 'open';
  }
}

@Controller('login')
class LoginController {
  @SkipMaintenance()
  @Get()
  login(): string {
    return 'hello';
  }
}

let lines: string[] = [];
const ignore = (): void => undefined;
const logger: LoggerService = {
  log: ignore,
  error: ignore,
  warn: (line: string, context: string) => context === 'Maintenance' && lines.push(line),
};

beforeEach(() => (lines = []));
afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('MAINTENANCE_')) delete process.env[name];
});

/** Returns the warnings of an application that starts, and is used a little. */
async function getWarnings(adapter: Adapter, setup: Setup = {}): Promise<string[]> {
  const running = await start(adapter, { controllers: [ShopController], ...setup, create: { logger } });
  await running.call('/');
  await running.close();
  return lines;
}

describe.each(ADAPTERS)('warnings at boot on %s', (adapter) => {
  it('are none where all settings have an effect', async () => {
    process.env.MAINTENANCE_RETRY_AFTER = '60';
    const setup = { options: { adminToken: TOKEN }, extras: { admin: true } };
    expect(await getWarnings(adapter, setup)).toEqual([]);
  });

  it('name an environment variable that nothing reads, and the one that is likely meant', async () => {
    process.env.MAINTENANCE_EXEMT_IPS = '10.0.0.0/8';
    process.env.MAINTENANCE_WHATEVER_ELSE = '1';
    process.env.MAINTENANCE_EMPTY = '';
    // What Kubernetes sets for a Service that is called maintenance.
    process.env.MAINTENANCE_SERVICE_HOST = '10.0.0.1';
    process.env.MAINTENANCE_PORT = 'tcp://10.0.0.1:80';
    process.env.MAINTENANCE_PAGE_PORT_80_TCP_ADDR = '10.0.0.1';
    expect(await getWarnings(adapter)).toEqual([
      'The environment variable "MAINTENANCE_EXEMT_IPS" has no effect: there is no such option. Did you mean MAINTENANCE_EXEMPT_IPS?',
      'The environment variable "MAINTENANCE_WHATEVER_ELSE" has no effect: there is no such option.',
    ]);
  });

  it.each(['code', 'environment'])('say that an admin token from %s has no effect without `admin`', async (source) => {
    if (source === 'environment') process.env.MAINTENANCE_ADMIN_TOKEN = TOKEN;
    const options = source === 'code' ? { adminToken: TOKEN } : {};
    expect(await getWarnings(adapter, { options })).toEqual([
      expect.stringMatching(/^`adminToken` \(environment: MAINTENANCE_ADMIN_TOKEN\) has no effect.*`admin: true`/),
    ]);
  });

  it('say that nobody can log in where roles are exempt and no handler is', async () => {
    const options = { exempt: { roles: ['staff'] } };
    expect(await getWarnings(adapter, { options })).toEqual([
      expect.stringMatching(/^`exempt\.roles` is set, but nothing is exempt.*@SkipMaintenance\(\) on the handler/),
    ]);
    lines = [];
    expect(await getWarnings(adapter, { options, controllers: [ShopController, LoginController] })).toEqual([]);
    expect(await getWarnings(adapter, { options: { exempt: { roles: ['staff'], urls: ['/login'] } } })).toEqual([]);
  });
});

it('warns of no endpoints in an application context, which has none', async () => {
  const options = { storage: new MemoryStateStorage(), adminToken: TOKEN, exempt: { roles: ['staff'] } };
  @Module({ imports: [MaintenanceModule.forRoot(options)] })
  class WorkerModule {}
  const app = await NestFactory.createApplicationContext(WorkerModule, { logger, abortOnError: false });
  await app.close();
  expect(lines).toEqual([]);
});

describe('MaintenanceModule without forRoot()', () => {
  const SENTENCE = /^nestjs-maintenance: MaintenanceModule is imported without forRoot\(\)\. Write `imports: \[Mai/;

  async function boot(module: new () => object): Promise<void> {
    const app = await NestFactory.create(module, { logger, abortOnError: false });
    await app.init();
    app.get(MaintenanceService);
    await app.close();
  }

  it('stops the application with a sentence that names forRoot()', async () => {
    @Module({ imports: [MaintenanceModule], controllers: [ShopController] })
    class AppModule {}
    await expect(boot(AppModule)).rejects.toThrow(SENTENCE);
  });

  it('stops the application also where another module has called forRoot()', async () => {
    @Module({ imports: [MaintenanceModule] })
    class FeatureModule {}
    @Module({ imports: [MaintenanceModule.forRoot({ storage: new MemoryStateStorage() }), FeatureModule] })
    class AppModule {}
    await expect(boot(AppModule)).rejects.toThrow(/imported without forRoot\(\)|registered more than once/);
  });
});
