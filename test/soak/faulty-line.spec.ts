import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { measureTime, until } from '../tools/waiting.js';
import { FaultyLine } from './faulty-line.js';

/** Says everything back, and what it has heard. */
class Echo {
  heard = '';

  private constructor(readonly server: Server) {
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        this.heard += data.toString();
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

/** A client that keeps what comes and how its connection ended. */
class Caller {
  heard = '';
  end = '';

  private constructor(readonly socket: Socket) {
    socket.on('data', (data) => (this.heard += data.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.end = error.code ?? error.message));
    socket.on('close', () => (this.end ||= 'closed'));
  }

  /** Connects, and has been answered once. */
  static async on(line: FaultyLine): Promise<Caller> {
    const caller = new Caller(connect(line.port, '127.0.0.1'));
    await caller.says('first');
    return caller;
  }

  static to(line: FaultyLine): Caller {
    return new Caller(connect(line.port, '127.0.0.1'));
  }

  /** Says something and waits for it to come back. */
  async says(text: string): Promise<void> {
    const before = this.heard;
    this.socket.write(text);
    await until(`"${text}" comes back`, () => this.heard === before + text);
  }

  ended(): Promise<void> {
    return until('the connection ends', () => this.end !== '');
  }
}

describe('a faulty line', () => {
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

  it('delays in both directions, and keeps the order', async () => {
    const caller = await Caller.on(line);
    line.delay(100);
    expect(await measureTime(() => caller.says('late'))).toBeGreaterThanOrEqual(190);
    caller.socket.write('a');
    await line.heal();
    caller.socket.write('b');
    await until('both have come', () => caller.heard === 'firstlateab');
  });

  it('lets nothing pass until it is healed, and then also what a client had sent that is gone', async () => {
    const [gone, patient] = [await Caller.on(line), await Caller.on(line)];
    line.delay(Infinity);
    gone.socket.end('of the one that is gone');
    patient.socket.write('of the other');
    gone.socket.destroySoon();
    await gone.ended();
    expect(echo.heard).toBe('firstfirst');
    await line.heal();
    await until('all has come', () => patient.heard === 'firstof the other');
    expect(echo.heard).toContain('of the one that is gone');
  });

  it('leaves open lines silent for good, and new ones not', async () => {
    const silent = await Caller.on(line);
    line.silence();
    silent.socket.write('lost');
    await (await Caller.on(line)).says('heard');
    await line.heal();
    await (await Caller.on(line)).says('heard');
    expect([silent.heard, silent.end, echo.heard.includes('lost')]).toEqual(['first', '', false]);
  });

  it.each([
    ['cut', 'closed'],
    ['reset', 'ECONNRESET'],
  ] as const)('%s ends open lines', async (how, end) => {
    const caller = await Caller.on(line);
    line[how]();
    await caller.ended();
    expect(caller.end).toBe(end);
    await (await Caller.on(line)).says('heard');
  });

  it('cuts answers off after so many bytes', async () => {
    const caller = await Caller.on(line);
    line.truncate(3);
    caller.socket.write('answer');
    await caller.ended();
    expect(caller.heard).toBe('firstans');
    await line.heal();
    await (await Caller.on(line)).says('answer');
  });

  it('refuses connections until it is healed', async () => {
    const before = await Caller.on(line);
    line.refuse();
    const after = Caller.to(line);
    await Promise.all([before.ended(), after.ended()]);
    expect([before.end, after.end]).toEqual(['ECONNRESET', 'ECONNREFUSED']);
    await line.heal();
    await (await Caller.on(line)).says('heard');
  });
});
