import {
  Controller,
  createParamDecorator,
  Get,
  Inject,
  Injectable,
  Scope,
  SetMetadata,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type Provider,
} from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { APP_GUARD, ApplicationConfig, Reflector } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { of, throwError } from 'rxjs';
import {
  ForceMaintenance,
  MaintenanceGuard,
  MaintenanceScope,
  SkipMaintenance,
  type EnableOptions,
  type ExemptOptions,
} from 'nestjs-maintenance';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { CatsResolver } from './graphql/cats.js';

interface GuardedRequest {
  headers: Record<string, string | undefined>;
  user?: { roles: string[] };
}

const IS_PUBLIC_KEY = 'isPublic';
const Public = (): ClassDecorator & MethodDecorator => SetMetadata(IS_PUBLIC_KEY, true);
const Roles = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<GuardedRequest>().user?.roles,
);

/** The guard of Nest's authentication guide; its tokens name the roles. */
@Injectable()
class AuthGuard implements CanActivate {
  constructor(@Inject(Reflector) private readonly reflector: Reflector) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const isPublic = this.reflector.getAllAndOverride<boolean>(IS_PUBLIC_KEY, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (isPublic) return true;
    const request =
      context.getType() === 'http'
        ? context.switchToHttp().getRequest<GuardedRequest>()
        : context.getArgByIndex<{ req: GuardedRequest }>(2).req;
    const [type, token] = request.headers.authorization?.split(' ') ?? [];
    if (type !== 'Bearer' || !token?.startsWith('jwt-')) throw new UnauthorizedException();
    request.user = { roles: token.split('-').slice(1) };
    return true;
  }
}

@Controller()
class OrdersController {
  @Get('orders')
  orders(@Roles() roles: string[] | undefined): string {
    return `orders for ${roles?.join() ?? 'all'}`;
  }

  @MaintenanceScope('payments')
  @Get('payments')
  payments(): string {
    return 'payments';
  }

  @SkipMaintenance()
  @Get('skipped')
  skipped(): string {
    return 'skipped';
  }

  @ForceMaintenance()
  @Get('fax')
  fax(): string {
    return 'fax';
  }

  @Public()
  @Get('public')
  public(): string {
    return 'public';
  }
}

const bearer = (token: string): { headers: Record<string, string> } => ({
  headers: { authorization: `Bearer ${token}` },
});
const provideGuard = (guard: CanActivate['canActivate'] | (new (...args: never[]) => CanActivate)): Provider =>
  'prototype' in guard && guard.prototype
    ? { provide: APP_GUARD, useClass: guard as never }
    : { provide: APP_GUARD, useValue: { canActivate: guard } };

const REJECTING: [string, CanActivate['canActivate'], number][] = [
  ['returns false', () => false, 403],
  ['resolves to false', async () => false, 403],
  ['emits false', () => of(false), 403],
  [
    'throws',
    () => {
      throw new UnauthorizedException();
    },
    401,
  ],
  ['rejects', () => Promise.reject(new UnauthorizedException()), 401],
  ['emits an error', () => throwError(() => new UnauthorizedException()), 401],
  ['fails', () => Promise.reject(new Error('the database is away')), 500],
];

describe.each(ADAPTERS)('a global guard that runs before the maintenance guard (%s)', (adapter) => {
  let running: Running;
  const startWith = async (exempt: ExemptOptions, setup: Setup = {}): Promise<Running['call']> => {
    running = await start(adapter, {
      controllers: [OrdersController],
      providers: [provideGuard(AuthGuard)],
      ...setup,
      options: { exempt },
    });
    return running.call;
  };
  const enable = (window?: EnableOptions): Promise<unknown> => running.maintenance.enable(window);
  afterEach(() => running.close());

  it('does not turn the 503 for anonymous callers into a 401 if a role could admit them', async () => {
    const send = await startWith({ roles: ['staff'] });
    expect((await send('/orders')).status).toBe(401);
    await enable({ retryAfter: 120, message: 'Back at four' });
    for (const request of [{}, bearer('unknown'), bearer('jwt-customer')]) {
      const { status, headers, json } = await send('/orders', request);
      expect(status).toBe(503);
      expect(headers['retry-after']).toBe('120');
      expect(headers['cache-control']).toBe('no-store');
      expect(json()).toMatchObject({ status: 503, message: 'Back at four', scope: '*' });
    }
    const page = await send('/orders', { headers: { accept: 'text/html' } });
    expect([page.status, page.headers['content-type']]).toEqual([503, expect.stringMatching(/^text\/html/)]);
    expect((await send('/orders', bearer('jwt-staff'))).text).toBe('orders for staff');
    await running.maintenance.disable();
    expect((await send('/orders')).status).toBe(401);
  });

  it('returns its 401 if no window covers the handler or an exemption admits the caller', async () => {
    const send = await startWith({ roles: ['staff'], urls: ['/orders'] });
    await enable({ scope: 'payments' });
    expect((await send('/payments')).status).toBe(503);
    expect((await send('/orders')).status).toBe(401);
    await enable();
    expect((await send('/payments')).status).toBe(503);
    expect((await send('/orders')).status).toBe(401);
    expect((await send('/skipped')).status).toBe(401);
    expect((await send('/public')).status).toBe(503);
  });

  it('returns its 401 only if `exempt.when` admits the request', async () => {
    const send = await startWith({
      when: (context) => context.switchToHttp().getRequest<GuardedRequest>().headers['x-tester'] === 'yes',
    });
    await enable();
    expect((await send('/orders')).status).toBe(503);
    expect((await send('/orders', { headers: { 'x-tester': 'yes' } })).status).toBe(401);
  });

  it('does not replace the 503 of @ForceMaintenance() while maintenance is off', async () => {
    const send = await startWith({ roles: ['staff'] });
    expect((await send('/fax')).status).toBe(503);
    expect((await send('/orders')).status).toBe(401);
  });

  it.each(REJECTING)('does not replace the 503 if it %s', async (_how, guard, status) => {
    const send = await startWith({ roles: ['staff'] }, { providers: [provideGuard(guard)] });
    expect((await send('/orders')).status).toBe(status);
    await enable();
    expect((await send('/orders')).status).toBe(503);
    expect((await send('/skipped')).status).toBe(status);
  });

  it('does not replace the 503 if it is request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class ScopedGuard extends AuthGuard {}

    const send = await startWith({ roles: ['staff'] }, { providers: [provideGuard(ScopedGuard)] });
    expect((await send('/orders')).status).toBe(401);
    await enable();
    expect((await send('/orders')).status).toBe(503);
  });

  it('does not replace the 503 if mount.edge is false', async () => {
    const send = await startWith({}, { extras: { mount: { edge: false } } });
    await enable();
    expect((await send('/orders')).status).toBe(503);
  });

  it('does not replace the 503 of handlers with @UseGuards(MaintenanceGuard) if mount.guard is false', async () => {
    @Controller()
    class MixedController {
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

    const send = await startWith(
      { roles: ['staff'] },
      {
        controllers: [MixedController],
        extras: { mount: { guard: false } },
      },
    );
    await enable();
    expect((await send('/guarded')).status).toBe(503);
    expect((await send('/unguarded')).status).toBe(401);
    expect((await send('/guarded', bearer('jwt-staff'))).text).toBe('guarded');
  });

  it('stays the same object, with its own method after the application has closed', async () => {
    const guard: CanActivate = { canActivate: () => true };
    const { canActivate } = guard;
    await startWith({ roles: ['staff'] }, { providers: [{ provide: APP_GUARD, useValue: guard }] });
    expect(running.app.get(ApplicationConfig).getGlobalGuards()[0]).toBe(guard);
    await running.app.close();
    expect(guard.canActivate).toBe(canActivate);
  });

  it('stays a mock in a test', async () => {
    const guard = { canActivate: jest.fn(() => false) };
    const send = await startWith({ roles: ['staff'] }, { providers: [{ provide: APP_GUARD, useValue: guard }] });
    await enable();
    expect((await send('/orders')).status).toBe(503);
    expect(guard.canActivate).toHaveBeenCalledTimes(1);
  });

  it('returns its own status if it is frozen', async () => {
    const guard = Object.freeze({ canActivate: () => false });
    const send = await startWith({ roles: ['staff'] }, { providers: [{ provide: APP_GUARD, useValue: guard }] });
    await enable();
    expect((await send('/orders')).status).toBe(403);
  });

  it('does not replace the refusal of GraphQL operations', async () => {
    const send = await startWith(
      { roles: ['staff'] },
      {
        imports: [GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true })],
        providers: [provideGuard(AuthGuard), CatsResolver],
      },
    );
    const ask = (headers: Record<string, string> = {}): ReturnType<typeof send> =>
      send('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query: '{ cats }' }),
      });
    expect((await ask()).text).toContain('Unauthorized');
    await enable();
    const refused = await ask();
    expect([refused.status, refused.text]).toEqual([503, expect.stringContaining('SERVICE_UNAVAILABLE')]);
    expect((await ask(bearer('jwt-staff').headers)).status).toBe(200);
  });
});

describe.each(ADAPTERS)('admin endpoints behind a global guard that reads bearer tokens (%s)', (adapter) => {
  const TOKEN = 'the-token-of-the-test';
  let running: Running;
  const startWith = async (decorators: ClassDecorator[]): Promise<Running['call']> => {
    running = await start(adapter, {
      controllers: [OrdersController],
      providers: [provideGuard(AuthGuard)],
      options: { adminToken: TOKEN, exempt: { roles: ['staff'] } },
      extras: { admin: { decorators } },
    });
    return running.call;
  };
  const turnOn = { method: 'POST' };
  afterEach(() => running.close());

  it('accepts the admin token as a bearer token if a decorator makes the endpoints public', async () => {
    const send = await startWith([Public()]);
    expect((await send('/maintenance-mode/on', turnOn)).status).toBe(401);
    expect((await send('/maintenance-mode/on', { ...turnOn, ...bearer('jwt-staff') })).status).toBe(401);
    expect((await send('/maintenance-mode/on', { ...turnOn, ...bearer(TOKEN) })).status).toBe(200);
    expect((await send('/orders')).status).toBe(503);
    expect((await send('/maintenance-mode', bearer(TOKEN))).json()).toMatchObject({ active: true });
    expect((await send('/maintenance-mode/off', { ...turnOn, ...bearer(TOKEN) })).status).toBe(200);
    expect((await send('/orders')).status).toBe(401);
  });

  it('requires the token of that guard and the Maintenance-Token header if the endpoints are not public', async () => {
    const send = await startWith([]);
    const tokens = (jwt: string | null, token: string): Record<string, string> => ({
      ...(jwt !== null && { authorization: `Bearer ${jwt}` }),
      'maintenance-token': token,
    });
    for (const [jwt, token, status] of [
      [null, TOKEN, 401],
      ['unknown', TOKEN, 401],
      ['jwt-staff', 'wrong', 401],
      ['jwt-staff', '', 401],
      ['jwt-staff', `Bearer ${TOKEN}`, 401],
      ['jwt-staff', TOKEN, 200],
    ] as [string | null, string, number][]) {
      const reply = await send('/maintenance-mode/on', { ...turnOn, headers: tokens(jwt, token) });
      expect([jwt, token, reply.status]).toEqual([jwt, token, status]);
    }
    const without = await send('/maintenance-mode', bearer('jwt-staff'));
    expect([without.status, without.text]).toEqual([401, expect.stringContaining('Maintenance-Token')]);
    expect(without.headers['www-authenticate']).toMatch(/^Bearer /);
    // During a window on all scopes, the admin endpoints still return the 401 of the application's guard.
    expect((await send('/maintenance-mode')).status).toBe(401);
  });

  it('ignores the Authorization header if there is a Maintenance-Token header', async () => {
    const send = await startWith([Public()]);
    const status = async (authorization: string, token: string): Promise<number> =>
      (await send('/maintenance-mode', { headers: { authorization, 'maintenance-token': token } })).status;
    expect(await status(`Bearer ${TOKEN}`, 'wrong')).toBe(401);
    expect(await status('Bearer wrong', TOKEN)).toBe(200);
  });
});
