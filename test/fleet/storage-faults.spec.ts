import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { folderWith, run, type Ended } from '../cli/program.js';
import { describeWithRedis, Proxy, RedisServer } from '../storage/redis-server.js';
import { LightServer, S3Front, S3RVER_KEYS, type Fault as S3Fault } from '../storage/s3-front.js';
import { until } from '../tools/waiting.js';
import { Instance } from './instance.js';
import { getS3Environment, s3Url } from './storage-backends.js';

const REFRESH_INTERVAL = 200;
/** Milliseconds within which the command line says what it can't reach. */
const CLI_BOUND = 10_000;
/** Longer than the time-outs of the storages, and than the longest pause between two tries that a test lets come up. */
const PATIENCE = 25_000;

/** Answers to `/` and `/payments` where the payments alone are closed. */
const PAYMENTS_CLOSED = [200, 503];
const OPEN = [200, 200];
const CLOSED = [503, 503];

/** What goes wrong. */
interface Fault {
  breaks: () => unknown;
  /** Puts it right again; all that a test does for that. */
  mends: () => unknown;
  /** What the one line in the log says. */
  logs: RegExp;
  /** What `status` on the command line ends with meanwhile: code, and what it says on stderr. */
  status: [code: number, says: RegExp];
  /** The same of `off`. */
  off: [code: number, says: RegExp];
}

/** Three instances on one storage, one for each `onStorageFailure`, and a command line. */
class Fleet {
  instances: Instance[] = [];
  readonly #folder = folderWith();

  constructor(
    readonly url: string,
    private readonly env: Record<string, string> = {},
  ) {}

  async start(): Promise<void> {
    this.instances = await Promise.all(
      (['last-known', 'on', 'off'] as const).map((onStorageFailure) =>
        Instance.start({
          options: { storage: this.url, refreshInterval: REFRESH_INTERVAL, onStorageFailure },
          env: this.env,
        }),
      ),
    );
  }

  /** Closes the payments from the command line. */
  async closePayments(): Promise<void> {
    await this.command('off', '--all');
    const { code, stderr } = await this.command('on', '--scope', 'payments');
    expect([code, withoutWarnings(stderr)]).toEqual([0, '']);
    await this.answers([PAYMENTS_CLOSED, PAYMENTS_CLOSED, PAYMENTS_CLOSED]);
    this.instances.forEach((instance) => (instance.log.length = 0));
  }

  async command(...args: string[]): Promise<Ended> {
    const started = performance.now();
    const ended = await run([...args, '--storage', this.url], { cwd: this.#folder, env: this.env });
    expect(performance.now() - started).toBeLessThan(CLI_BOUND);
    return ended;
  }

  /** Waits until each instance gives these answers to `/` and `/payments`. */
  async answers(expected: number[][]): Promise<void> {
    let found: number[][] = [];
    for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await pause(10)) {
      found = await Promise.all(
        this.instances.map((instance) =>
          Promise.all(['/', '/payments'].map(async (path) => (await instance.get(path)).status)),
        ),
      );
      if (JSON.stringify(found) === JSON.stringify(expected)) return;
    }
    expect(found).toEqual(expected);
  }

  /** Waits until the storage works for every instance, or for none. */
  async finds(isHealthy: boolean): Promise<void> {
    for (const deadline = Date.now() + PATIENCE; ; await pause(10)) {
      const statuses = await Promise.all(this.instances.map((instance) => instance.ask('status')));
      if (statuses.every(({ storage }) => storage.healthy === isHealthy)) return;
      if (Date.now() > deadline)
        throw new Error(
          `expected healthy: ${isHealthy}, found ${JSON.stringify(statuses.map(({ storage }) => storage))}`,
        );
    }
  }

  /** What each instance has logged of the storage since the payments were closed. */
  linesOfStorage(): string[][] {
    return this.instances.map(({ log }) =>
      log.map(({ text }) => text).filter((text) => text.startsWith('The storage')),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.stop()));
  }
}

/** The state is there again when the fault is over, untouched by the commands that failed meanwhile. */
async function survives(fleet: Fleet, { breaks, mends, logs, status, off }: Fault): Promise<void> {
  await fleet.closePayments();
  await breaks();
  await fleet.finds(false);
  await fleet.answers([PAYMENTS_CLOSED, CLOSED, OPEN]);
  for (const [command, [code, says]] of [
    ['status', status],
    ['off', off],
  ] as const) {
    const ended = await fleet.command(command);
    expect([command, ended.code]).toEqual([command, code]);
    expect(withoutWarnings(ended.stderr)).toMatch(says);
  }
  await fleet.answers([PAYMENTS_CLOSED, CLOSED, OPEN]);
  await mends();
  await fleet.finds(true);
  await fleet.answers([PAYMENTS_CLOSED, PAYMENTS_CLOSED, PAYMENTS_CLOSED]);
  for (const lines of fleet.linesOfStorage()) {
    expect(lines).toEqual([expect.stringMatching(logs), expect.stringMatching(/ works again\.$/)]);
  }
}

/** The SDK warns of old versions of Node on its own account. */
function withoutWarnings(stderr: string): string {
  return stderr.replace(/^\(node:\d+\)[^]*?\n\(Use `node --trace-warnings[^\n]*\n/gm, '');
}

function failing(pattern: RegExp): Pick<Fault, 'status' | 'off'> {
  return { status: [1, pattern], off: [1, pattern] };
}

describeWithRedis('a fleet on Redis', () => {
  const USER = ['on', '~maintenance_state', '~{maintenance_state}:*', '&*', '+@all'];
  let server: RedisServer;
  let replica: RedisServer;
  let proxy: Proxy;
  let fleet: Fleet;

  beforeAll(async () => {
    server = await RedisServer.start();
    replica = await RedisServer.start();
    await server.ask('ACL', 'SETUSER', 'shop', '>first', ...USER);
    await replica.ask('ACL', 'SETUSER', 'shop', '>first', ...USER);
    proxy = await Proxy.to(server.port);
    fleet = new Fleet(proxy.url.replace('//', '//shop:first@'));
    await fleet.start();
  }, 60_000);

  afterAll(async () => {
    await fleet.stop();
    await proxy.close();
    await server.stop();
    await replica.stop();
  });

  it('that stands still', async () => {
    await survives(fleet, {
      breaks: () => server.signal('SIGSTOP'),
      mends: () => server.signal('SIGCONT'),
      logs: /^The storage redis:\S+ fails, so .*no answer within 3 s/,
      ...failing(/^error: redis:\/\/127\.0\.0\.1:\d+\S+ gave no answer within 3 s/),
    });
  }, 90_000);

  it('that cuts each answer off', async () => {
    await survives(fleet, {
      breaks: () => proxy.cutAnswers(3),
      mends: () => proxy.cutAnswers(null),
      logs: /^The storage redis:\S+ fails, so .*(?:closed the connection|can't be reached)/,
      ...failing(/^error: redis:\/\/127\.0\.0\.1:\d+\S+ (?:has closed the connection|can't be reached)/),
    });
  }, 90_000);

  it('whose password was changed', async () => {
    await survives(fleet, {
      breaks: async () => {
        await server.ask('ACL', 'SETUSER', 'shop', 'resetpass', '>second');
        await server.ask('CLIENT', 'KILL', 'USER', 'shop');
      },
      mends: () => server.ask('ACL', 'SETUSER', 'shop', 'resetpass', '>first'),
      logs: /^The storage redis:\S+ fails, so .*WRONGPASS|closed the connection/,
      ...failing(/^error: redis:\/\/127\.0\.0\.1:\d+\S+ can't be read: WRONGPASS/),
    });
  }, 90_000);

  it('whose key holds garbage, until `off` replaces it', async () => {
    await fleet.closePayments();
    await server.ask('SET', 'maintenance_state', 'garbage');
    await fleet.finds(false);
    await fleet.answers([PAYMENTS_CLOSED, CLOSED, OPEN]);
    expect(await fleet.command('status')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('holds no maintenance state'),
    });
    expect(await fleet.command('off')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('was corrupt, and has been replaced'),
    });
    await fleet.finds(true);
    await fleet.answers([OPEN, OPEN, OPEN]);
  }, 90_000);

  it.each(['on', 'off'] as const)(
    'that comes back empty, until `%s` on the command line: a new lineage wins',
    async (where) => {
      await fleet.closePayments();
      const before = await fleet.instances[0]!.ask('stored');
      await server.ask('FLUSHALL');
      await fleet.finds(false);
      await fleet.answers([PAYMENTS_CLOSED, CLOSED, OPEN]);
      // The reports were lost too, until the instances that have noticed it report again.
      await until('status tells that instances refuse', async () => (await fleet.command('status')).code === 3, 30_000);
      expect((await fleet.command('status')).stdout).toContain('nothing is stored there any more');
      expect(await fleet.command(where)).toMatchObject({ code: 0 });
      await fleet.finds(true);
      await fleet.answers(Array(3).fill(where === 'on' ? CLOSED : OPEN));
      const after = await fleet.instances[0]!.ask('stored');
      expect(after!.revision).toBe(1);
      expect(after!.lineage).not.toBe(before!.lineage);
      for (const lines of fleet.linesOfStorage()) {
        expect(lines).toEqual([
          expect.stringMatching(/ is gone, and was there before/),
          expect.stringMatching(/ works again\.$/),
        ]);
      }
    },
    90_000,
  );

  it('that is stopped', async () => {
    await fleet.closePayments();
    const state = await server.ask('GET', 'maintenance_state');
    await survives(fleet, {
      breaks: () => server.kill(),
      mends: async () => {
        await server.restart();
        await server.ask('ACL', 'SETUSER', 'shop', '>first', ...USER);
        await server.ask('SET', 'maintenance_state', state);
      },
      logs: /^The storage redis:\S+ fails, so .*(?:closed the connection|can't be reached)/,
      ...failing(/^error: redis:\/\/127\.0\.0\.1:\d+\S+ (?:has closed the connection|can't be reached)/),
    });
  }, 90_000);

  it('whose master is replaced by its replica', async () => {
    await replica.ask('REPLICAOF', '127.0.0.1', String(server.port));
    await survives(fleet, {
      breaks: async () => {
        const state = await server.ask('GET', 'maintenance_state');
        for (
          const deadline = Date.now() + PATIENCE;
          (await replica.ask('GET', 'maintenance_state')) !== state;
          await pause(20)
        ) {
          if (Date.now() > deadline) throw new Error('the replica did not follow');
        }
        await server.kill();
      },
      mends: async () => {
        await replica.ask('REPLICAOF', 'NO', 'ONE');
        proxy.target = replica.port;
      },
      logs: /^The storage redis:\S+ fails, so .*(?:closed the connection|can't be reached)/,
      ...failing(/^error: redis:\/\/127\.0\.0\.1:\d+\S+ (?:has closed the connection|can't be reached)/),
    });
    expect(await fleet.command('off')).toMatchObject({ code: 0 });
    await fleet.answers([OPEN, OPEN, OPEN]);
  }, 90_000);
});

describe('a fleet on S3', () => {
  const BUCKET = 'bucket';
  let light: LightServer;
  let front: S3Front;
  let fleet: Fleet;

  beforeAll(async () => {
    light = await LightServer.start(BUCKET);
    front = await S3Front.start(light, BUCKET);
    fleet = new Fleet(s3Url(BUCKET, front.url), getS3Environment(S3RVER_KEYS.accessKeyId, S3RVER_KEYS.secretAccessKey));
    await fleet.start();
  }, 60_000);

  afterAll(async () => {
    await fleet.stop();
    await front.stop();
    await light.stop();
  });

  const always = (fault: S3Fault): Pick<Fault, 'breaks' | 'mends'> => ({
    breaks: () => (front.intercept = () => fault),
    mends: () => front.reset(),
  });
  const faults: [string, () => Fault][] = [
    [
      'that stands still',
      () => ({
        breaks: () => light.signal('SIGSTOP'),
        mends: () => light.signal('SIGCONT'),
        logs: /^The storage s3:.* fails, so .*no answer within 3 s/,
        ...failing(/^error: s3:\/\/bucket\/fleet-\S+ at http:\S+ could not be read: no answer within 3 s/),
      }),
    ],
    [
      'that cuts each answer off',
      () => ({
        ...always('cut'),
        logs: /^The storage s3:.* fails, so .*the connection was cut/,
        ...failing(/^error: s3:\S+ at http:\S+ could not be read: the connection was cut/),
      }),
    ],
    [
      'that resets each connection',
      () => ({
        ...always('reset'),
        logs: /^The storage s3:.* fails, so .*the connection was cut/,
        ...failing(/^error: s3:\S+ at http:\S+ could not be read: the connection was cut/),
      }),
    ],
    [
      'whose keys were changed',
      () => ({
        ...always({ status: 403, body: '<Error><Code>InvalidAccessKeyId</Code></Error>' }),
        logs: /^The storage s3:.* fails, so .*the access key is not known/,
        ...failing(/^error: s3:\S+ at http:\S+ could not be read: the access key is not known/),
      }),
    ],
    [
      'that is overloaded',
      () => ({
        ...always({ status: 503, body: '<Error><Code>ServiceUnavailable</Code></Error>' }),
        logs: /^The storage s3:.* fails, so .*HTTP 503/,
        ...failing(/^error: s3:\S+ at http:\S+ could not be read: the server answers HTTP 503/),
      }),
    ],
  ];
  it.each(faults)('%s', async (_title, fault) => survives(fleet, fault()), 90_000);

  it('whose object is deleted by hand is open', async () => {
    await fleet.closePayments();
    await rm(light.fileOf(pathOf(fleet)));
    front.notice(pathOf(fleet), 'removed');
    await fleet.answers([OPEN, OPEN, OPEN]);
    expect(await fleet.command('status')).toMatchObject({ code: 0 });
    expect(fleet.linesOfStorage()).toEqual([[], [], []]);
    await fleet.closePayments();
  }, 90_000);

  it('whose object is replaced by garbage, until `on` replaces that', async () => {
    await fleet.closePayments();
    await writeFile(light.fileOf(pathOf(fleet)), 'garbage');
    front.notice(pathOf(fleet), 'changed');
    await fleet.finds(false);
    await fleet.answers([PAYMENTS_CLOSED, CLOSED, OPEN]);
    expect(await fleet.command('status')).toMatchObject({ code: 1 });
    expect(await fleet.command('on')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('was corrupt, and has been replaced'),
    });
    await fleet.answers([CLOSED, CLOSED, CLOSED]);
  }, 90_000);
});

describe('a fleet on a file', () => {
  let folder: string;
  let path: string;
  let fleet: Fleet;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), `faults-${randomUUID()}`));
    path = join(folder, 'state.json');
    fleet = new Fleet(`file:${path}`);
    await fleet.start();
  }, 60_000);

  afterAll(async () => {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('that is deleted by hand is open', async () => {
    await fleet.closePayments();
    await rm(path);
    await fleet.answers([OPEN, OPEN, OPEN]);
    expect(await fleet.command('status')).toMatchObject({ code: 0 });
    expect(fleet.linesOfStorage()).toEqual([[], [], []]);
  }, 90_000);

  it('that is replaced by garbage, until `off` replaces that', async () => {
    await fleet.closePayments();
    await writeFile(path, 'garbage');
    await fleet.finds(false);
    await fleet.answers([PAYMENTS_CLOSED, CLOSED, OPEN]);
    expect(await fleet.command('status')).toMatchObject({ code: 1 });
    expect(await fleet.command('off')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('was corrupt, and has been replaced'),
    });
    await fleet.finds(true);
    await fleet.answers([OPEN, OPEN, OPEN]);
    for (const lines of fleet.linesOfStorage()) {
      expect(lines).toEqual([expect.stringMatching(/ fails, so /), expect.stringMatching(/ works again\.$/)]);
    }
  }, 90_000);
});

/** Of the object, as S3 knows it. */
function pathOf({ url }: Fleet): string {
  return `/${url.slice('s3://'.length).split('?')[0]}`;
}
