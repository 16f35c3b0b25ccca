import { All, Controller, Delete, Get, Head, Header, Post, Put } from '@nestjs/common';
import fc from 'fast-check';
import {
  ForceMaintenance,
  MaintenanceAccess,
  MaintenanceScope,
  SkipMaintenance,
  type EnableOptions,
  type MaintenanceModuleOptions,
} from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { ADAPTERS, start, type Running } from './application.js';

const RUNS = Number(process.env.AGREEMENT_RUNS || 400);

/** Marks responses of a handler with a header. */
const MarkResponse = (): MethodDecorator => Header('X-Handler', 'yes');

@Controller('plain')
class PlainController {
  @MarkResponse()
  @Get()
  list(): string {
    return 'list';
  }

  @MarkResponse()
  @Get(':id')
  one(): string {
    return 'one';
  }

  @MarkResponse()
  @Post()
  create(): string {
    return 'create';
  }

  @MarkResponse()
  @Post('search')
  @MaintenanceAccess('read')
  search(): string {
    return 'search';
  }

  @MarkResponse()
  @Get('counted')
  @MaintenanceAccess('write')
  counted(): string {
    return 'counted';
  }

  @MarkResponse()
  @Head('head')
  head(): void {}
}

@SkipMaintenance()
@Controller('skipped')
class SkippedController {
  @MarkResponse()
  @Get()
  open(): string {
    return 'open';
  }

  @MarkResponse()
  @SkipMaintenance(false)
  @Get('undone')
  undone(): string {
    return 'undone';
  }

  @MarkResponse()
  @ForceMaintenance()
  @Get('forced')
  forced(): string {
    return 'forced';
  }
}

@MaintenanceScope('a')
@Controller('scoped')
class ScopedController {
  @MarkResponse()
  @Get()
  a(): string {
    return 'a';
  }

  @MarkResponse()
  @MaintenanceScope('b')
  @Put(':id/deep')
  both(): string {
    return 'both';
  }

  @MarkResponse()
  @MaintenanceAccess('read')
  @Delete(':x/:y')
  rest(): string {
    return 'rest';
  }
}

@Controller({ path: 'mixed/:name', host: undefined })
class MixedController {
  @MarkResponse()
  @SkipMaintenance()
  @Get('page')
  page(): string {
    return 'page';
  }

  @MarkResponse()
  @All(':any')
  all(): string {
    return 'all';
  }
}

/** Base class of two controllers with different decorators. */
class Inherited {
  @MarkResponse()
  @Get('thing')
  thing(): string {
    return 'thing';
  }
}

@Controller('first')
class FirstController extends Inherited {}

@SkipMaintenance()
@Controller('second')
class SecondController extends Inherited {}

const controllers = [
  PlainController,
  SkippedController,
  ScopedController,
  MixedController,
  FirstController,
  SecondController,
];

const routes = [
  ...['/plain', '/plain/7', '/plain/search', '/plain/counted', '/plain/head', '/skipped', '/skipped/undone'],
  ...['/skipped/forced', '/scoped', '/scoped/7/deep', '/scoped/a/b', '/mixed/x/page', '/mixed/x/any', '/mixed/x'],
  ...['/first/thing', '/second/thing'],
];
const segment = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...new Set(routes.flatMap((route) => route.slice(1).split('/')))) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('..', '.', '', '%2e%2e', '%70lain', 'plain;x', 'PLAIN', 'Skipped', '%2f', 'a%20b'),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[\w\-.~%!$&'()*+,;=:@]{0,6}$/) },
);
const path = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...routes) },
      {
        weight: 1,
        arbitrary: fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
      },
    ),
    fc.constantFrom('', '', '', '/', '//', '?a=/skipped', '?', ';x', '%20'),
  )
  .map((parts) => parts.join(''));
const method = fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS');
const window = fc.record<EnableOptions>(
  {
    scope: fc.constantFrom('*', '*', 'a', 'b', 'elsewhere'),
    mode: fc.constantFrom('full' as const, 'read-only' as const),
  },
  { requiredKeys: [] },
);

const EXEMPTIONS: [string, MaintenanceModuleOptions['exempt']][] = [
  ['no exemption', {}],
  ['exempt.urls', { urls: ['/plain/{*rest}', '/mixed/x/page', /\/scoped\/\d+\/deep/] }],
  ['exempt.when', { when: (context) => context.getHandler().name === 'one' }],
  [
    'exempt.roles',
    { roles: ['staff'], user: (request: { headers: object }) => ({ role: 'x-staff' in request.headers && 'staff' }) },
  ],
];
const CASES = ADAPTERS.flatMap((adapter) => EXEMPTIONS.map(([name, exempt]) => [adapter, name, exempt] as const));

describe.each(CASES)('middleware and guard (%s, %s)', (adapter, _name, exempt) => {
  const storage = new MemoryStateStorage();
  let open: Running;
  let both: Running;
  let guard: Running;

  beforeAll(async () => {
    open = await start(adapter, { controllers, options: { enabled: false } });
    both = await start(adapter, { controllers, options: { storage, exempt } });
    guard = await start(adapter, { controllers, options: { storage, exempt }, extras: { mount: { edge: false } } });
  });
  afterAll(() => Promise.all([open.close(), both.close(), guard.close()]));

  it(`agree on every request that reaches a handler (${RUNS} requests)`, async () => {
    let handled = 0;
    let refused = 0;
    const request = fc.record({ method, path, isStaff: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(window, { minLength: 1, maxLength: 2 }),
        fc.array(request, { minLength: 10, maxLength: 10 }),
        async (windows, requests) => {
          await both.maintenance.disable();
          for (const options of windows) await both.maintenance.enable(options);
          await guard.maintenance.refresh();
          for (const { method, path, isStaff } of requests) {
            const headers: Record<string, string> = isStaff ? { 'x-staff': '1' } : {};
            const ask = ({ call }: Running) => call(path, { method, headers });
            const [wouldBe, withEdge, byGuard] = await Promise.all([ask(open), ask(both), ask(guard)]);
            const isHandled = wouldBe.headers['x-handler'] === 'yes' || byGuard.headers['x-handler'] === 'yes';
            // The middleware must not refuse a request that the guard admits.
            if (byGuard.headers['x-handler'] === 'yes') expect(withEdge.status).toBe(byGuard.status);
            if (!isHandled) continue;
            handled++;
            if (byGuard.status === 503) refused++;
            expect([method, path, withEdge.status]).toEqual([method, path, byGuard.status]);
          }
        },
      ),
      { numRuns: Math.ceil(RUNS / 10) },
    );
    // Makes sure that the property was checked for admitted and refused requests.
    expect(handled).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(handled);
  }, 60_000);
});
