import { once } from 'node:events';
import {
  Agent,
  createServer,
  request,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { Controller, Get, Injectable, Module, Post, Res, Scope, StreamableFile } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import express from 'express';
import { SkipMaintenance } from 'nestjs-maintenance';
import { ADAPTERS, start, type Adapter, type Running, type Setup } from './application.js';

/** Handlers and providers that ran. */
const ran: string[] = [];

@Controller()
class FilesController {
  @Get('file')
  file(): StreamableFile {
    ran.push('file');
    return new StreamableFile(Readable.from(['a', 'b']));
  }

  @Get('raw')
  raw(@Res() response: { send: (body: string) => void }): void {
    ran.push('raw');
    response.send('raw');
  }

  @Post('upload')
  upload(): string {
    ran.push('upload');
    return 'done';
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  constructor() {
    ran.push('made');
  }
}

@Controller({ path: 'scoped', scope: Scope.REQUEST })
class ScopedController {
  constructor(readonly own: PerRequest) {}

  @Get()
  closed(): string {
    return 'closed';
  }

  @SkipMaintenance()
  @Get('open')
  open(): string {
    return 'open';
  }
}
Reflect.defineMetadata('design:paramtypes', [PerRequest], ScopedController);

const setup = { controllers: [FilesController, ScopedController], providers: [PerRequest] };

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

describe.each(ADAPTERS)('connections (%s)', (adapter) => {
  let running: Running;

  beforeAll(async () => {
    running = await start(adapter, setup);
  });
  beforeEach(() => {
    ran.length = 0;
  });
  afterEach(() => running.maintenance.disable());
  afterAll(() => running.close());

  it('refuses requests on a keep-alive connection during a window only', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number>();
    const get = async (path: string): Promise<number> => {
      const sent = request({ host: '127.0.0.1', port: running.port, path, agent }).end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      ports.add(response.socket.localPort!);
      response.resume();
      await once(response, 'end');
      return response.statusCode!;
    };
    expect([await get('/file'), await get('/none')]).toEqual([200, 404]);
    await running.maintenance.enable();
    expect([await get('/file'), await get('/none'), await get('/raw')]).toEqual([503, 503, 503]);
    await running.maintenance.disable();
    expect([await get('/file'), await get('/none'), await get('/raw')]).toEqual([200, 404, 200]);
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  it.each(['/file', '/raw'])('does not run a handler that sends its own response: %s', async (path) => {
    await running.maintenance.enable();
    expect((await running.call(path)).status).toBe(503);
    expect(ran).toEqual([]);
  });

  it('refuses an upload before it is complete', async () => {
    await running.maintenance.enable();
    const headers = { 'content-type': 'application/octet-stream' };
    const sent = request({
      host: '127.0.0.1',
      port: running.port,
      path: '/upload',
      method: 'POST',
      headers,
      agent: false,
    });
    sent.on('error', () => undefined);
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    sent.write(Buffer.alloc(1024 * 1024));
    const [response] = await answered;
    expect(response.statusCode).toBe(503);
    response.resume();
    sent.destroy();
    expect(ran).toEqual([]);
  });

  it('refuses requests to request-scoped controllers before instantiating them', async () => {
    expect((await running.call('/scoped')).status).toBe(200);
    expect(ran).toEqual(['made']);
    ran.length = 0;
    await running.maintenance.enable();
    expect((await running.call('/scoped')).status).toBe(503);
    expect(ran).toEqual([]);
    expect(await running.call('/scoped/open')).toMatchObject({ status: 200, text: 'open' });
  });

  it('refuses requests after a module was loaded lazily', async () => {
    class LazyModule {}
    Module({ providers: [LazyModule], exports: [LazyModule] })(LazyModule);
    const loaded = await running.app.get(LazyModuleLoader).load(() => LazyModule);
    expect(loaded.get(LazyModule)).toBeInstanceOf(LazyModule);
    await running.maintenance.enable();
    expect([(await running.call('/file')).status, (await running.call('/none')).status]).toEqual([503, 503]);
  });

  it('refuses requests on a second server of the same application', async () => {
    const second = createServer(getRequestListener(adapter, running));
    const port = await listen(second);
    const statuses = async (): Promise<number[]> =>
      Promise.all(['/file', '/none'].map(async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).status));
    expect(await statuses()).toEqual([200, 404]);
    await running.maintenance.enable();
    expect(await statuses()).toEqual([503, 503]);
    await end(second);
  });
});

function getRequestListener(adapter: Adapter, { app }: Running): RequestListener {
  if (adapter === 'express') return app.getHttpAdapter().getInstance();
  const instance: { routing: RequestListener } = app.getHttpAdapter().getInstance();
  return (request, response) => instance.routing(request, response);
}

it('refuses requests below a path of another Express application', async () => {
  const running = await start('express', setup);
  const outer = express().use('/shop', running.app.getHttpAdapter().getInstance());
  const server = createServer(outer);
  const port = await listen(server);
  const status = async (path: string): Promise<number> => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  expect([await status('/shop/file'), await status('/shop/none')]).toEqual([200, 404]);
  await running.maintenance.enable();
  expect([await status('/shop/file'), await status('/shop/none'), await status('/none')]).toEqual([503, 503, 404]);
  await end(server);
  await running.close();
});

describe('HTTP/2 (fastify)', () => {
  let running: Running;
  let session: ClientHttp2Session;

  beforeAll(async () => {
    running = await start('fastify', { ...setup, fastify: { http2: true } });
    session = connect(`http://127.0.0.1:${running.port}`);
  });
  afterAll(async () => {
    session.destroy();
    await running.close();
  });

  async function send(
    headers: Record<string, string>,
    body?: Buffer,
  ): Promise<{ headers: Record<string, unknown>; text: string }> {
    const stream = session.request(headers, { endStream: body === undefined });
    stream.on('error', () => undefined);
    let text = '';
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    const ended = once(stream, 'close');
    const answer = once(stream, 'response') as Promise<[Record<string, unknown>]>;
    if (body) stream.end(body);
    const [answered] = await answer;
    await ended;
    return { headers: answered, text };
  }

  it('refuses streams of one session during a window only', async () => {
    const get = async (path: string): Promise<unknown> => (await send({ ':path': path })).headers[':status'];
    expect([await get('/file'), await get('/none')]).toEqual([200, 404]);
    await running.maintenance.enable({ message: 'Back at four', retryAfter: 60 });

    const refused = await send({ ':path': '/file' });
    expect(refused.headers).toMatchObject({
      ':status': 503,
      'retry-after': '60',
      'maintenance-mode': 'full;scope="*"',
    });
    expect(JSON.parse(refused.text)).toMatchObject({ status: 503, detail: 'Back at four' });
    const page = await send({ ':path': '/none', accept: 'text/html' });
    expect(page.headers).toMatchObject({ ':status': 503, 'content-type': expect.stringContaining('text/html') });
    expect(page.text).toContain('Back at four');
    const head = await send({ ':path': '/file', ':method': 'HEAD' });
    expect([head.headers[':status'], head.text]).toEqual([503, '']);
    const type = { 'content-type': 'application/json' };
    const garbage = await send({ ':path': '/upload', ':method': 'POST', ...type }, Buffer.from('{'));
    expect(garbage.headers[':status']).toBe(503);
    const upload = await send({ ':path': '/upload', ':method': 'POST' }, Buffer.alloc(3 * 1024 * 1024));
    expect(upload.headers[':status']).toBe(503);
    // HTTP/2 accepts every method, Fastify's router does not.
    for (const path of ['/file', '/none']) {
      const unknown = await send({ ':path': path, ':method': 'BREW' });
      expect(unknown.headers).toMatchObject({
        ':status': 503,
        'retry-after': '60',
        'maintenance-mode': 'full;scope="*"',
      });
      expect(JSON.parse(unknown.text)).toMatchObject({ status: 503, detail: 'Back at four' });
    }
    expect(await get('/scoped/open')).toBe(200);

    await running.maintenance.disable();
    expect([await get('/file'), await get('/none')]).toEqual([200, 404]);
    expect((await send({ ':path': '/file', ':method': 'BREW' })).headers[':status']).toBe(404);
    expect(session.destroyed).toBe(false);
  });
});

describe('refusals before the router of Express', () => {
  let running: Running;
  const startActive = async (main: NonNullable<Setup['main']>, options: Setup['options'] = {}): Promise<void> => {
    running = await start('express', { ...setup, options, main });
    await running.maintenance.enable();
  };
  afterEach(async () => {
    (running.app.getHttpServer() as Server).closeAllConnections();
    await running.close();
  });

  it('sends nothing if another request listener of the server has responded', async () => {
    await startActive(() => undefined);
    (running.app.getHttpServer() as Server).on('request', (_request, response) => response.writeHead(200).end('own'));
    // An uncaught error would end the process; Jest then fails the suite.
    expect(await running.call('/none')).toMatchObject({ status: 200, text: 'own' });
  });

  it('responds with 500 if the trust proxy function throws', async () => {
    const trust = (): boolean => {
      throw new Error('no proxy is trusted');
    };
    await startActive((app) => void (app as NestExpressApplication).set('trust proxy', trust), {
      exempt: { ips: ['203.0.113.1'] },
    });
    const headers = { 'x-forwarded-for': '203.0.113.1, 203.0.113.2' };
    expect(await running.call('/none', { headers })).toMatchObject({ status: 500 });
  });

  it.each(['/file', '/none'])('keeps its headers if middleware patches response.end(): %s', async (path) => {
    const wrap = (_request: unknown, response: ServerResponse, next: () => void): void => {
      const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
      response.end = (...args: unknown[]) => {
        if (!response.headersSent)
          response.setHeader('Cache-Control', 'public, max-age=60').removeHeader('Retry-After');
        return end(...args);
      };
      next();
    };
    await startActive((app) => void app.use(wrap));
    for (const accept of ['application/json', 'text/html', 'text/html']) {
      expect(await running.call(path, { headers: { accept } })).toMatchObject({
        status: 503,
        headers: { 'cache-control': 'no-store', 'retry-after': '3600' },
      });
    }
  });
});
