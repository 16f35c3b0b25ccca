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

/** Returns the warnings of an application that starts and receives one request. */
async function getWarnings(adapter: Adapter, setup: Setup = {}): Promise<string[]> {
  const running = await start(adapter, { controllers: [ShopController], ...setup, create: { logger } });
  await running.call('/');
  await running.close();
  return lines;
}

describe.each(ADAPTERS)('startup warnings (%s)', (adapter) => {
  it('are not logged if all settings have an effect', async () => {
    process.env.MAINTENANCE_RETRY_AFTER = '60';
    const setup = { options: { adminToken: TOKEN }, extras: { admin: true } };
    expect(await getWarnings(adapter, setup)).toEqual([]);
  });

  it('name unknown MAINTENANCE_* variables and the closest known one', async () => {
    process.env.MAINTENANCE_EXEMT_IPS = '10.0.0.0/8';
    process.env.MAINTENANCE_WHATEVER_ELSE = '1';
    process.env.MAINTENANCE_EMPTY = '';
    // Kubernetes sets these for a Service named maintenance.
    process.env.MAINTENANCE_SERVICE_HOST = '10.0.0.1';
    process.env.MAINTENANCE_PORT = 'tcp://10.0.0.1:80';
    process.env.MAINTENANCE_PAGE_PORT_80_TCP_ADDR = '10.0.0.1';
    expect(await getWarnings(adapter)).toEqual([
      'The environment variable "MAINTENANCE_EXEMT_IPS" has no effect: there is no such option. Did you mean MAINTENANCE_EXEMPT_IPS?',
      'The environment variable "MAINTENANCE_WHATEVER_ELSE" has no effect: there is no such option.',
    ]);
  });

  it.each(['code', 'environment'])(
    'explain that an admin token from %s has no effect without `admin`',
    async (source) => {
      if (source === 'environment') process.env.MAINTENANCE_ADMIN_TOKEN = TOKEN;
      const options = source === 'code' ? { adminToken: TOKEN } : {};
      expect(await getWarnings(adapter, { options })).toEqual([
        expect.stringMatching(/^`adminToken` \(environment: MAINTENANCE_ADMIN_TOKEN\) has no effect.*`admin: true`/),
      ]);
    },
  );

  it('explain that `exempt.roles` needs an exempt login handler', async () => {
    const options = { exempt: { roles: ['staff'] } };
    expect(await getWarnings(adapter, { options })).toEqual([
      expect.stringMatching(/^`exempt\.roles` is set, but nothing is exempt.*@SkipMaintenance\(\) on the handler/),
    ]);
    lines = [];
    expect(await getWarnings(adapter, { options, controllers: [ShopController, LoginController] })).toEqual([]);
    expect(await getWarnings(adapter, { options: { exempt: { roles: ['staff'], urls: ['/login'] } } })).toEqual([]);
  });
});

it('logs no warnings about endpoints in an application context', async () => {
  const options = { storage: new MemoryStateStorage(), adminToken: TOKEN, exempt: { roles: ['staff'] } };
  @Module({ imports: [MaintenanceModule.forRoot(options)] })
  class WorkerModule {}
  const app = await NestFactory.createApplicationContext(WorkerModule, { logger, abortOnError: false });
  await app.close();
  expect(lines).toEqual([]);
});

describe('MaintenanceModule without forRoot()', () => {
  const ERROR = /^nestjs-maintenance: MaintenanceModule is imported without forRoot\(\)\. Write `imports: \[Mai/;

  async function boot(module: new () => object): Promise<void> {
    const app = await NestFactory.create(module, { logger, abortOnError: false });
    await app.init();
    app.get(MaintenanceService);
    await app.close();
  }

  it('fails at startup with an error that names forRoot()', async () => {
    @Module({ imports: [MaintenanceModule], controllers: [ShopController] })
    class AppModule {}
    await expect(boot(AppModule)).rejects.toThrow(ERROR);
  });

  it('fails at startup if another module has called forRoot()', async () => {
    @Module({ imports: [MaintenanceModule] })
    class FeatureModule {}
    @Module({ imports: [MaintenanceModule.forRoot({ storage: new MemoryStateStorage() }), FeatureModule] })
    class AppModule {}
    await expect(boot(AppModule)).rejects.toThrow(/imported without forRoot\(\)|registered more than once/);
  });
});
