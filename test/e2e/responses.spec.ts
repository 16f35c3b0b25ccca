import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Catch,
  Controller,
  Get,
  HttpException,
  Injectable,
  Logger,
  Render,
  Res,
  UseFilters,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type LoggerService,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE, HttpAdapterHost } from '@nestjs/core';
import Handlebars from 'handlebars';
import type { Observable } from 'rxjs';
import {
  MaintenanceInterceptor,
  MaintenanceScope,
  SkipMaintenance,
  type EnableOptions,
  type ResponseOptions,
} from 'nestjs-maintenance';
import { ADAPTER_REGISTRATIONS, start, type Running, type Setup } from './application.js';
import { CatsController } from './controllers.js';

const HTML = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

/** Replaces body, status and headers of every exception. */
@Catch()
class CatchAll implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const { httpAdapter } = this.host;
    const response: unknown = host.switchToHttp().getResponse();
    httpAdapter.setHeader(response, 'Cache-Control', 'public, max-age=60');
    httpAdapter.setHeader(response, 'Retry-After', '1');
    httpAdapter.reply(response, { caught: exception instanceof HttpException ? exception.getResponse() : null }, 500);
  }
}

@Injectable()
class Wrap implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Injectable()
class Reject implements PipeTransform {
  transform(): never {
    throw new HttpException('the pipe', 400);
  }
}

@UseFilters(CatchAll)
@Controller('filtered')
class FilteredController {
  @Get()
  get(): string {
    return 'filtered';
  }
}

@SkipMaintenance()
@UseInterceptors(MaintenanceInterceptor)
@Controller('locals')
class LocalsController {
  @Get()
  locals(@Res({ passthrough: true }) response: { locals: { maintenanceMode: boolean } }): object {
    return { ...response.locals };
  }
}

@SkipMaintenance()
@Controller('views')
class ViewsController {
  @Get('rendered')
  @Render('view.hbs')
  rendered(): object {
    return { name: 'rendered' };
  }

  @Get('res')
  res(
    @Res() response: { render?: (view: string, locals: object) => void; view?: (view: string, locals: object) => void },
  ): void {
    const locals = { name: 'res' };
    if (response.view) response.view('view.hbs', locals);
    else response.render?.('view.hbs', locals);
  }
}

function writeTemplate(source: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'template-')), 'page.hbs');
  writeFileSync(file, source);
  return file;
}

describe.each(ADAPTER_REGISTRATIONS)('the response to a refused request (%s, %s)', (adapter, registration) => {
  let running: Running;
  const startActive = async (
    response: ResponseOptions = {},
    window: EnableOptions = {},
    setup: Setup = {},
  ): Promise<Running['call']> => {
    running = await start(adapter, {
      registration,
      controllers: [CatsController, FilteredController],
      ...setup,
      options: { response },
    });
    await running.maintenance.enable(window);
    return running.call;
  };
  afterEach(() => running.close());

  it('has the format that the Accept header prefers', async () => {
    const call = await startActive();
    for (const [accept, type] of [
      [HTML.accept, 'html'],
      ['text/html', 'html'],
      ['text/*', 'html'],
      ['application/xhtml+xml', 'html'],
      ['text/html;q=0.9, application/json;q=0.8', 'html'],
      ['text/html;q=0.8, application/json;q=0.9', 'json'],
      ['text/html;q=0, */*', 'json'],
      ['*/*', 'json'],
      ['application/*', 'json'],
      ['application/problem+json', 'json'],
      ['image/png', 'json'],
      ['', 'json'],
      ['nonsense', 'json'],
      [';;;,,,', 'json'],
    ]) {
      const reply = await call('/cats', { headers: { accept } as Record<string, string> });
      const expected = type === 'html' ? 'text/html; charset=utf-8' : 'application/problem+json';
      expect([accept, reply.status, reply.headers['content-type']]).toEqual([accept, 503, expected]);
    }
  });

  it('is a problem document with all members', async () => {
    const endsAt = new Date(Date.now() + 600_000).toISOString();
    const call = await startActive({}, { message: 'Back <soon>', endsAt });
    const reply = await call('/cats');
    const body = reply.json();
    expect(body).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'Back <soon>',
      statusCode: 503,
      message: 'Back <soon>',
      error: 'Service Unavailable',
      errorCode: 'MAINTENANCE',
      retryAfter: expect.any(Number) as number,
      startsAt: expect.any(String) as string,
      endsAt,
      scope: '*',
      mode: 'full',
    });
    expect(body.retryAfter).toBeGreaterThan(590);
    expect(body.retryAfter).toBeLessThanOrEqual(600);
    expect(reply.headers['retry-after']).toBe(String(body.retryAfter));
  });

  it('is a self-contained page with escaped text', async () => {
    const call = await startActive({}, { message: '<script>alert("{{x}}")</script>' });
    const reply = await call('/nowhere', { headers: HTML });
    expect(reply.status).toBe(503);
    expect(reply.text).toContain('&lt;script&gt;');
    expect(reply.text).not.toContain('<script>alert');
    expect(reply.text).not.toMatch(/(?:src|href)="https?:/);
    const policy = String(reply.headers['content-security-policy']);
    expect(policy).toMatch(/default-src 'none'/);
    expect(policy).toMatch(/script-src 'sha256-/);
    expect(reply.headers['content-length']).toBe(String(Buffer.byteLength(reply.text)));
    expect((await call('/cats', { method: 'HEAD', headers: HTML })).text).toBe('');
  });

  it('has the configured status and Retry-After header', async () => {
    let call = await startActive({ statusCode: 418, retryAfter: 120 });
    expect(await call('/cats')).toMatchObject({ status: 418, headers: { 'retry-after': '120' } });
    expect((await call('/cats')).json()).toMatchObject({ status: 418, title: "I'm a Teapot", retryAfter: 120 });
    await running.close();
    call = await startActive({ retryAfter: 0 });
    expect((await call('/cats')).headers['retry-after']).toBeUndefined();
    expect((await call('/cats')).json()).toMatchObject({ retryAfter: null });
    await running.close();
    call = await startActive({}, { retryAfter: 7 });
    expect((await call('/cats')).headers['retry-after']).toBe('7');
  });

  it('has the format that response.type configures', async () => {
    let call = await startActive({ type: 'html' });
    expect((await call('/cats')).headers['content-type']).toMatch(/html/);
    await running.close();
    call = await startActive({ type: 'json' });
    expect((await call('/cats', { headers: HTML })).headers['content-type']).toMatch(/json/);
    await running.close();
    call = await startActive({
      type: (request: { url: string }) => (request.url.startsWith('/cats') ? 'html' : 'json'),
    });
    expect((await call('/cats')).headers['content-type']).toMatch(/html/);
    expect((await call('/nowhere', { headers: HTML })).headers['content-type']).toMatch(/json/);
  });

  it('is a redirect to response.redirectUrl instead of the page', async () => {
    let call = await startActive({ redirectUrl: '/cats/tom' });
    const reply = await call('/cats', { headers: HTML });
    expect(reply).toMatchObject({
      status: 302,
      text: '',
      headers: { location: '/cats/tom', 'cache-control': 'no-store' },
    });
    expect(reply.headers.vary).toMatch(/Accept/);
    expect((await call('/cats')).status).toBe(503);
    expect((await call('/cats/tom', { headers: HTML })).text).toBe('one cat');
    await running.close();

    call = await startActive({ redirectUrl: 'https://status.example.com/now' });
    expect((await call('/cats', { headers: HTML })).headers.location).toBe('https://status.example.com/now');
    const there = await call('/cats', { headers: { ...HTML, host: 'Status.example.com' } });
    expect(there.status).toBe(503);
    expect(there.headers['content-type']).toMatch(/html/);
  });

  it('uses response.template and response.context', async () => {
    const call = await startActive(
      {
        template: writeTemplate('<h1>{{title}}</h1>{{message}} {{shop}} {{mode}} {{endsAt}}'),
        context: (request: { url: string }) => Promise.resolve({ shop: `shop ${request.url}`, message: 'never' }),
      },
      { message: 'Tom & Jerry' },
    );
    const reply = await call('/cats', { headers: HTML });
    expect(reply.text).toBe('<h1>Down for maintenance</h1>Tom &amp; Jerry shop /cats full ');
    expect(reply.headers['content-security-policy']).toBeUndefined();
    expect((await call('/cats')).json()).toMatchObject({ shop: 'shop /cats', message: 'Tom & Jerry' });
    await running.maintenance.enable({ message: 'Changed' });
    expect((await call('/cats', { headers: HTML })).text).toContain('Changed');
  });

  it('falls back to the built-in page or to JSON without custom members if template or context fail', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const unprintable = {
      toString: () => {
        throw new Error('no shop');
      },
    };
    const own = writeTemplate('{{shop}}');
    for (const [reason, context] of [
      ['no shop', () => ({ shop: unprintable })],
      ['no database', () => Promise.reject(new Error('no database'))],
    ] as const) {
      logged.mockClear();
      const call = await startActive({ template: own, context }, { message: '<b>' });
      for (let round = 0; round < 3; round++) {
        const plain = await call('/cats', { headers: HTML });
        expect(plain).toMatchObject({ status: 503, headers: { 'retry-after': '3600' } });
        expect(plain.text).toMatch(/<h1.*&lt;b&gt;/s);
      }
      expect(logged.mock.calls).toEqual([[expect.stringContaining(reason)]]);
      expect((await call('/cats')).json()).toMatchObject({ status: 503, message: '<b>' });
      await running.close();
    }
    const call = await startActive({ context: () => Promise.reject(new Error('no database')) });
    expect((await call('/cats', { headers: HTML })).text).toContain('This page comes back by itself');
    logged.mockRestore();
  });

  it('is sent even if user callbacks throw', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const nothing = Object.create(null) as object;
    const throwing = (thrown: unknown) => (): never => {
      throw thrown as Error;
    };
    const FUNCTIONS: ResponseOptions[] = [
      { context: () => ({ big: 5n }) },
      { context: () => circular },
      { context: () => 'text' as never },
      { context: () => null as never },
      { context: throwing(nothing) },
      { context: async () => throwing(nothing)() },
      { type: throwing(nothing) },
      { type: (() => Promise.reject(new Error('no'))) as never },
      { type: (() => 'xml') as never },
    ];
    for (const response of FUNCTIONS) {
      for (const edge of [true, false]) {
        const call = await startActive(response, {}, { extras: { mount: { edge } } });
        expect((await call('/cats')).json()).toMatchObject({ status: 503, mode: 'full' });
        expect((await call('/cats', { headers: HTML })).status).toBe(503);
        await running.close();
      }
    }
    running = await start(adapter, { options: { response: { type: (() => Promise.resolve('html')) as never } } });
    await running.maintenance.enable();
    expect((await running.call('/nowhere')).headers['content-type']).toMatch(/html/);
    logged.mockRestore();
  });

  it('encodes response.redirectUrl and does not redirect to itself', async () => {
    for (const [redirectUrl, location] of [
      ['/日本', '/%E6%97%A5%E6%9C%AC'],
      ['/café?a=b#c', '/caf%C3%A9?a=b#c'],
      ['https://例え.example/', 'https://xn--r8jz45g.example/'],
    ] as const) {
      const call = await startActive({ redirectUrl });
      const reply = await call('/cats', { headers: HTML });
      expect(reply).toMatchObject({ status: 302, headers: { location } });
      if (redirectUrl.startsWith('/')) expect((await call(location, { headers: HTML })).status).toBe(404);
      await running.close();
    }
    const call = await startActive({ redirectUrl: 'https://shop.example.com/x' });
    for (const host of ['shop.example.com', 'Shop.example.com:443']) {
      expect((await call('/cats', { headers: { ...HTML, host } })).status).toBe(503);
    }
  });

  it('keeps status, headers and page despite global filters, pipes and interceptors', async () => {
    const providers = [
      { provide: APP_FILTER, useClass: CatchAll },
      { provide: APP_INTERCEPTOR, useClass: Wrap },
      { provide: APP_PIPE, useClass: Reject },
    ];
    const main: Setup['main'] = (app: INestApplication) =>
      void app.useGlobalFilters(new CatchAll(app.get(HttpAdapterHost)));
    for (const edge of [true, false]) {
      const call = await startActive(
        {},
        { message: 'Back soon' },
        { providers, main, controllers: [CatsController], extras: { mount: { edge } } },
      );
      for (const headers of [{}, HTML]) {
        const reply = await call('/cats', { headers: headers });
        expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '3600', 'cache-control': 'no-store' } });
        expect(reply.text).toContain('Back soon');
        expect(reply.text).not.toContain('caught');
      }
      if (edge) await running.close();
    }
  });

  it('keeps status and headers despite a catch-all filter on the controller', async () => {
    const call = await startActive({}, { message: 'Back soon' }, { extras: { mount: { edge: false } } });
    const reply = await call('/filtered');
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '3600', 'cache-control': 'no-store' } });
    expect(reply.headers.etag).toBeUndefined();
    expect(reply.json()).toMatchObject({
      caught: { status: 503, detail: 'Back soon', retryAfter: 3600, mode: 'full' },
    });
  });

  it('keeps its status despite a filter that redirects', async () => {
    @Catch()
    class Redirecting implements ExceptionFilter {
      catch(_exception: unknown, host: ArgumentsHost): void {
        running.app.getHttpAdapter().redirect(host.switchToHttp().getResponse(), 302, '/error');
      }
    }
    @UseFilters(Redirecting)
    @Controller('redirecting')
    class RedirectingController {
      @Get()
      get(): string {
        return '';
      }
    }
    const call = await startActive(
      {},
      {},
      { controllers: [RedirectingController], extras: { mount: { edge: false } } },
    );
    expect(await call('/redirecting')).toMatchObject({ status: 503, headers: { 'retry-after': '3600' } });
  });

  it('describes the window that covers the handler, not that of a similar handler', async () => {
    abstract class Base {
      @Get()
      get(): string {
        return '';
      }
    }
    @MaintenanceScope('a')
    @Controller('a')
    class A extends Base {}
    @MaintenanceScope('b')
    @Controller('b')
    class B extends Base {}
    const call = await startActive({}, { scope: 'a', message: 'a' }, { controllers: [A, B] });
    await running.maintenance.enable({ scope: 'b', message: 'b' });
    expect((await call('/a')).json()).toMatchObject({ scope: 'a', message: 'a' });
    expect((await call('/b')).json()).toMatchObject({ scope: 'b', message: 'b' });
  });

  it('is not logged by Nest', async () => {
    const lines: unknown[] = [];
    const write = (line: unknown): void => void lines.push(line);
    const logger: LoggerService = { log: write, warn: write, error: write, fatal: write };
    const call = await startActive({}, {}, { create: { logger } });
    lines.length = 0;
    for (const path of ['/cats', '/nowhere', '/filtered']) await call(path);
    expect(lines).toEqual([]);
    await running.maintenance.disable();
    expect(lines).toEqual([expect.stringMatching(/Maintenance is off/)]);
  });

  it('describes the last-ending of several windows', async () => {
    const call = await startActive({}, { message: 'long', endsAt: new Date(Date.now() + 3_600_000) });
    await running.maintenance.enable({ mode: 'read-only', message: 'short', endsAt: new Date(Date.now() + 60_000) });
    expect((await call('/cats', { method: 'POST' })).json()).toMatchObject({ message: 'long', mode: 'full' });
    await running.maintenance.enable({ mode: 'read-only', endsAt: null, message: 'endless' });
    expect((await call('/cats', { method: 'POST' })).json()).toMatchObject({
      message: 'endless',
      mode: 'read-only',
      retryAfter: 3600,
    });
    expect((await call('/cats')).json()).toMatchObject({ message: 'long', mode: 'full' });
  });

  it('comes from the handler if it is exempt, with the status in the locals of MaintenanceInterceptor', async () => {
    const call = await startActive({}, { message: 'now' }, { controllers: [LocalsController] });
    expect((await call('/locals')).json()).toMatchObject({ maintenanceMode: true, maintenance: { revision: 1 } });
    await running.maintenance.disable();
    expect((await call('/locals')).json()).toMatchObject({ maintenanceMode: false, maintenance: { revision: 2 } });
  });

  it('comes from the view if its handler is exempt, with the status in the locals', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'views-'));
    writeFileSync(
      join(folder, 'view.hbs'),
      '{{name}} {{maintenanceMode}} {{maintenance.revision}} {{maintenance.windows.active.0.message}}',
    );
    const call = await startActive(
      {},
      { message: 'now' },
      {
        controllers: [ViewsController],
        main: async (app) => {
          const instance = app.getHttpAdapter().getInstance() as {
            engine?: (extension: string, engine: unknown) => void;
            set: (key: string, value: unknown) => void;
            register: (plugin: unknown, options: unknown) => Promise<void>;
          };
          if (adapter === 'fastify') {
            const { default: view } = await import('@fastify/view');
            return void (await instance.register(view, { engine: { handlebars: Handlebars }, root: folder }));
          }
          const { readFile } = await import('node:fs/promises');
          const engine = (path: string, locals: object, done: (error: unknown, html?: string) => void): void =>
            void readFile(path, 'utf8').then((source) => done(null, Handlebars.compile(source)(locals)), done);
          instance.engine?.('hbs', engine);
          instance.set('views', folder);
        },
      },
    );
    expect((await call('/views/rendered')).text).toBe('rendered true 1 now');
    expect((await call('/views/res')).text).toBe('res true 1 now');
    await running.maintenance.disable();
    expect((await call('/views/rendered')).text).toBe('rendered false 2 ');
  });
});
