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
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Body, Controller, Get, Injectable, Module, Post, Res, Scope, StreamableFile } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import express from 'express';
import { SkipMaintenance } from 'nestjs-maintenance';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Adapter, type Running, type Setup } from './application.js';

/** What ran. */
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

async function portOf(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

describe.each(ADAPTERS)('connections on %s', (adapter) => {
  let running: Running;

  beforeAll(async () => {
    running = await start(adapter, setup);
  });
  beforeEach(() => {
    ran.length = 0;
  });
  afterEach(() => running.maintenance.disable());
  afterAll(() => running.close());

  it('serve before, refuse during, and serve again after a window', async () => {
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

  it.each(['/file', '/raw'])('run no handler that answers by itself: %s', async (path) => {
    await running.maintenance.enable();
    expect((await running.call(path)).status).toBe(503);
    expect(ran).toEqual([]);
  });

  it('answer an upload before it has come, and keep none of it', async () => {
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
    const failed = new Promise<void>((resolve) => sent.on('error', () => resolve()));
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    const chunk = Buffer.alloc(1024 * 1024);
    sent.write(chunk);
    const [response] = await answered;
    expect(response.statusCode).toBe(503);
    response.resume();
    // Whoever goes on sending all the same fills no memory.
    const before = process.memoryUsage().arrayBuffers;
    let over = false;
    void failed.then(() => (over = true));
    for (let sentMegabytes = 0; sentMegabytes < 100 && !over; sentMegabytes++) {
      if (!sent.write(chunk)) await Promise.race([once(sent, 'drain').catch(() => undefined), failed]);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30 * 1024 * 1024);
    sent.destroy();
    expect(ran).toEqual([]);
  });

  it('to request-scoped controllers are refused before these are made', async () => {
    expect((await running.call('/scoped')).status).toBe(200);
    expect(ran).toEqual(['made']);
    ran.length = 0;
    await running.maintenance.enable();
    expect((await running.call('/scoped')).status).toBe(503);
    expect(ran).toEqual([]);
    expect(await running.call('/scoped/open')).toMatchObject({ status: 200, text: 'open' });
  });

  it('are refused as well after a module was loaded late', async () => {
    class Late {}
    Module({ providers: [Late], exports: [Late] })(Late);
    const loaded = await running.app.get(LazyModuleLoader).load(() => Late);
    expect(loaded.get(Late)).toBeInstanceOf(Late);
    await running.maintenance.enable();
    expect([(await running.call('/file')).status, (await running.call('/none')).status]).toEqual([503, 503]);
  });

  it('to a second server of the same application are refused too', async () => {
    const second = createServer(listenerOf(adapter, running));
    const port = await portOf(second);
    const statuses = async (): Promise<number[]> =>
      Promise.all(['/file', '/none'].map(async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).status));
    expect(await statuses()).toEqual([200, 404]);
    await running.maintenance.enable();
    expect(await statuses()).toEqual([503, 503]);
    await end(second);
  });

  it('leave nothing behind when the application is closed', async () => {
    // What is being closed is not held.
    const held = (): string[] =>
      process
        .getActiveResourcesInfo()
        .filter((name) => name !== 'CloseReq')
        .sort();
    const signals = (): number => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
    // The other application may be writing its report.
    await until('no file is worked on', () => !held().includes('FSReqPromise'));
    const before = { held: held(), signals: signals() };
    const own = await start(adapter, {
      ...setup,
      options: { refreshInterval: 1_000 },
      main: (app) => void app.enableShutdownHooks(),
    });
    await own.maintenance.enable({ startsAt: new Date(Date.now() + 3_600_000) });
    await own.maintenance.enable();
    expect((await own.call('/file')).status).toBe(503);
    await own.close();
    for (const deadline = Date.now() + 5_000; held().length > before.held.length && Date.now() < deadline;) {
      await new Promise(setImmediate);
    }
    expect({ held: held(), signals: signals() }).toEqual(before);
  });
});

function listenerOf(adapter: Adapter, { app }: Running): RequestListener {
  if (adapter === 'express') return app.getHttpAdapter().getInstance();
  const instance: { routing: RequestListener } = app.getHttpAdapter().getInstance();
  return (request, response) => instance.routing(request, response);
}

it('are refused below a path of another application, on express', async () => {
  const running = await start('express', setup);
  const outer = express().use('/shop', running.app.getHttpAdapter().getInstance());
  const server = createServer(outer);
  const port = await portOf(server);
  const status = async (path: string): Promise<number> => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  expect([await status('/shop/file'), await status('/shop/none')]).toEqual([200, 404]);
  await running.maintenance.enable();
  expect([await status('/shop/file'), await status('/shop/none'), await status('/none')]).toEqual([503, 503, 404]);
  await end(server);
  await running.close();
});

describe('HTTP/2 on fastify', () => {
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

  it('serves before, refuses during, and serves again after a window on one session', async () => {
    const get = async (path: string): Promise<unknown> => (await send({ ':path': path })).headers[':status'];
    expect([await get('/file'), await get('/none')]).toEqual([200, 404]);
    await running.maintenance.enable({ message: 'Back at four', retryAfter: 60 });

    const refused = await send({ ':path': '/file' });
    expect(refused.headers).toMatchObject({ ':status': 503, 'retry-after': '60', 'cache-control': 'no-store' });
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
    // HTTP/2 takes every method, Fastify's router does not.
    for (const path of ['/file', '/none']) {
      const unknown = await send({ ':path': path, ':method': 'BREW' });
      expect(unknown.headers).toMatchObject({ ':status': 503, 'retry-after': '60', 'cache-control': 'no-store' });
      expect(JSON.parse(unknown.text)).toMatchObject({ status: 503, detail: 'Back at four' });
    }
    expect(await get('/scoped/open')).toBe(200);

    await running.maintenance.disable();
    expect([await get('/file'), await get('/none')]).toEqual([200, 404]);
    expect((await send({ ':path': '/file', ':method': 'BREW' })).headers[':status']).toBe(404);
    expect(session.destroyed).toBe(false);
  });
});

describe('before Express has prepared a request', () => {
  let running: Running;
  const open = async (main: NonNullable<Setup['main']>, options: Setup['options'] = {}): Promise<void> => {
    running = await start('express', { ...setup, options, main });
    await running.maintenance.enable();
  };
  afterEach(async () => {
    (running.app.getHttpServer() as Server).closeAllConnections();
    await running.close();
  });

  it('nothing is said where another listener of the server has answered', async () => {
    await open(() => undefined);
    (running.app.getHttpServer() as Server).on('request', (_request, response) => response.writeHead(200).end('own'));
    // What is thrown beside the answer ends a process; Jest then fails the suite.
    expect(await running.call('/none')).toMatchObject({ status: 200, text: 'own' });
  });

  it('a setting that throws costs one answer, and not the process', async () => {
    const trust = (): boolean => {
      throw new Error('nobody is trusted');
    };
    await open((app) => void (app as NestExpressApplication).set('trust proxy', trust), {
      exempt: { ips: ['203.0.113.1'] },
    });
    const headers = { 'x-forwarded-for': '203.0.113.1, 203.0.113.2' };
    expect(await running.call('/none', { headers })).toMatchObject({ status: 500 });
  });

  it.each(['/file', '/none'])('what wraps the end of answers takes no header away from %s', async (path) => {
    const wrap = (_request: unknown, response: ServerResponse, next: () => void): void => {
      const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
      response.end = (...args: unknown[]) => {
        if (!response.headersSent)
          response.setHeader('Cache-Control', 'public, max-age=60').removeHeader('Retry-After');
        return end(...args);
      };
      next();
    };
    await open((app) => void app.use(wrap));
    for (const accept of ['application/json', 'text/html', 'text/html']) {
      expect(await running.call(path, { headers: { accept } })).toMatchObject({
        status: 503,
        headers: { 'cache-control': 'no-store', 'retry-after': '3600' },
      });
    }
  });
});

it.each(ADAPTERS)('nothing of a burst of requests is kept where nobody comes after it, on %s', async (adapter) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const bodies: WeakRef<object>[] = [];
  let answer = (): void => undefined;
  const together = new Promise<void>((resolve) => (answer = resolve));

  @Controller()
  class BurstController {
    @Post('burst')
    take(@Body() body: object): Promise<void> {
      bodies.push(new WeakRef(body));
      return together;
    }
  }

  const running = await start(adapter, { controllers: [BurstController] });
  try {
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"large":true}' };
    const answers = Array.from({ length: 20 }, () => running.call('/burst', request));
    await until('all have come', () => bodies.length === answers.length);
    answer();
    await Promise.all(answers);
    const left = (): number => bodies.filter((body) => body.deref()).length;
    await until(
      'all are gone',
      async () => {
        // A reference that was looked at holds until the turn is over.
        await new Promise((resolve) => setTimeout(resolve, 100));
        collect();
        return left() === 0;
      },
      12_000,
    );
  } finally {
    await running.close();
  }
});
