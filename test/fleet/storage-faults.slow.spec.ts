import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderWith, run, type Ended } from '../cli/program.js';
import { describeWithRedis, Proxy, RedisServer } from '../storage/redis-server.js';
import { LightServer, S3Front, S3RVER_KEYS, type Fault as S3Fault } from '../storage/s3-front.js';
import { until } from '../tools/waiting.js';
import { Instance } from './instance.js';
import { getS3Environment, s3Url } from './storage-backends.js';

const REFRESH_INTERVAL_MS = 200;

/** Statuses of `/` and `/payments` during a window on the payments. */
const PAYMENTS_REFUSED = [200, 503];
const ADMITTED = [200, 200];
const REFUSED = [503, 503];

/** A fault of the storage and its expected effects. On a busy machine, a lost connection may show as a timeout. */
interface Fault {
  breaks: () => unknown;
  /** Repairs the storage. */
  mends: () => unknown;
  /** The only line in the log. */
  logs: RegExp;
  /** Exit code and stderr of `status` during the fault. */
  status: [code: number, message: RegExp];
  /** Exit code and stderr of `off` during the fault. */
  off: [code: number, message: RegExp];
}

/** Three instances with one storage, one for each `onStorageFailure`, and a command line. */
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
          options: { storage: this.url, refreshInterval: REFRESH_INTERVAL_MS, onStorageFailure },
          env: this.env,
        }),
      ),
    );
  }

  /** Turns maintenance on for the payments by the command line. */
  async enableForPayments(): Promise<void> {
    await this.command('off', '--all');
    const { code, stderr } = await this.command('on', '--scope', 'payments');
    expect([code, withoutWarnings(stderr)]).toEqual([0, '']);
    await this.waitForStatuses([PAYMENTS_REFUSED, PAYMENTS_REFUSED, PAYMENTS_REFUSED]);
    this.instances.forEach((instance) => (instance.log.length = 0));
  }

  command(...args: string[]): Promise<Ended> {
    return run([...args, '--storage', this.url], { cwd: this.#folder, env: this.env });
  }

  /** Waits until each instance responds with these statuses to `/` and `/payments`. */
  async waitForStatuses(expected: number[][]): Promise<void> {
    let found: number[][] = [];
    const isReached = async (): Promise<boolean> => {
      found = await Promise.all(
        this.instances.map((instance) =>
          Promise.all(['/', '/payments'].map(async (path) => (await instance.get(path)).status)),
        ),
      );
      return JSON.stringify(found) === JSON.stringify(expected);
    };
    await until('the instances respond as expected', isReached).catch(() => expect(found).toEqual(expected));
  }

  /** Waits until the storage is healthy for every instance, or for none. */
  async waitForHealth(isHealthy: boolean): Promise<void> {
    await until(`healthy is ${isHealthy} for every instance`, async () => {
      const statuses = await Promise.all(this.instances.map((instance) => instance.ask('status')));
      return statuses.every(({ storage }) => storage.healthy === isHealthy);
    });
  }

  /** Returns what each instance has logged about the storage since the window started. */
  getStorageLines(): string[][] {
    return this.instances.map(({ log }) =>
      log.map(({ text }) => text).filter((text) => text.startsWith('The storage')),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.stop()));
  }
}

/** Asserts that the state survives the fault and the failed commands during it. */
async function expectSurvival(fleet: Fleet, { breaks, mends, logs, status, off }: Fault): Promise<void> {
  await fleet.enableForPayments();
  try {
    await breaks();
    await fleet.waitForHealth(false);
    await fleet.waitForStatuses([PAYMENTS_REFUSED, REFUSED, ADMITTED]);
    for (const [command, [code, message]] of [
      ['status', status],
      ['off', off],
    ] as const) {
      const ended = await fleet.command(command);
      expect([command, ended.code]).toEqual([command, code]);
      expect(withoutWarnings(ended.stderr)).toMatch(message);
    }
    await fleet.waitForStatuses([PAYMENTS_REFUSED, REFUSED, ADMITTED]);
  } finally {
    await mends();
  }
  await fleet.waitForHealth(true);
  await fleet.waitForStatuses([PAYMENTS_REFUSED, PAYMENTS_REFUSED, PAYMENTS_REFUSED]);
  for (const lines of fleet.getStorageLines()) {
    expect(lines).toEqual([expect.stringMatching(logs), expect.stringMatching(/ works again\.$/)]);
  }
}

/** Removes warnings of the AWS SDK about old versions of Node. */
function withoutWarnings(stderr: string): string {
  return stderr.replace(/^\(node:\d+\)[^]*?\n\(Use `node --trace-warnings[^\n]*\n/gm, '');
}

function expectFailure(pattern: RegExp): Pick<Fault, 'status' | 'off'> {
  return { status: [1, pattern], off: [1, pattern] };
}

describeWithRedis('instances with a Redis storage', () => {
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

  it('keep serving while Redis is suspended', async () => {
    await expectSurvival(fleet, {
      breaks: () => server.signal('SIGSTOP'),
      mends: () => server.signal('SIGCONT'),
      logs: /^The storage redis:\S+ fails, so .*no answer within 3 s/,
      ...expectFailure(/^error: redis:\/\/127\.0\.0\.1:\d+\S+ gave no answer within 3 s/),
    });
  }, 90_000);

  it('keep serving while Redis cuts off each response', async () => {
    await expectSurvival(fleet, {
      breaks: () => proxy.cutAnswers(3),
      mends: () => proxy.cutAnswers(null),
      logs: /^The storage redis:\S+ fails, so .*(?:closed the connection|can't be reached|no answer within 3 s)/,
      ...expectFailure(
        /^error: redis:\/\/127\.0\.0\.1:\d+\S+ (?:has closed the connection|can't be reached|gave no answer within 3 s)/,
      ),
    });
  }, 90_000);

  it('keep serving while the password of Redis is wrong', async () => {
    await expectSurvival(fleet, {
      breaks: async () => {
        await server.ask('ACL', 'SETUSER', 'shop', 'resetpass', '>second');
        await server.ask('CLIENT', 'KILL', 'USER', 'shop');
      },
      mends: () => server.ask('ACL', 'SETUSER', 'shop', 'resetpass', '>first'),
      logs: /^The storage redis:\S+ fails, so .*WRONGPASS|closed the connection/,
      ...expectFailure(/^error: redis:\/\/127\.0\.0\.1:\d+\S+ can't be read: wrong user name or password/),
    });
  }, 90_000);

  it('apply onStorageFailure to a corrupt key until `off` replaces it', async () => {
    await fleet.enableForPayments();
    await server.ask('SET', 'maintenance_state', 'garbage');
    await fleet.waitForHealth(false);
    await fleet.waitForStatuses([PAYMENTS_REFUSED, REFUSED, ADMITTED]);
    expect(await fleet.command('status')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not contain a valid maintenance state'),
    });
    expect(await fleet.command('off')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('was corrupt and has been replaced'),
    });
    await fleet.waitForHealth(true);
    await fleet.waitForStatuses([ADMITTED, ADMITTED, ADMITTED]);
  }, 90_000);

  it.each(['on', 'off'] as const)(
    'apply onStorageFailure to an emptied Redis until `%s` starts a new lineage',
    async (where) => {
      await fleet.enableForPayments();
      const before = await fleet.instances[0]!.ask('stored');
      await server.ask('FLUSHALL');
      await fleet.waitForHealth(false);
      await fleet.waitForStatuses([PAYMENTS_REFUSED, REFUSED, ADMITTED]);
      // The reports were lost as well; instances report again once they have noticed.
      await until(
        'status reports that instances refuse',
        async () => (await fleet.command('status')).code === 3,
        30_000,
      );
      expect((await fleet.command('status')).stdout).toContain('nothing is stored there any more');
      expect(await fleet.command(where)).toMatchObject({ code: 0 });
      await fleet.waitForHealth(true);
      await fleet.waitForStatuses(Array(3).fill(where === 'on' ? REFUSED : ADMITTED));
      const after = await fleet.instances[0]!.ask('stored');
      expect(after!.revision).toBe(1);
      expect(after!.lineage).not.toBe(before!.lineage);
      for (const lines of fleet.getStorageLines()) {
        expect(lines).toEqual([
          expect.stringMatching(/ is gone, although it existed/),
          expect.stringMatching(/ works again\.$/),
        ]);
      }
    },
    90_000,
  );

  it('keep serving while Redis is stopped', async () => {
    await fleet.enableForPayments();
    const state = await server.ask('GET', 'maintenance_state');
    await expectSurvival(fleet, {
      breaks: () => server.kill(),
      mends: async () => {
        await server.restart();
        await server.ask('ACL', 'SETUSER', 'shop', '>first', ...USER);
        await server.ask('SET', 'maintenance_state', state);
      },
      logs: /^The storage redis:\S+ fails, so .*(?:closed the connection|can't be reached|no answer within 3 s)/,
      ...expectFailure(
        /^error: redis:\/\/127\.0\.0\.1:\d+\S+ (?:has closed the connection|can't be reached|gave no answer within 3 s)/,
      ),
    });
  }, 90_000);

  it('recover from a failover to a replica', async () => {
    await replica.ask('REPLICAOF', '127.0.0.1', String(server.port));
    await expectSurvival(fleet, {
      breaks: async () => {
        const state = await server.ask('GET', 'maintenance_state');
        await until('the replica follows', async () => (await replica.ask('GET', 'maintenance_state')) === state);
        await server.kill();
      },
      mends: async () => {
        await replica.ask('REPLICAOF', 'NO', 'ONE');
        proxy.target = replica.port;
      },
      logs: /^The storage redis:\S+ fails, so .*(?:closed the connection|can't be reached|no answer within 3 s)/,
      ...expectFailure(
        /^error: redis:\/\/127\.0\.0\.1:\d+\S+ (?:has closed the connection|can't be reached|gave no answer within 3 s)/,
      ),
    });
    expect(await fleet.command('off')).toMatchObject({ code: 0 });
    await fleet.waitForStatuses([ADMITTED, ADMITTED, ADMITTED]);
  }, 90_000);
});

describe('instances with an S3 storage', () => {
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
  const closeEach = (fault: S3Fault): Fault => ({
    ...always(fault),
    logs: /^The storage s3:.* fails, so .*(?:the connection was closed|no answer within 3 s)/,
    ...expectFailure(
      /^error: s3:\S+ at http:\S+ could not be read: (?:the connection was closed|no answer within 3 s)/,
    ),
  });
  const faults: [string, () => Fault][] = [
    [
      'is suspended',
      () => ({
        breaks: () => light.signal('SIGSTOP'),
        mends: () => light.signal('SIGCONT'),
        logs: /^The storage s3:.* fails, so .*no answer within 3 s/,
        ...expectFailure(/^error: s3:\/\/bucket\/fleet-\S+ at http:\S+ could not be read: no answer within 3 s/),
      }),
    ],
    ['cuts off each response', () => closeEach('cut')],
    ['resets each connection', () => closeEach('reset')],
    [
      'rejects the access key',
      () => ({
        ...always({ status: 403, body: '<Error><Code>InvalidAccessKeyId</Code></Error>' }),
        logs: /^The storage s3:.* fails, so .*unknown access key/,
        ...expectFailure(/^error: s3:\S+ at http:\S+ could not be read: unknown access key/),
      }),
    ],
    [
      'is overloaded',
      () => ({
        ...always({ status: 503, body: '<Error><Code>ServiceUnavailable</Code></Error>' }),
        logs: /^The storage s3:.* fails, so .*HTTP 503/,
        ...expectFailure(/^error: s3:\S+ at http:\S+ could not be read: the server responded with HTTP 503/),
      }),
    ],
  ];
  it.each(faults)('keep serving while S3 %s', async (_title, fault) => expectSurvival(fleet, fault()), 90_000);

  it('admit everything after the object was deleted', async () => {
    await fleet.enableForPayments();
    await rm(light.getObjectFile(getObjectPath(fleet)));
    front.notice(getObjectPath(fleet), 'removed');
    await fleet.waitForStatuses([ADMITTED, ADMITTED, ADMITTED]);
    expect(await fleet.command('status')).toMatchObject({ code: 0 });
    expect(fleet.getStorageLines()).toEqual([[], [], []]);
    await fleet.enableForPayments();
  }, 90_000);

  it('apply onStorageFailure to a corrupt object until `on` replaces it', async () => {
    await fleet.enableForPayments();
    await writeFile(light.getObjectFile(getObjectPath(fleet)), 'garbage');
    front.notice(getObjectPath(fleet), 'changed');
    await fleet.waitForHealth(false);
    await fleet.waitForStatuses([PAYMENTS_REFUSED, REFUSED, ADMITTED]);
    expect(await fleet.command('status')).toMatchObject({ code: 1 });
    expect(await fleet.command('on')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('was corrupt and has been replaced'),
    });
    await fleet.waitForStatuses([REFUSED, REFUSED, REFUSED]);
  }, 90_000);
});

describe('instances with a file storage', () => {
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

  it('admit everything after the file was deleted', async () => {
    await fleet.enableForPayments();
    await rm(path);
    await fleet.waitForStatuses([ADMITTED, ADMITTED, ADMITTED]);
    expect(await fleet.command('status')).toMatchObject({ code: 0 });
    expect(fleet.getStorageLines()).toEqual([[], [], []]);
  }, 90_000);

  it('apply onStorageFailure to a corrupt file until `off` replaces it', async () => {
    await fleet.enableForPayments();
    await writeFile(path, 'garbage');
    await fleet.waitForHealth(false);
    await fleet.waitForStatuses([PAYMENTS_REFUSED, REFUSED, ADMITTED]);
    expect(await fleet.command('status')).toMatchObject({ code: 1 });
    expect(await fleet.command('off')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('was corrupt and has been replaced'),
    });
    await fleet.waitForHealth(true);
    await fleet.waitForStatuses([ADMITTED, ADMITTED, ADMITTED]);
    for (const lines of fleet.getStorageLines()) {
      expect(lines).toEqual([expect.stringMatching(/ fails, so /), expect.stringMatching(/ works again\.$/)]);
    }
  }, 90_000);
});

/** Returns the path of the object in S3. */
function getObjectPath({ url }: Fleet): string {
  return `/${url.slice('s3://'.length).split('?')[0]}`;
}
