import { execFileSync } from 'node:child_process';
import { Injectable, Scope, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway, type GatewayMetadata } from '@nestjs/websockets';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  ForceMaintenance,
  MaintenanceAccess,
  MaintenanceGuard,
  MaintenanceScope,
  SkipMaintenance,
  type EnableOptions,
} from 'nestjs-maintenance';
import { ManualClock } from 'nestjs-maintenance/testing';
import getPort from 'get-port';
import { TIMEOUT_MS } from '../tools/waiting.js';
import { ADAPTERS, start, type Adapter, type Running, type Setup } from './application.js';
import {
  ioPeer,
  LIBRARIES,
  poll,
  upgrade,
  wsPeer,
  type HandshakeReply,
  type Library,
  type Peer,
  type PeerOptions,
  type Received,
} from './socket-clients.js';
import { REFUSED } from './refusal-payload.js';

type Class = new (...args: never[]) => object;

declare const NEST_MAJOR: string;

abstract class SayGateway {
  @SubscribeMessage('say')
  say(@MessageBody() data: unknown) {
    return { event: 'said', data };
  }
}

function createGateway(options: GatewayMetadata = {}, port = 0): Class {
  @WebSocketGateway(port, options)
  class ChatGateway extends SayGateway {}
  return ChatGateway;
}

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function startWith(adapter: Adapter, library: Library, gateways: Class[], setup: Setup = {}): Promise<Running> {
  const running = await start(adapter, {
    ...setup,
    providers: [...gateways, ...(setup.providers ?? [])],
    main: async (app) => {
      if (library === 'ws') app.useWebSocketAdapter(new WsAdapter(app));
      await setup.main?.(app);
    },
  });
  open.push(() => running.close());
  return running;
}

function closeAfterTest<T extends Peer>(made: T): T {
  open.push(() => made.close());
  return made;
}

/** Connects a client of the library to the default path. */
function connect(library: Library, port: number, options?: PeerOptions): Peer {
  return library === 'ws'
    ? closeAfterTest(wsPeer(`ws://127.0.0.1:${port}/`, options))
    : closeAfterTest(ioPeer(`http://127.0.0.1:${port}`, options));
}

async function expectEcho(client: Peer, times = 1): Promise<void> {
  client.send('say', `hello ${times}`);
  await expect(client.seen.next('said', times)).resolves.toBe(`hello ${times}`);
}

function expectRefusedHandshake(reply: HandshakeReply): void {
  expect(reply).toMatchObject({
    status: 503,
    headers: {
      'retry-after': '3600',
      'cache-control': 'no-store',
      'maintenance-mode': 'full;scope="*"',
      'content-type': 'application/problem+json',
    },
    body: { status: 503, errorCode: 'MAINTENANCE', retryAfter: 3600, scope: '*', mode: 'full' },
  });
}

interface Endpoint {
  name: string;
  library: Library;
  isOwnPort?: boolean;
  options?: GatewayMetadata;
  url: (port: number) => string;
  client?: PeerOptions;
  handshake: (port: number) => Promise<HandshakeReply>;
}

const ENGINE_PATH = '/socket.io';
const ENDPOINTS: Endpoint[] = [
  { name: 'ws', library: 'ws', url: (port) => `ws://127.0.0.1:${port}`, handshake: (port) => upgrade(port, '/') },
  {
    name: 'ws on a path',
    library: 'ws',
    options: { path: '/chat' },
    url: (port) => `ws://127.0.0.1:${port}/chat?room=1`,
    handshake: (port) => upgrade(port, '/chat?room=1'),
  },
  {
    name: 'ws on its own port',
    library: 'ws',
    isOwnPort: true,
    url: (port) => `ws://127.0.0.1:${port}`,
    handshake: (port) => upgrade(port, '/'),
  },
  {
    name: 'ws on a path of its own port',
    library: 'ws',
    isOwnPort: true,
    options: { path: '/chat' },
    url: (port) => `ws://127.0.0.1:${port}/chat`,
    handshake: (port) => upgrade(port, '/chat'),
  },
  {
    name: 'socket.io',
    library: 'socket.io',
    url: (port) => `http://127.0.0.1:${port}`,
    handshake: (port) => upgrade(port, `${ENGINE_PATH}/?EIO=4&transport=websocket`),
  },
  {
    name: 'socket.io by long polling',
    library: 'socket.io',
    options: { cors: { origin: 'https://shop.example.com' } },
    client: { transports: ['polling'] },
    url: (port) => `http://127.0.0.1:${port}`,
    handshake: async (port) => {
      const reply = await poll(port, ENGINE_PATH, { origin: 'https://shop.example.com' });
      expect(reply.headers['access-control-allow-origin']).toBe('https://shop.example.com');
      return reply;
    },
  },
  {
    name: 'socket.io in a namespace, upgraded from polling',
    library: 'socket.io',
    options: { namespace: 'news' },
    client: { transports: ['polling', 'websocket'] },
    url: (port) => `http://127.0.0.1:${port}/news`,
    handshake: (port) => poll(port, ENGINE_PATH),
  },
  {
    name: 'socket.io on a path of its own port',
    library: 'socket.io',
    isOwnPort: true,
    options: { path: '/live' },
    client: { path: '/live' },
    url: (port) => `http://127.0.0.1:${port}`,
    handshake: (port) => poll(port, '/live'),
  },
];

describe.each(ADAPTERS)('gateways during a full window (%s)', (adapter) => {
  it.each(ENDPOINTS)(
    'notify and close open sockets, refuse new ones and accept them again afterwards: $name',
    async (endpoint) => {
      const own = endpoint.isOwnPort ? await getPort() : 0;
      const running = await startWith(adapter, endpoint.library, [createGateway(endpoint.options, own)]);
      const port = own || running.port;
      const join = () =>
        endpoint.library === 'ws'
          ? closeAfterTest(wsPeer(endpoint.url(port), endpoint.client))
          : closeAfterTest(ioPeer(endpoint.url(port), { ...endpoint.client }));
      const client = join();
      await client.seen.next('connect');
      await expectEcho(client);

      await running.maintenance.enable();
      await expect(client.seen.next('close')).resolves.toEqual(
        endpoint.library === 'ws' ? { code: 1013, reason: 'Down for maintenance' } : 'transport close',
      );
      expect(client.seen.all('maintenance')).toEqual([REFUSED]);
      expectRefusedHandshake(await endpoint.handshake(port));
      if (endpoint.library === 'socket.io') {
        // The client reconnects automatically; each handshake is refused.
        await expect(client.seen.next('refused', 2)).resolves.toBe(503);
      } else {
        const late = join();
        await expect(late.seen.next('refused')).resolves.toBe(503);
        expect(late.seen.all('connect')).toEqual([]);
      }

      await running.maintenance.disable();
      const back = endpoint.library === 'socket.io' ? client : join();
      await back.seen.next('connect', endpoint.library === 'socket.io' ? 2 : 1);
      await expectEcho(back, endpoint.library === 'socket.io' ? 2 : 1);
      expect(client.seen.all('maintenance')).toHaveLength(1);
    },
  );

  it.each(LIBRARIES)('notify open sockets when a planned window starts: %s', async (library) => {
    const clock = new ManualClock(Date.now());
    const { maintenance, port } = await startWith(adapter, library, [createGateway()], { clock });
    const client = connect(library, port);
    await client.seen.next('connect');
    const startsAt = new Date(clock.now() + 60_000).toISOString();
    await maintenance.enable({ startsAt, message: 'Moving house' });
    await expectEcho(client);
    await clock.moveTo(startsAt);
    await expect(client.seen.next('maintenance')).resolves.toMatchObject({ message: 'Moving house', startsAt });
    await client.seen.next('close');
  });

  it.each(LIBRARIES)('notify open sockets when another instance turns maintenance on: %s', async (library) => {
    const { port, stateFile } = await startWith(adapter, library, [createGateway()]);
    const other = await startWith(adapter, library, [], { options: { storage: `file:${stateFile}` } });
    const client = connect(library, port);
    await client.seen.next('connect');
    await other.maintenance.enable();
    await expect(client.seen.next('maintenance')).resolves.toEqual(REFUSED);
    await client.seen.next('close');
  });
});

@WebSocketGateway()
class MixedGateway extends SayGateway {
  @SkipMaintenance()
  @SubscribeMessage('ping')
  ping() {
    return { event: 'pong' };
  }
}

@SkipMaintenance()
@WebSocketGateway()
class OpenGateway {
  @SkipMaintenance(false)
  @SubscribeMessage('say')
  say() {
    return { event: 'said' };
  }

  @SubscribeMessage('ping')
  ping() {
    return { event: 'pong' };
  }
}

@WebSocketGateway()
class OpenConnectionGateway extends SayGateway {
  @SkipMaintenance()
  handleConnection() {}
}

@MaintenanceScope('chat')
@WebSocketGateway()
class ScopedGateway extends SayGateway {}

@WebSocketGateway()
class PartlyScopedGateway {
  @MaintenanceScope('chat')
  @SubscribeMessage('say')
  say() {
    return { event: 'said' };
  }

  @SubscribeMessage('ping')
  ping() {
    return { event: 'pong' };
  }
}

@MaintenanceAccess('write')
@WebSocketGateway()
class ReadingGateway extends SayGateway {
  @MaintenanceAccess('read')
  @SubscribeMessage('ping')
  ping() {
    return { event: 'pong' };
  }
}

@WebSocketGateway()
class GuardedGateway {
  @SubscribeMessage('ping')
  ping() {
    return { event: 'pong' };
  }

  @UseGuards(MaintenanceGuard)
  @SubscribeMessage('say')
  say() {
    return { event: 'said' };
  }
}

@WebSocketGateway()
class SilentGateway {}

@ForceMaintenance()
@WebSocketGateway()
class ForcedGateway extends SayGateway {}

@WebSocketGateway()
class PartlyForcedGateway {
  @ForceMaintenance()
  @SubscribeMessage('say')
  say() {
    return { event: 'said' };
  }

  @SubscribeMessage('ping')
  ping() {
    return { event: 'pong' };
  }
}

const staff = (request: { headers: Record<string, string | undefined> }) => ({ role: request.headers['x-role'] });
const fromStaff = { headers: { 'x-role': 'staff' } };
const forwarded = { headers: { 'x-forwarded-for': '203.0.113.7' } };

interface Row {
  name: string;
  gateways: Class[];
  setup?: Setup;
  /** `null`: no window. Default: a window on all scopes. */
  window?: EnableOptions | null;
  client?: PeerOptions;
  /** How a new socket is handled during the window: 503, accepted and then disconnected, or connected. */
  newSocket: 'refused' | 'disconnected' | 'connected';
  /** State of a socket that was open before the window; `null`: there cannot be one. */
  before: 'closed' | 'open' | null;
  /** Whether the messages `say` (covered by the window) and `ping` (exempt) are answered. */
  say?: boolean;
  ping?: boolean;
}

const ROWS: Row[] = [
  { name: 'a plain gateway', gateways: [createGateway()], newSocket: 'refused', before: 'closed' },
  { name: 'a gateway without messages', gateways: [SilentGateway], newSocket: 'refused', before: 'closed' },
  {
    name: 'an exempt message',
    gateways: [MixedGateway],
    newSocket: 'connected',
    before: 'open',
    say: false,
    ping: true,
  },
  {
    name: 'an exempt gateway',
    gateways: [OpenGateway],
    newSocket: 'connected',
    before: 'open',
    say: false,
    ping: true,
  },
  {
    name: 'an exempt connection',
    gateways: [OpenConnectionGateway],
    newSocket: 'connected',
    before: 'open',
    say: false,
  },
  {
    name: 'an exempt gateway next to one that is not',
    gateways: [createGateway(), OpenGateway],
    ...{ newSocket: 'connected', before: 'open', ping: true },
  },
  { name: 'its scope', gateways: [ScopedGateway], window: { scope: 'chat' }, newSocket: 'refused', before: 'closed' },
  {
    name: 'the scope of one of its messages',
    gateways: [PartlyScopedGateway],
    window: { scope: 'chat' },
    ...{ newSocket: 'connected', before: 'open', say: false, ping: true },
  },
  {
    name: 'another scope',
    gateways: [ScopedGateway],
    window: { scope: 'shop' },
    ...{ newSocket: 'connected', before: 'open', say: true },
  },
  {
    name: 'a read-only window',
    gateways: [ReadingGateway],
    window: { mode: 'read-only' },
    ...{ newSocket: 'connected', before: 'open', say: false, ping: true },
  },
  {
    name: 'a read-only window and messages without @MaintenanceAccess()',
    gateways: [createGateway()],
    window: { mode: 'read-only' },
    ...{ newSocket: 'connected', before: 'open', say: false },
  },
  {
    name: 'an exempt address',
    gateways: [createGateway()],
    setup: { options: { exempt: { ips: ['127.0.0.1'] } } },
    ...{ newSocket: 'connected', before: 'open', say: true },
  },
  {
    name: 'an exempt address by long polling',
    gateways: [createGateway()],
    setup: { options: { exempt: { ips: ['127.0.0.1'] } } },
    client: { transports: ['polling'] },
    ...{ newSocket: 'connected', before: 'open', say: true },
  },
  {
    name: 'a window that admits the address',
    gateways: [createGateway()],
    window: { allowIps: ['127.0.0.0/8'] },
    ...{ newSocket: 'connected', before: 'open', say: true },
  },
  {
    name: 'a window that admits another address',
    gateways: [createGateway()],
    window: { allowIps: ['203.0.113.7'] },
    ...{ newSocket: 'refused', before: 'closed' },
  },
  {
    name: 'an exempt address in a header of an untrusted client',
    gateways: [createGateway()],
    setup: { options: { exempt: { ips: ['203.0.113.7'] } } },
    client: forwarded,
    ...{ newSocket: 'refused', before: 'closed' },
  },
  {
    name: 'an exempt address in a header of a trusted proxy',
    gateways: [createGateway()],
    setup: {
      options: { exempt: { ips: ['203.0.113.7'] } },
      fastify: { trustProxy: '127.0.0.1' },
      main: (app) => (app as { set?: (name: string, value: string) => void }).set?.('trust proxy', 'loopback'),
    },
    client: forwarded,
    ...{ newSocket: 'connected', before: 'open', say: true },
  },
  {
    name: 'an exempt URL',
    gateways: [createGateway()],
    setup: { options: { exempt: { urls: ['/', '/socket.io'] } } },
    ...{ newSocket: 'connected', before: 'open', say: true },
  },
  {
    name: 'an exempt role',
    gateways: [createGateway()],
    setup: { options: { exempt: { roles: ['staff'], user: staff as never } } },
    client: fromStaff,
    ...{ newSocket: 'connected', before: 'open', say: true },
  },
  {
    name: 'a role that is not exempt',
    gateways: [createGateway()],
    setup: { options: { exempt: { roles: ['staff'], user: staff as never } } },
    client: { headers: { 'x-role': 'guest' } },
    ...{ newSocket: 'disconnected', before: 'closed' },
  },
  {
    name: 'exempt.user rejecting',
    gateways: [createGateway()],
    setup: {
      options: {
        exempt: {
          roles: ['staff'],
          user: () => Promise.reject(new Error('the users are down')),
        },
      },
    },
    ...{ newSocket: 'disconnected', before: 'closed' },
  },
  {
    name: 'exempt.when that is false for all messages',
    gateways: [MixedGateway],
    setup: { options: { exempt: { when: (context: ExecutionContext) => context.getHandler().name === 'none' } } },
    ...{ newSocket: 'connected', before: 'open', say: false, ping: true },
  },
  {
    name: 'exempt.when that is true',
    gateways: [createGateway()],
    setup: {
      options: { exempt: { when: (context: ExecutionContext) => /^hello/.test(context.switchToWs().getData()) } },
    },
    ...{ newSocket: 'connected', before: 'open', say: true },
  },
  {
    name: 'mount.edge: false',
    gateways: [createGateway()],
    setup: { extras: { mount: { edge: false } } },
    ...{ newSocket: 'connected', before: 'closed', say: false },
  },
  {
    name: 'mount.guard: false and a guarded message',
    gateways: [GuardedGateway],
    setup: { extras: { mount: { guard: false } } },
    ...{ newSocket: 'connected', before: 'open', say: false, ping: true },
  },
  {
    name: 'mount.guard: false, a guarded message and an exempt address',
    gateways: [GuardedGateway],
    setup: { options: { exempt: { ips: ['127.0.0.1'] } }, extras: { mount: { guard: false } } },
    ...{ newSocket: 'connected', before: 'open', say: true, ping: true },
  },
  {
    name: 'a @ForceMaintenance() gateway without a window',
    gateways: [ForcedGateway],
    window: null,
    newSocket: 'refused',
    before: null,
  },
  {
    name: 'a @ForceMaintenance() message without a window',
    gateways: [PartlyForcedGateway],
    window: null,
    ...{ newSocket: 'connected', before: 'open', say: false, ping: true },
  },
];

const TABLE = LIBRARIES.flatMap((library) => ROWS.map((row) => ({ ...row, library })));

describe.each(ADAPTERS)('new sockets and their messages (%s)', (adapter) => {
  it.each(TABLE)('are $newSocket with $library and $name', async (row) => {
    const { library, gateways, setup, window, newSocket, before, client: options } = row;
    const { port, maintenance } = await startWith(adapter, library, gateways, setup);
    const old = before && connect(library, port, options);
    await old?.seen.next('connect');
    if (window !== null) await maintenance.enable(window);

    const late = connect(library, port, options);
    if (newSocket === 'refused') {
      await expect(late.seen.next('refused')).resolves.toBe(503);
    } else if (newSocket === 'disconnected') {
      if (library === 'ws') {
        await expect(late.seen.next('close')).resolves.toMatchObject({ code: 1013 });
        expect(late.seen.all('maintenance')).toEqual([REFUSED]);
      } else {
        await expect(late.seen.next('connect_error')).resolves.toMatchObject({
          message: REFUSED.message,
          data: REFUSED,
        });
        expect(late.seen.all('connect')).toEqual([]);
      }
    } else {
      await late.seen.next('connect');
      await talk(late, row);
    }

    if (before === 'closed') {
      await old!.seen.next('close');
      expect(old!.seen.all('maintenance')).toHaveLength(1);
    } else if (old) {
      await talk(old, row);
      expect(old.seen.all('maintenance')).toEqual([]);
      expect(old.seen.all('close')).toEqual([]);
    }
  });

  async function talk(client: Peer, { say, ping, window }: Row): Promise<void> {
    if (say !== undefined) client.send('say', 'hello');
    if (say === true) await client.seen.next('said');
    if (say === false) {
      const told = await client.seen.next('exception');
      expect(told).toMatchObject({ status: 'error', code: 'SERVICE_UNAVAILABLE', retryAfter: 3600 });
      if (window?.mode) expect(told).toMatchObject({ mode: window.mode });
      expect(client.seen.all('said')).toEqual([]);
    }
    if (ping !== undefined) client.send('ping');
    if (ping) await client.seen.next('pong');
  }
});

describe.each(ADAPTERS)('a message on an open socket (%s)', (adapter) => {
  it.each(LIBRARIES)('is decided once and refused with an exception event: %s', async (library) => {
    const asked: string[] = [];
    const when = (context: ExecutionContext) => {
      asked.push(context.getHandler().name);
      return context.switchToWs().getData() === 'exempt';
    };
    const { port, maintenance } = await startWith(adapter, library, [MixedGateway], { options: { exempt: { when } } });
    const client = connect(library, port);
    await client.seen.next('connect');
    await maintenance.enable();
    client.send('say', 'hello');
    await expect(client.seen.next('exception')).resolves.toEqual(REFUSED);
    client.send('ping');
    await client.seen.next('pong');
    expect(asked).toEqual(['say']);
    client.send('say', 'exempt');
    await client.seen.next('said');
    expect(asked).toEqual(['say', 'say']);
    expect(client.seen.all('exception')).toHaveLength(1);
  });

  it('is also refused in the acknowledgement of socket.io', async () => {
    const { port, maintenance } = await startWith(adapter, 'socket.io', [MixedGateway]);
    const client = closeAfterTest(ioPeer(`http://127.0.0.1:${port}`));
    await client.seen.next('connect');
    await maintenance.enable();
    await expect(client.socket.timeout(TIMEOUT_MS).emitWithAck('say', 'hello')).resolves.toEqual(REFUSED);
    await expect(client.seen.next('exception')).resolves.toEqual(REFUSED);
  });

  it.each(LIBRARIES)(
    'is refused before the guards of its gateway, or after them with exempt.roles: %s',
    async (library) => {
      let asked = 0;
      @Injectable()
      class AuthGuard implements CanActivate {
        canActivate(context: ExecutionContext): boolean {
          asked++;
          const { role } = context.switchToWs().getData();
          context.switchToWs().getClient().user = { role };
          return true;
        }
      }
      @UseGuards(AuthGuard)
      @WebSocketGateway()
      class AuthGateway extends SayGateway {
        @SkipMaintenance()
        @SubscribeMessage('login')
        login() {
          return { event: 'welcome' };
        }
      }

      const unasked = await startWith(adapter, library, [AuthGateway]);
      const first = connect(library, unasked.port);
      await first.seen.next('connect');
      await unasked.maintenance.enable();
      first.send('say', { role: 'staff' });
      await first.seen.next('exception');
      expect(asked).toBe(0);

      const { port, maintenance } = await startWith(adapter, library, [AuthGateway], {
        options: { exempt: { roles: ['staff'] } },
      });
      const client = connect(library, port);
      await client.seen.next('connect');
      await maintenance.enable();
      client.send('say', { role: 'guest' });
      await client.seen.next('exception');
      client.send('say', { role: 'staff' });
      await client.seen.next('said');
      expect(asked).toBe(2);
    },
  );

  if (NEST_MAJOR === '12') {
    it.each(LIBRARIES)('is refused by a request-scoped gateway: %s', async (library) => {
      @Injectable({ scope: Scope.REQUEST })
      class Scoped {}
      @WebSocketGateway()
      class ScopedByRequest extends MixedGateway {
        constructor(readonly scoped: Scoped) {
          super();
        }
      }
      const { port, maintenance } = await startWith(adapter, library, [ScopedByRequest], { providers: [Scoped] });
      const client = connect(library, port);
      await client.seen.next('connect');
      await expectEcho(client);
      await maintenance.enable();
      client.send('say', 'hello');
      await expect(client.seen.next('exception')).resolves.toEqual(REFUSED);
      client.send('ping');
      await client.seen.next('pong');
    });
  }
});

describe.each(ADAPTERS)('the user of a socket (%s)', (adapter) => {
  const roles = { options: { exempt: { roles: ['staff'] } } };

  it.each(LIBRARIES)('is read from the client if a gateway sets it: %s', async (library) => {
    @WebSocketGateway()
    class LoginGateway extends SayGateway {
      @SubscribeMessage('login')
      login(client: { user?: unknown; data?: { user?: unknown } }, role: string) {
        if (library === 'ws') client.user = { role };
        else client.data!.user = { role };
        return { event: 'welcome' };
      }
    }
    const { port, maintenance } = await startWith(adapter, library, [LoginGateway], roles);
    const [member, guest] = [connect(library, port), connect(library, port)];
    await member.seen.next('connect');
    await guest.seen.next('connect');
    member.send('login', 'staff');
    await member.seen.next('welcome');
    await maintenance.enable();
    await guest.seen.next('close');
    await expectEcho(member);
    expect(member.seen.all('maintenance')).toEqual([]);
  });

  it('is found although Fastify decorates every request with a user', async () => {
    @WebSocketGateway()
    class DeclaredGateway extends SayGateway {
      afterInit(server: Received) {
        server.use((socket: Received, next: () => void) => {
          socket.data.user = { role: 'staff' };
          next();
        });
      }
    }
    const declare = (app: { getHttpAdapter: () => { getInstance: () => unknown } }): void => {
      if (adapter !== 'fastify') return;
      const instance = app.getHttpAdapter().getInstance() as { decorateRequest: (name: string, value: null) => void };
      instance.decorateRequest('user', null);
    };
    const { port, maintenance } = await startWith(adapter, 'socket.io', [DeclaredGateway], { ...roles, main: declare });
    await maintenance.enable();
    const member = connect('socket.io', port);
    await member.seen.next('connect');
    await expectEcho(member);
  });

  it('is read from socket.data if socket.io middleware sets it', async () => {
    @WebSocketGateway()
    class MiddlewareGateway extends SayGateway {
      afterInit(server: Received) {
        server.use((socket: Received, next: () => void) => {
          socket.data.user = { role: socket.handshake.auth.role };
          setImmediate(next);
        });
        server.use((socket: Received, next: (error?: Error) => void) => {
          next(socket.handshake.auth.role ? undefined : Object.assign(new Error('Who are you?'), { data: {} }));
        });
      }
    }
    const { port, maintenance } = await startWith(adapter, 'socket.io', [MiddlewareGateway], roles);
    await maintenance.enable();
    const login = (auth: object) => {
      const client = closeAfterTest(ioPeer(`http://127.0.0.1:${port}`));
      client.socket.auth = auth;
      return client;
    };
    await expectEcho(login({ role: 'staff' }));
    await expect(login({ role: 'guest' }).seen.next('connect_error')).resolves.toMatchObject({ data: REFUSED });
    await expect(login({}).seen.next('connect_error')).resolves.toMatchObject({ message: 'Who are you?' });
  });

  it('is resolved before the gateway of ws receives the socket, without losing messages', async () => {
    const connected: unknown[] = [];
    @WebSocketGateway()
    class CountingGateway extends SayGateway {
      handleConnection(client: unknown) {
        connected.push(client);
      }
    }
    const asked: (() => void)[] = [];
    const user = async (request: { headers: Record<string, string | undefined> }) => {
      await new Promise<void>((resolve) => asked.push(resolve));
      return staff(request);
    };
    const { port, maintenance } = await startWith(adapter, 'ws', [CountingGateway, SilentGateway], {
      options: { exempt: { roles: ['staff'], user: user as never } },
    });
    await maintenance.enable();
    const member = connect('ws', port, fromStaff);
    await member.seen.next('connect');
    member.send('say', 'early');
    const guest = connect('ws', port);
    await guest.seen.next('connect');
    // One client has sent its message by now, but neither has been admitted yet.
    expect(asked).toHaveLength(2);
    expect(connected).toEqual([]);
    const answer = setInterval(() => asked.forEach((resolve) => resolve()), 10);
    await expect(member.seen.next('said')).resolves.toBe('early');
    await expect(guest.seen.next('close')).resolves.toMatchObject({ code: 1013 });
    clearInterval(answer);
    expect(connected).toHaveLength(1);
  });
});

describe.each(ADAPTERS)('socket.io namespaces (%s)', (adapter) => {
  it('are notified and disconnected individually on one connection', async () => {
    @SkipMaintenance()
    @WebSocketGateway({ namespace: 'status' })
    class StatusGateway extends SayGateway {}
    @WebSocketGateway({ namespace: '/chat' })
    class ChatGateway extends SayGateway {}
    const { port, maintenance } = await startWith(adapter, 'socket.io', [StatusGateway, ChatGateway, MixedGateway]);
    const client = closeAfterTest(ioPeer(`http://127.0.0.1:${port}/status`));
    await client.seen.next('connect');
    const { socket: chat, seen } = client.join('/chat');
    await seen.next('connect');

    await maintenance.enable();
    await expect(seen.next('maintenance')).resolves.toEqual(REFUSED);
    await expect(seen.next('close')).resolves.toBe('io server disconnect');
    await expectEcho(client);
    expect(client.seen.all('maintenance')).toEqual([]);

    chat.connect();
    await expect(seen.next('connect_error')).resolves.toMatchObject({ message: REFUSED.message, data: REFUSED });
    await maintenance.disable();
    chat.connect();
    await seen.next('connect', 2);
    expect(seen.all('maintenance')).toHaveLength(1);
  });

  it('lose their connection if all of them are refused, and reconnect', async () => {
    const classes = [createGateway({ namespace: 'a' }), createGateway({ namespace: 'b' })];
    const { port, maintenance } = await startWith(adapter, 'socket.io', classes);
    const client = closeAfterTest(ioPeer(`http://127.0.0.1:${port}/a`));
    const { seen } = client.join('/b');
    await client.seen.next('connect');
    await seen.next('connect');
    await maintenance.enable();
    for (const each of [client.seen, seen]) {
      await expect(each.next('maintenance')).resolves.toEqual(REFUSED);
      await expect(each.next('close')).resolves.toBe('transport close');
    }
    await maintenance.disable();
    await client.seen.next('connect', 2);
    await seen.next('connect', 2);
  });
});

describe.each(ADAPTERS)('the socket.io engine (%s)', (adapter) => {
  it('does not serve its client files during a full window', async () => {
    const { maintenance, call } = await startWith(adapter, 'socket.io', [createGateway()]);
    const path = '/socket.io/socket.io.js';
    expect((await call(path)).status).toBe(200);
    await maintenance.enable({ mode: 'read-only' });
    expect((await call(path)).status).toBe(200);
    await maintenance.enable({ retryAfter: 60 });
    expect(await call(path)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '60', 'cache-control': 'no-store' },
    });
    await maintenance.disable();
    expect((await call(path)).status).toBe(200);
  });

  it('rejects an unknown session id', async () => {
    const { port, maintenance, call } = await startWith(adapter, 'socket.io', [createGateway()]);
    await maintenance.enable();
    expect((await call('/socket.io/?EIO=4&transport=polling&sid=made-up')).status).toBe(400);
    expect((await upgrade(port, '/socket.io/?EIO=4&transport=websocket&sid=')).status).toBe(503);
  });
});

describe.each(ADAPTERS)('shutdown of an application with gateways (%s)', (adapter) => {
  it.each(LIBRARIES)('removes all patches from gateways and adapter: %s', async (library) => {
    class Auth implements CanActivate {
      canActivate(): boolean {
        return true;
      }
    }
    @UseGuards(Auth)
    @WebSocketGateway()
    class Guarded extends SayGateway {}
    class Derived extends Guarded {}
    WebSocketGateway({ path: '/derived' })(Derived);
    const plain = createGateway({ path: '/plain' });
    const classes = [Derived, Guarded, plain];
    const first = await startWith(adapter, library, classes);
    const second = await startWith(adapter, library, classes);
    const guards = () => classes.map((type) => Reflect.getMetadata('__guards__', type)?.length);
    expect(guards()).toEqual([3, 3, 2]);

    await second.maintenance.enable();
    const client = connect(library, first.port);
    await client.seen.next('connect');
    await expectEcho(client);
    await second.app.close();
    expect(guards()).toEqual([2, 2, 1]);
    await expectEcho(client, 2);
    await first.app.close();
    expect(guards()).toEqual([1, 1, undefined]);
    expect(classes.map((type) => Reflect.getOwnMetadata('__guards__', type)?.length)).toEqual([
      undefined,
      1,
      undefined,
    ]);
    expect(Object.keys((first.app as Received).config.getIoAdapter())).toEqual(
      expect.not.arrayContaining(['create', 'bindClientConnect']),
    );
  });
});

it('does not load @nestjs/websockets in an application without gateways', () => {
  const script = `
    require('reflect-metadata');
    const { Module } = require('@nestjs/common');
    const { NestFactory } = require('@nestjs/core');
    const { MaintenanceModule } = require('nestjs-maintenance');
    const { MemoryStateStorage } = require('nestjs-maintenance/testing');
    class App {}
    Module({ imports: [MaintenanceModule.forRoot({ storage: new MemoryStateStorage() })] })(App);
    NestFactory.create(App, { logger: false })
      .then((app) => app.init())
      .then((app) => app.close())
      .then(() => console.log(Object.keys(require.cache).filter((file) => /transports.sockets|nestjs.websockets/.test(file)).length));
  `;
  expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim()).toBe('0');
});
