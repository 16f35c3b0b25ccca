import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import fastifyHttpProxy from '@fastify/http-proxy';
import fastifyWebsocket from '@fastify/websocket';
import { Controller, Get } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { SkipMaintenance, type EnableOptions } from 'nestjs-maintenance';
import WebSocket, { WebSocketServer } from 'ws';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Adapter, type Running, type Setup } from './application.js';
import { ioPeer, upgrade } from './socket-clients.js';

const REFUSAL = {
  status: 503,
  headers: { 'retry-after': '3600', 'cache-control': 'no-store', 'maintenance-mode': 'full;scope="*"' },
};
const CLOSE_FRAME = { code: 1013, reason: 'Down for maintenance' };

@Controller()
class PlainController {
  @Get('live')
  live(): string {
    return 'plain';
  }
}

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Messages that the application received over its sockets. */
let received: string[] = [];
beforeEach(() => (received = []));

function echo(socket: WebSocket): void {
  socket.on('message', (text: Buffer) => {
    received.push(text.toString());
    socket.send(`echo ${text.toString()}`);
  });
  socket.on('error', () => undefined);
}

async function startForTest(adapter: Adapter, setup: Setup = {}): Promise<Running> {
  const running = await start(adapter, setup);
  open.push(() => running.close());
  return running;
}

/** Starts a service behind the proxy of the application and returns its URL. */
async function startUpstream(): Promise<string> {
  const server = createServer();
  new WebSocketServer({ server }).on('connection', echo);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

class Client {
  readonly messages: string[] = [];
  readonly socket: WebSocket;
  closed: { code: number; reason: string } | null = null;

  constructor(port: number, path = '/live', headers: Record<string, string> = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
    this.socket.on('message', (text: Buffer) => this.messages.push(text.toString()));
    this.socket.on('close', (code, reason) => (this.closed = { code, reason: reason.toString() }));
    this.socket.on('error', () => undefined);
    open.push(() => this.socket.terminate());
  }

  async waitUntilOpen(): Promise<this> {
    await until('the socket is open', () => this.socket.readyState === WebSocket.OPEN);
    return this;
  }

  async sendAndWaitForEcho(text: string): Promise<void> {
    this.socket.send(text);
    await until(`"${text}" is answered`, () => this.messages.includes(`echo ${text}`));
  }

  async waitUntilClosed(): Promise<{ code: number; reason: string } | null> {
    await until('the socket is closed', () => this.closed !== null);
    return this.closed;
  }
}

interface UpgradeSetup {
  name: string;
  adapters: Adapter[];
  setup: () => Setup | Promise<Setup>;
  afterStart?: (running: Running) => void;
}

type Registering = { register(plugin: unknown, options: object): Promise<unknown> };
type WithInstance = { getHttpAdapter(): { getInstance(): unknown } };

const UPGRADE_SETUPS: UpgradeSetup[] = [
  {
    name: 'ws server next to Nest',
    adapters: ADAPTERS,
    setup: () => ({
      main: (app) => {
        new WebSocketServer({ server: app.getHttpServer() as Server, path: '/live' }).on('connection', echo);
      },
    }),
  },
  {
    name: 'ws server added after listen()',
    adapters: ADAPTERS,
    setup: () => ({}),
    afterStart: ({ app }) => void new WebSocketServer({ server: app.getHttpServer() as Server }).on('connection', echo),
  },
  {
    name: 'http-proxy-middleware',
    adapters: ADAPTERS,
    setup: async () => {
      const proxy = createProxyMiddleware({ target: await startUpstream(), ws: true });
      return {
        main: (app) => {
          app.use('/live', proxy);
          (app.getHttpServer() as Server).on('upgrade', proxy.upgrade as never);
        },
      };
    },
  },
  {
    name: '@fastify/websocket',
    adapters: ['fastify'],
    setup: () => ({
      main: async (app) => {
        await (app as unknown as Registering).register(fastifyWebsocket, {});
        const instance = (app as unknown as WithInstance).getHttpAdapter().getInstance();
        type Routing = {
          register(plugin: (scope: Routing) => Promise<void>): Promise<void>;
          get(...args: unknown[]): void;
        };
        await (instance as Routing).register(async (scope) => scope.get('/live', { websocket: true }, echo));
      },
    }),
  },
  {
    name: '@fastify/http-proxy',
    adapters: ['fastify'],
    setup: async () => {
      const target = await startUpstream();
      return {
        main: async (app) => {
          const options = { upstream: target, prefix: '/live', websocket: true };
          await (app as unknown as Registering).register(fastifyHttpProxy, options);
        },
      };
    },
  },
];

const TABLE = UPGRADE_SETUPS.flatMap(({ adapters, ...setup }) => adapters.map((adapter) => ({ adapter, ...setup })));

describe('upgrades outside of gateways', () => {
  it.each(TABLE)('are refused and open ones closed during a full window: $name ($adapter)', async (upgrading) => {
    const running = await startForTest(upgrading.adapter, await upgrading.setup());
    upgrading.afterStart?.(running);
    const { port, maintenance } = running;
    const early = await new Client(port).waitUntilOpen();
    await early.sendAndWaitForEcho('before');

    await maintenance.enable();
    expect(await early.waitUntilClosed()).toEqual(CLOSE_FRAME);
    expect(await upgrade(port, '/live')).toMatchObject(REFUSAL);
    expect(await upgrade(port, '/unknown')).toMatchObject(REFUSAL);

    await maintenance.disable();
    const late = await new Client(port).waitUntilOpen();
    await late.sendAndWaitForEcho('after');
    expect(received).toEqual(['before', 'after']);
  });
});

describe.each(ADAPTERS)('upgrades (%s)', (adapter) => {
  /** Starts an application with a ws server next to Nest. */
  function startEcho(setup: Setup = {}): Promise<Running> {
    return startForTest(adapter, {
      ...setup,
      main: async (app) => {
        await setup.main?.(app);
        new WebSocketServer({ server: app.getHttpServer() as Server }).on('connection', echo);
      },
    });
  }

  const staff = {
    options: { exempt: { roles: ['staff'], user: getUser as never } },
  };

  interface Row {
    name: string;
    setup?: Setup;
    window?: EnableOptions;
    path?: string;
    headers?: Record<string, string>;
    isAdmitted: boolean;
  }
  const rows: Row[] = [
    { name: 'an exempt address', setup: { options: { exempt: { ips: ['127.0.0.1'] } } }, isAdmitted: true },
    { name: 'another address', setup: { options: { exempt: { ips: ['192.0.2.1'] } } }, isAdmitted: false },
    { name: 'a window that admits the address', window: { allowIps: ['127.0.0.1'] }, isAdmitted: true },
    { name: 'a window that admits another', window: { allowIps: ['192.0.2.1'] }, isAdmitted: false },
    { name: 'an exempt URL', setup: { options: { exempt: { urls: ['/live'] } } }, isAdmitted: true },
    { name: 'another URL', setup: { options: { exempt: { urls: ['/other'] } } }, isAdmitted: false },
    { name: 'an exempt role', setup: staff, headers: { 'x-role': 'staff' }, isAdmitted: true },
    { name: 'another role', setup: staff, headers: { 'x-role': 'guest' }, isAdmitted: false },
    { name: 'a read-only window', window: { mode: 'read-only' }, isAdmitted: true },
    { name: 'a window on a scope', window: { scope: 'payments' }, isAdmitted: true },
    { name: 'mount.edge: false', setup: { extras: { mount: { edge: false } } }, isAdmitted: true },
    { name: 'mount.guard: false', setup: { extras: { mount: { guard: false } } }, isAdmitted: false },
  ];

  it.each(rows)('are admitted and refused like unknown URLs: $name', async (row) => {
    const { setup, window, path = '/live', headers, isAdmitted } = row;
    const { port, maintenance } = await startEcho(setup);
    const early = await new Client(port, path, headers).waitUntilOpen();
    await maintenance.enable(window);
    if (!isAdmitted) {
      expect(await early.waitUntilClosed()).toEqual(CLOSE_FRAME);
      expect(await upgrade(port, path, headers)).toMatchObject({ status: 503 });
      return;
    }
    const late = await new Client(port, path, headers).waitUntilOpen();
    await late.sendAndWaitForEcho('late');
    await early.sendAndWaitForEcho('early');
    expect(early.closed).toBeNull();
  });

  it('are refused at the paths of probes and of response.redirectUrl', async () => {
    const { port, maintenance } = await startEcho({ options: { response: { redirectUrl: '/closed' } } });
    await maintenance.enable();
    for (const path of ['/health', '/robots.txt', '/closed'])
      expect([path, await upgrade(port, path)]).toMatchObject([path, { status: 503 }]);
  });

  it.each([
    ['exempt.user', { roles: ['staff'], user: fail }],
    ['the trust proxy function', { ips: ['127.0.0.1'] }],
  ])('are refused if %s throws', async (_name, exempt) => {
    const { port, maintenance } = await startEcho({
      options: { exempt },
      fastify: { trustProxy: fail },
      main: (app) => (app as { set?: (name: string, value: unknown) => void }).set?.('trust proxy', fail),
    });
    const forwarded = { 'x-forwarded-for': '192.0.2.1' };
    const early = await new Client(port, '/live', forwarded).waitUntilOpen();
    await maintenance.enable();
    expect(await early.waitUntilClosed()).toEqual(CLOSE_FRAME);
    expect(await upgrade(port, '/live', forwarded)).toMatchObject({ status: 503 });
  });

  it('deliver no messages that the client sends after its socket was closed', async () => {
    const { port, maintenance } = await startEcho();
    const client = await new Client(port).waitUntilOpen();
    await client.sendAndWaitForEcho('before');
    const raw = (client.socket as unknown as { _socket: Socket })._socket;
    const got: Buffer[] = [];
    raw.removeAllListeners('data');
    raw.on('data', (chunk: Buffer) => got.push(chunk));
    await maintenance.enable();
    await until('the close frame is there', () => got.length > 0);
    // A text frame of a client, "late", with a mask of zeros.
    raw.write(Buffer.from([0x81, 0x84, 0, 0, 0, 0, ...Buffer.from('late')]));
    await until('the server has closed the connection', () => raw.destroyed || raw.readableEnded);
    expect(Buffer.concat(got).subarray(0, 4)).toEqual(Buffer.from([0x88, 22, 0x03, 0xf5]));
    expect(received).toEqual(['before']);
  });

  it('are closed after the frame that the server is sending', async () => {
    const halves: Duplex[] = [];
    const message = Buffer.concat([Buffer.from([0x81, 10]), Buffer.from('0123456789')]);
    const { port, maintenance } = await startForTest(adapter, {
      main: (app) => {
        const server = new WebSocketServer({ noServer: true });
        (app.getHttpServer() as Server).on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
          server.handleUpgrade(request, socket, head, () => {
            socket.write(message.subarray(0, 5));
            halves.push(socket);
          }),
        );
      },
    });
    const client = await new Client(port).waitUntilOpen();
    await until('the frame has begun', () => halves.length === 1);
    await maintenance.enable();
    halves[0]!.write(message.subarray(5, 8));
    halves[0]!.write(Buffer.concat([message.subarray(8), message]));
    expect(await client.waitUntilClosed()).toEqual(CLOSE_FRAME);
    expect(client.messages).toEqual(['0123456789']);
  });

  it('are refused if the application has not responded yet', async () => {
    const waiting: Duplex[] = [];
    const { port, maintenance } = await startForTest(adapter, {
      main: (app) =>
        void (app.getHttpServer() as Server).on('upgrade', (_request: IncomingMessage, socket: Duplex) =>
          waiting.push(socket),
        ),
    });
    const reply = upgrade(port, '/live');
    await until('the application has it', () => waiting.length === 1);
    await maintenance.enable();
    expect(await reply).toMatchObject(REFUSAL);
    // A late response of the application must not throw.
    waiting[0]!.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  });

  it('to other protocols are refused and open ones ended', async () => {
    const { port, maintenance } = await startForTest(adapter, {
      main: (app) =>
        void (app.getHttpServer() as Server).on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
          socket.on('data', (chunk: Buffer) => socket.write(chunk));
          socket.on('error', () => undefined);
        }),
    });
    const head = 'GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n';
    const early = openConnection(port, head);
    await until('it is upgraded', () => early.text().startsWith('HTTP/1.1 101'));
    early.socket.write('hello');
    await until('it answers', () => early.text().endsWith('hello'));
    await maintenance.enable();
    await until('it is ended', () => early.isEnded());
    const late = openConnection(port, head);
    await until('it is refused', () => late.isEnded());
    expect(late.text()).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: 3600\r\n/);
  });

  it('include CONNECT requests and open tunnels', async () => {
    const { port, maintenance } = await startForTest(adapter, {
      main: (app) =>
        void (app.getHttpServer() as Server).on('connect', (_request: IncomingMessage, socket: Duplex) => {
          socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
          socket.on('data', (chunk: Buffer) => socket.write(chunk));
          socket.on('error', () => undefined);
        }),
    });
    const head = 'CONNECT db.internal:5432 HTTP/1.1\r\nHost: db.internal:5432\r\n\r\n';
    const early = openConnection(port, head);
    await until('it is open', () => early.text().startsWith('HTTP/1.1 200'));
    await maintenance.enable({ mode: 'read-only' });
    await until('it is ended', () => early.isEnded());
    const late = openConnection(port, head);
    await until('it is refused', () => late.isEnded());
    expect(late.text()).toMatch(/^HTTP\/1\.1 503 /);
  });

  it('without a listener are handled as plain requests', async () => {
    const { port, maintenance } = await startForTest(adapter, { controllers: [PlainController] });
    const requestUpgrade = () =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = { connection: 'Upgrade', upgrade: 'websocket' };
        const request = httpRequest({ port, host: '127.0.0.1', path: '/live', headers, agent: false });
        request.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
        request.end();
      });
    expect(await requestUpgrade()).toBe(200);
    await maintenance.enable();
    expect(await requestUpgrade()).toBe(503);
  });

  it('to gateways follow the decorators of the gateway', async () => {
    @SkipMaintenance()
    @WebSocketGateway()
    class OpenGateway {
      @SubscribeMessage('say')
      say() {
        return { event: 'said', data: 'hello' };
      }
    }
    const { port, maintenance } = await startForTest(adapter, {
      providers: [OpenGateway],
      main: (app) => {
        const server = new WebSocketServer({ noServer: true });
        (app.getHttpServer() as Server).on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
          if (request.url === '/live') server.handleUpgrade(request, socket, head, echo);
        });
      },
    });
    const foreign = await new Client(port).waitUntilOpen();
    const gateway = ioPeer(`http://127.0.0.1:${port}`);
    open.push(() => gateway.close());
    await gateway.seen.next('connect');
    await maintenance.enable();
    expect(await foreign.waitUntilClosed()).toEqual(CLOSE_FRAME);
    gateway.send('say');
    await gateway.seen.next('said');
    const late = ioPeer(`http://127.0.0.1:${port}`);
    open.push(() => late.close());
    await late.seen.next('connect');
    expect(gateway.seen.all('close')).toEqual([]);
  });

  it('do not delay the shutdown if clients keep their closed sockets', async () => {
    const running = await start(adapter, {
      main: (app) => void new WebSocketServer({ server: app.getHttpServer() as Server }).on('connection', echo),
    });
    const client = await new Client(running.port).waitUntilOpen();
    (client.socket as unknown as { _socket: Socket })._socket.pause();
    await running.maintenance.enable();
    await running.close();
  });
});

function fail(): never {
  throw new Error('it does not work');
}

function getUser({ headers }: { headers: Record<string, string> }): { role?: string } {
  return { role: headers['x-role'] };
}

/** Opens a TCP connection and sends the head of a request. */
function openConnection(port: number, head: string) {
  const chunks: Buffer[] = [];
  let isEnded = false;
  const socket = connectTcp(port, '127.0.0.1');
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('end', () => (isEnded = true)).on('close', () => (isEnded = true));
  socket.on('error', () => undefined);
  socket.write(head);
  open.push(() => socket.destroy());
  return { socket, text: () => Buffer.concat(chunks).toString(), isEnded: () => isEnded };
}
