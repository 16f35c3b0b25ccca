import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { MaintenanceHealthIndicator } from 'nestjs-maintenance/terminus';
import { ADAPTERS, start } from '../e2e/application.js';

@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(MaintenanceHealthIndicator) private readonly maintenance: MaintenanceHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.maintenance.isHealthy(), () => this.maintenance.isHealthy('again')]);
  }
}

it.each(ADAPTERS)(
  'MaintenanceHealthIndicator reports the health of the storage, not whether maintenance is on (%s)',
  async (adapter) => {
    const storage = new MemoryStateStorage();
    const { maintenance, call, close } = await start(adapter, {
      options: { storage },
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController],
      providers: [MaintenanceHealthIndicator],
    });
    await maintenance.enable();
    const up = await call('/health');
    expect(up.status).toBe(200);
    expect(up.json()).toMatchObject({
      status: 'ok',
      info: {
        maintenance: {
          status: 'up',
          active: true,
          source: 'storage',
          storage: expect.stringContaining('memory') as string,
        },
        again: {},
      },
    });

    storage.fail(new Error('redis://user:secret@host is gone'));
    await maintenance.refresh();
    const down = await call('/health');
    expect(down.status).toBe(503);
    expect(down.json()).toMatchObject({
      error: {
        maintenance: {
          status: 'down',
          active: true,
          source: 'last-known',
          error: expect.stringContaining('is gone') as string,
        },
      },
    });
    expect(down.text).not.toContain('secret');

    storage.fail(null);
    await maintenance.refresh();
    expect((await call('/health')).status).toBe(200);
    await close();
  },
);

it.each(ADAPTERS)('a handler with @HealthCheck() is admitted like a probe whatever its path (%s)', async (adapter) => {
  @Controller('internal')
  class InternalController {
    @Inject(HealthCheckService) private readonly health!: HealthCheckService;

    @Get('status')
    @HealthCheck()
    status(): Promise<HealthCheckResult> {
      return this.health.check([]);
    }

    @Get('orders')
    orders(): string {
      return 'orders';
    }
  }
  const { maintenance, call, close } = await start(adapter, {
    imports: [TerminusModule],
    controllers: [InternalController],
  });
  await maintenance.enable();
  expect((await call('/internal/status')).status).toBe(200);
  expect((await call('/internal/orders')).status).toBe(503);
  await close();
});
