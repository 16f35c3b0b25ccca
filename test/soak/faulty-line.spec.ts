import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { measureTime, until } from '../tools/waiting.js';
import { FaultyLine } from './faulty-line.js';

/** A TCP server that echoes everything and records what it receives. */
class Echo {
  received = '';

  private constructor(readonly server: Server) {
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        this.received += data.toString();
        socket.write(data);
      });
    });
  }

  static async start(): Promise<Echo> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Echo(server);
  }
}

/** A client that records what it receives and how its connection ends. */
class Client {
  received = '';
  end = '';

  private constructor(readonly socket: Socket) {
    socket.on('data', (data) => (this.received += data.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.end = error.code ?? error.message));
    socket.on('close', () => (this.end ||= 'closed'));
  }

  /** Connects and waits for a first echo. */
  static async connect(line: FaultyLine): Promise<Client> {
    const client = new Client(connect(line.port, '127.0.0.1'));
    await client.echo('first');
    return client;
  }

  static start(line: FaultyLine): Client {
    return new Client(connect(line.port, '127.0.0.1'));
  }

  /** Sends a text and waits for its echo. */
  async echo(text: string): Promise<void> {
    const before = this.received;
    this.socket.write(text);
    await until(`"${text}" is echoed`, () => this.received === before + text);
  }

  waitForEnd(): Promise<void> {
    return until('the connection ends', () => this.end !== '');
  }
}

describe('FaultyLine', () => {
  let echo: Echo;
  let line: FaultyLine;

  beforeEach(async () => {
    echo = await Echo.start();
    line = await FaultyLine.to((echo.server.address() as AddressInfo).port);
  });

  afterEach(async () => {
    await line.close();
    echo.server.close();
  });

  it('delays both directions and preserves the order', async () => {
    const client = await Client.connect(line);
    line.delay(100);
    expect(await measureTime(() => client.echo('late'))).toBeGreaterThanOrEqual(190);
    client.socket.write('a');
    await line.heal();
    client.socket.write('b');
    await until('both messages have arrived', () => client.received === 'firstlateab');
  });

  it('holds back all data until heal(), including that of a client that has disconnected', async () => {
    const [disconnected, connected] = [await Client.connect(line), await Client.connect(line)];
    line.delay(Infinity);
    disconnected.socket.end('from the disconnected client');
    connected.socket.write('from the other');
    disconnected.socket.destroySoon();
    await disconnected.waitForEnd();
    expect(echo.received).toBe('firstfirst');
    await line.heal();
    await until('all data has arrived', () => connected.received === 'firstfrom the other');
    expect(echo.received).toContain('from the disconnected client');
  });

  it('drops the data of open connections for good after silence(), but not of new ones', async () => {
    const silent = await Client.connect(line);
    line.silence();
    silent.socket.write('lost');
    await (await Client.connect(line)).echo('received');
    await line.heal();
    await (await Client.connect(line)).echo('received');
    expect([silent.received, silent.end, echo.received.includes('lost')]).toEqual(['first', '', false]);
  });

  it.each([
    ['cut', 'closed'],
    ['reset', 'ECONNRESET'],
  ] as const)('ends open connections with %s()', async (how, end) => {
    const client = await Client.connect(line);
    line[how]();
    await client.waitForEnd();
    expect(client.end).toBe(end);
    await (await Client.connect(line)).echo('received');
  });

  it('truncates answers after the given number of bytes', async () => {
    const client = await Client.connect(line);
    line.truncate(3);
    client.socket.write('answer');
    await client.waitForEnd();
    expect(client.received).toBe('firstans');
    await line.heal();
    await (await Client.connect(line)).echo('answer');
  });

  it('refuses connections after refuse() until heal()', async () => {
    const before = await Client.connect(line);
    line.refuse();
    const after = Client.start(line);
    await Promise.all([before.waitForEnd(), after.waitForEnd()]);
    expect([before.end, after.end]).toEqual(['ECONNRESET', 'ECONNREFUSED']);
    await line.heal();
    await (await Client.connect(line)).echo('received');
  });
});
