import {
  Controller,
  Get,
  Injectable,
  Param,
  UnauthorizedException,
  VersioningType,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { MaintenanceOptionsError, MaintenanceModule } from 'nestjs-maintenance';
import { map, type Observable } from 'rxjs';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import type { Reply } from './client.js';
import { CatsController } from './controllers.js';

@Controller()
class WildcardController {
  @Get(':page')
  page(@Param('page') page: string): string {
    return page;
  }
}

let seen: string[] = [];

@Injectable()
class JwtGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    seen.push(context.getHandler().name);
    throw new UnauthorizedException();
  }
}

@Injectable()
class EnvelopeInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Injectable()
class RejectingPipe implements PipeTransform {
  transform(): never {
    throw new Error('rejected');
  }
}

describe.each(ADAPTERS)('the routes of the public status (%s)', (adapter) => {
  let running: Running;
  const startWith = async (setup: Setup = {}): Promise<void> => {
    running = await start(adapter, {
      controllers: [CatsController],
      ...setup,
      extras: { publicStatus: true, ...setup.extras },
    });
  };
  beforeEach(() => (seen = []));
  afterEach(() => running.close());

  const get = (path = '/maintenance-status', headers: Record<string, string> = {}): Promise<Reply> =>
    running.call(path, { headers });

  it('answer GET with JSON that caches may keep for seconds, also in a window', async () => {
    await startWith();
    for (const active of [false, true]) {
      if (active) await running.maintenance.enable();
      const reply = await get();
      expect(reply).toMatchObject({ status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } });
      expect(reply.headers['cache-control']).toBe('public, max-age=5');
      expect(reply.headers['content-length']).toBe(String(Buffer.byteLength(reply.text)));
      expect(reply.json()).toMatchObject({ active });
    }
    expect((await get('/cats')).status).toBe(503);
  });

  it('answer HEAD without a body, and no other method', async () => {
    await startWith();
    const head = await running.call('/maintenance-status', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['content-length']).toBe((await get()).headers['content-length']);
    expect(await running.call('/maintenance-status/events', { method: 'HEAD' })).toMatchObject({
      status: 200,
      text: '',
      headers: { 'content-type': 'text/event-stream' },
    });
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect((await running.call('/maintenance-status', { method })).status).toBe(404);
    await running.maintenance.enable();
    expect((await running.call('/maintenance-status', { method: 'POST' })).status).toBe(503);
    expect((await get('/maintenance-status/other')).status).toBe(503);
    expect((await running.call('/maintenance-status', { method: 'HEAD' })).status).toBe(200);
  });

  it('pass the guards, pipes, interceptors, filters and wildcards of the application', async () => {
    await startWith({
      controllers: [WildcardController],
      providers: [
        { provide: APP_GUARD, useClass: JwtGuard },
        { provide: APP_INTERCEPTOR, useClass: EnvelopeInterceptor },
        { provide: APP_PIPE, useClass: RejectingPipe },
        { provide: APP_FILTER, useValue: { catch: () => seen.push('filter') } },
      ],
    });
    expect((await get()).json()).toMatchObject({ active: false });
    await running.maintenance.enable();
    expect((await get('/maintenance-status?scope=x')).json()).toMatchObject({ active: true });
    expect(seen).toEqual([]);
  });

  it.each([
    ['api', {}, '/api/maintenance-status'],
    ['/api/v2/', {}, '/api/v2/maintenance-status'],
    ['api', { exclude: ['maintenance-status'] }, '/maintenance-status'],
    ['api', { exclude: ['maintenance-status/{*rest}'] }, '/api/maintenance-status'],
    ['api', { exclude: ['cats'] }, '/api/maintenance-status'],
  ])('follow the global prefix %s with %j', async (prefix, options, path) => {
    await startWith({
      main: (app) => {
        app.setGlobalPrefix(prefix, options);
        app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
      },
    });
    await running.maintenance.enable();
    expect((await get(path)).status).toBe(200);
    const other = path.startsWith('/api') ? '/maintenance-status' : '/api/maintenance-status';
    expect((await get(other)).status).toBe(503);
  });

  it.each([VersioningType.HEADER, VersioningType.MEDIA_TYPE, VersioningType.CUSTOM])(
    'ignore versions of type %s',
    async (type) => {
      await startWith({
        main: (app) =>
          void app.enableVersioning({
            type,
            header: 'version',
            key: 'v=',
            extractor: () => '1',
            defaultVersion: '1',
          }),
      });
      expect((await get('/maintenance-status', { version: '7', accept: 'application/json;v=7' })).status).toBe(200);
    },
  );

  it('have the path that the option names', async () => {
    await startWith({ extras: { publicStatus: { path: '/status/maintenance/' } } });
    expect((await get('/status/maintenance')).json()).toMatchObject({ active: false });
    expect((await get()).status).toBe(404);
  });

  it('are served where the module mounts neither its middleware nor its guard', async () => {
    for (const mount of [{ edge: false }, { guard: false }]) {
      await startWith({ extras: { mount } });
      await running.maintenance.enable();
      expect((await get()).status).toBe(200);
      if (mount.edge === false) await running.close();
    }
  });

  it('are readable by pages of every origin, unless the application limits that by CORS', async () => {
    const origin = 'https://shop.example';
    const cors = async (path: string): Promise<unknown[]> => {
      const { headers } = await running.call(path, { method: 'HEAD', headers: { origin } });
      return [headers['access-control-allow-origin'], headers.vary];
    };
    await startWith();
    for (const path of ['/maintenance-status', '/maintenance-status/events'])
      expect(await cors(path)).toEqual(['*', undefined]);
    await running.close();
    await startWith({ main: (app) => app.enableCors({ origin: [origin], credentials: true }) });
    await running.maintenance.enable({ messages: { de: 'Gleich zurück' } });
    expect(await cors('/maintenance-status')).toEqual([origin, 'Origin, Accept-Language']);
    expect(await cors('/maintenance-status/events')).toEqual([origin, 'Origin']);
  });

  it('count as no work that a drain waits for', async () => {
    await startWith();
    const response = await fetch(`http://127.0.0.1:${running.port}/maintenance-status/events`);
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 10_000 })).toMatchObject({ drained: true });
    await response.body!.cancel();
  });
});

it.each([
  [{ publicStatus: 'yes' }, 'the option `publicStatus` must be true, false or an object with path'],
  [{ publicStatus: { path: '' } }, 'the option `publicStatus.path` must be a string that is not empty'],
  [{ publicStatus: { path: 'a b' } }, 'a path such as "maintenance-status"'],
  [{ publicStatus: { paths: 'a' } }, 'unknown option `publicStatus.paths`'],
])('MaintenanceModule refuses %j', (extras, message) => {
  const register = (): unknown => MaintenanceModule.forRoot(extras as never);
  expect(register).toThrow(MaintenanceOptionsError);
  expect(register).toThrow(message);
});
