import {
  Catch,
  Controller,
  Get,
  Inject,
  Post,
  Sse,
  UseFilters,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import fastifyHelmet from '@fastify/helmet';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import helmet from 'helmet';
import { MaintenanceException, MaintenanceScope, type EnableOptions } from 'nestjs-maintenance';
import { NEVER } from 'rxjs';
import { DisplayString, parseItem, type Token } from 'structured-headers';
import { ADAPTERS, start, type Adapter, type Running, type Setup } from './application.js';
import type { Call, Reply } from './client.js';

const SCOPE = 'Zürich "x" 100%\r\nSet-Cookie: a=b';
const PAGE = { accept: 'text/html,*/*;q=0.8' };
const END = new Date(Date.now() + 3_600_000);

/** The exceptions that the filter of the application has caught. */
let caught: unknown[] = [];

@Catch()
class CatchAll implements ExceptionFilter {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    caught.push(exception);
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { caught: true }, 500);
  }
}

@MaintenanceScope(SCOPE)
@Controller()
class OrdersController {
  @Get('orders/:id')
  order(): string {
    return 'order';
  }

  @Post('orders')
  create(): string {
    return 'created';
  }

  @UseFilters(CatchAll)
  @Get('filtered')
  filtered(): string {
    return 'filtered';
  }

  @Sse('events')
  events(): typeof NEVER {
    return NEVER;
  }
}

/** Parses the header as another implementation of RFC 9651 does. */
function parseHeader({ headers }: Reply): { mode: string; scope?: string; until?: unknown } {
  const [mode, parameters] = parseItem(headers['maintenance-mode'] as string) as [Token, Map<string, unknown>];
  const scope = parameters.get('scope');
  return {
    mode: mode.toString(),
    scope: scope instanceof DisplayString ? scope.toString() : (scope as string),
    until: parameters.get('until'),
  };
}

async function addHelmet(adapter: Adapter, { app }: Running): Promise<void> {
  if (adapter === 'express') app.use(helmet());
  else await (app as NestFastifyApplication).register(fastifyHelmet as never);
}

describe.each(ADAPTERS)('the Maintenance-Mode header (%s)', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  const startActive = async (window: EnableOptions = {}, setup: Setup = {}): Promise<void> => {
    caught = [];
    running = await start(adapter, { controllers: [OrdersController], ...setup });
    await running.maintenance.enable(window);
  };

  const CALLS: [string, string, Call?][] = [
    ['JSON', '/orders/1'],
    ['a page', '/orders/1', { headers: PAGE }],
    ['HEAD', '/orders/1', { method: 'HEAD' }],
    ['an unread body', '/orders', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a' }],
    ['an unknown URL', '/unknown'],
    ['an event stream', '/events', { headers: { accept: 'text/event-stream' } }],
    ['a reader that reconnects', '/events', { headers: { accept: 'text/event-stream', 'last-event-id': '1' } }],
    ['a filter of the application', '/filtered'],
  ];

  // With a role, the guard refuses; without one, the middleware does.
  it.each([
    ['the middleware', {}],
    ['the guard', { options: { exempt: { roles: ['staff'] } } }],
    ['the middleware behind helmet', { main: (app: unknown) => addHelmet(adapter, { app } as Running) }],
  ])('is on every answer of %s', async (_, setup) => {
    await startActive({ endsAt: END, mode: 'full' }, setup);
    // Where a role could admit the call, the error of the body parser stands.
    const calls = CALLS.filter(([name]) => name !== 'an unread body' || !('options' in setup));
    for (const [name, path, call] of calls) {
      // A second time, the answer comes from the cache.
      for (const reply of [await running.call(path, call), await running.call(path, call)]) {
        const until = new Date(Math.ceil(END.getTime() / 1000) * 1000);
        expect([name, parseHeader(reply)]).toEqual([name, { mode: 'full', scope: '*', until }]);
      }
    }
  });

  it('is on redirects', async () => {
    await startActive({}, { options: { response: { redirectUrl: 'https://status.example/' } } });
    const reply = await running.call('/orders/1', { headers: PAGE });
    expect(reply).toMatchObject({ status: 302, headers: { location: 'https://status.example/' } });
    expect(parseHeader(reply)).toEqual({ mode: 'full', scope: '*', until: undefined });
  });

  it('has the scope as a Display String if a String cannot carry it', async () => {
    await startActive({ scope: SCOPE, mode: 'read-only' });
    const reply = await running.call('/orders', { method: 'POST' });
    expect(reply.status).toBe(503);
    expect(parseHeader(reply)).toEqual({ mode: 'read-only', scope: SCOPE, until: undefined });
    expect(reply.headers['set-cookie']).toBeUndefined();
  });

  it('leaves out a scope that is too long for a header', async () => {
    const scope = 'x'.repeat(20_000);
    await startActive({ scope }, { options: { scopesOf: () => [scope] } });
    const reply = await running.call('/orders/1');
    expect(reply).toMatchObject({ status: 503, headers: { 'maintenance-mode': 'full' } });
    expect(reply.json()).toMatchObject({ scope });
  });

  it('is missing on answers that are not refused', async () => {
    await startActive({ scope: 'other' });
    for (const path of ['/orders/1', '/unknown']) {
      expect((await running.call(path)).headers).not.toHaveProperty('maintenance-mode');
    }
  });
});

describe.each(ADAPTERS)('errorCode (%s)', (adapter) => {
  it('is a member of the exception and of the problem document', async () => {
    caught = [];
    const running = await start(adapter, {
      controllers: [OrdersController],
      options: { exempt: { roles: ['staff'] }, response: { context: () => ({ errorCode: 'MINE', own: 1 }) } },
    });
    await running.maintenance.enable();
    await running.call('/filtered');
    expect(caught).toEqual([expect.any(MaintenanceException)]);
    expect(caught[0]).toMatchObject({ errorCode: 'MAINTENANCE' });
    expect((caught[0] as MaintenanceException).getResponse()).toMatchObject({ errorCode: 'MAINTENANCE', own: 1 });
    expect((await running.call('/orders/1')).json()).toMatchObject({ errorCode: 'MAINTENANCE', own: 1 });
    await running.close();
  });
});
