import { writeFileSync } from 'node:fs';
import { Controller, Get, Post, type ExecutionContext, type LoggerService } from '@nestjs/common';
import { Clock, MaintenanceAccess, MaintenanceScope } from 'nestjs-maintenance';
import { ADAPTERS, ADAPTER_REGISTRATIONS, start, type Running } from './application.js';

@Controller('shop')
class ShopController {
  @Get()
  browse(): string {
    return 'shop';
  }

  @Post()
  buy(): string {
    return 'bought';
  }

  @MaintenanceScope('payments')
  @Get('pay')
  pay(): string {
    return 'paid';
  }

  @MaintenanceAccess('read')
  @Post('search')
  search(): string {
    return 'found';
  }
}

const getScopes = (context: ExecutionContext): string[] => {
  const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
  if (headers['x-tenant'] === 'broken') throw new Error('no such tenant');
  if (headers['x-tenant'] === 'none') return undefined as never;
  return headers['x-tenant'] === undefined ? [] : [`tenant:${headers['x-tenant']}`];
};

describe.each(ADAPTER_REGISTRATIONS)('scopesOf (%s, %s)', (adapter, registration) => {
  let running: Running;
  const errors: string[] = [];
  const logger: LoggerService = {
    log: () => undefined,
    warn: () => undefined,
    error: (line) => errors.push(String(line)),
  };

  beforeAll(async () => {
    running = await start(adapter, {
      registration,
      controllers: [ShopController],
      options: { scopesOf: getScopes, exempt: { ips: ['203.0.113.7'] } },
      create: { logger },
    });
  });
  afterEach(() => running.maintenance.disable());
  afterAll(() => running.close());

  const status = async (tenant: string | undefined, path = '/shop', method = 'GET'): Promise<number> =>
    (await running.call(path, { method, headers: tenant === undefined ? {} : { 'x-tenant': tenant } })).status;

  it('limits a window to the requests of one tenant', async () => {
    await running.maintenance.enable({ scope: 'tenant:acme', message: 'Moving acme' });
    expect([await status('acme'), await status('globex'), await status(undefined)]).toEqual([503, 200, 200]);
    expect((await running.call('/shop', { headers: { 'x-tenant': 'acme' } })).json()).toMatchObject({
      detail: 'Moving acme',
      scope: 'tenant:acme',
    });
    // `scopesOf` is not called for unknown routes.
    expect(await status('acme', '/nothing')).toBe(404);
    expect(running.maintenance.isActive('tenant:acme')).toBe(true);
    expect(running.maintenance.isActive('tenant:globex')).toBe(false);
  });

  it('adds scopes to those of the decorators', async () => {
    await running.maintenance.enable({ scope: 'payments' });
    await running.maintenance.enable({ scope: 'tenant:acme' });
    expect([await status('globex', '/shop/pay'), await status('acme', '/shop/pay')]).toEqual([503, 503]);
    expect([await status('globex'), await status('acme')]).toEqual([200, 503]);
  });

  it('admits reads in a read-only window', async () => {
    await running.maintenance.enable({ scope: 'tenant:acme', mode: 'read-only' });
    expect([await status('acme'), await status('acme', '/shop/search', 'POST')]).toEqual([200, 201]);
    expect([await status('acme', '/shop', 'POST'), await status('globex', '/shop', 'POST')]).toEqual([503, 201]);
  });

  it.each([
    ['broken', 2],
    ['none', 4],
  ])('refuses the request and logs the reason if the tenant is %s', async (tenant, minutes) => {
    expect(await status(tenant)).toBe(200);
    errors.length = 0;
    // The same kind of failure is logged once a minute.
    const now = jest.spyOn(running.app.get(Clock, { strict: false }), 'now');
    now.mockImplementation(() => Date.now() + minutes * 60_000);
    await running.maintenance.enable({ scope: 'tenant:acme' });
    expect([await status(tenant), await status('globex')]).toEqual([503, 200]);
    expect(errors.join()).toMatch(
      /`scopesOf` could not decide, so the caller was refused: (no such tenant|`scopesOf` must return)/,
    );
    now.mockRestore();
  });

  it('is not called during a window on all scopes', async () => {
    await running.maintenance.enable();
    errors.length = 0;
    expect([await status('broken'), await status('acme')]).toEqual([503, 503]);
    expect(errors).toEqual([]);
  });
});

describe.each(ADAPTERS)('a window on an unknown scope (%s)', (adapter) => {
  const warnings: string[] = [];
  const logger: LoggerService = {
    log: () => undefined,
    error: () => undefined,
    warn: (line) => warnings.push(String(line)),
  };

  beforeEach(() => {
    warnings.length = 0;
  });

  it('is accepted with a warning that lists the known scopes', async () => {
    const { maintenance, close } = await start(adapter, { controllers: [ShopController], create: { logger } });
    await maintenance.enable({ scope: 'paymnets' });
    await maintenance.enable({ scope: 'paymnets', message: 'again' });
    await maintenance.enable({ scope: 'payments' });
    await close();
    expect(maintenance.status().windows.active).toHaveLength(2);
    expect(warnings).toEqual([
      'The window on the scope "paymnets" matches no handler: no @MaintenanceScope() names it. Known scopes: "payments".',
    ]);
  });

  it('logs one warning for any number of unknown scopes', async () => {
    const running = await start(adapter, { controllers: [ShopController], create: { logger } });
    const startsAt = '2026-01-01T00:00:00.000Z';
    const windows = Array.from({ length: 2_000 }, (_, index) => {
      return { id: `w${index}`, scope: `part-${index}`, mode: 'full', startsAt, endsAt: null, createdAt: startsAt };
    });
    const state = { format: 1, lineage: 'by hand', revision: 1, windows, history: [] };
    writeFileSync(running.stateFile, JSON.stringify(state));
    await running.maintenance.refresh();
    await running.close();
    expect(warnings).toEqual([
      'The window on the scope "part-0" (and on 1999 other scopes) matches no handler: no @MaintenanceScope() names it. ' +
        'Known scopes: "payments".',
    ]);
  });

  it('logs no warning if scopesOf is set', async () => {
    const { maintenance, close } = await start(adapter, { options: { scopesOf: getScopes }, create: { logger } });
    await maintenance.enable({ scope: 'tenant:acme' });
    await close();
    expect(warnings).toEqual([]);
  });
});
