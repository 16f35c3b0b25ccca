import type { StoredWindow } from 'nestjs-maintenance';
import { LEASE_TIMES, type LeaseTimes } from '../../libs/maintenance/src/leases/lease-times.js';
import { folderWith, run } from '../cli/program.js';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { Instance } from './instance.js';
import { describeOnEachBackend, type Backend } from './storage-backends.js';

/** A twentieth of those of an application; with LEASE=real the very same. */
const TIMES: LeaseTimes =
  process.env.LEASE === 'real'
    ? LEASE_TIMES
    : { durationMs: 3_000, renewIntervalMs: 1_000, retryDelayMs: 100, safetyMarginMs: 750, shutdownTimeoutMs: 500 };
/** What a busy machine may take for a request and a look at the clock, in milliseconds. */
const SLACK = 1_000;
const PATIENCE = 2 * TIMES.durationMs + 8_000;

function settingsOn({ url, env }: Pick<Backend, 'url' | 'env'>) {
  return { options: { storage: url, refreshInterval: 200 }, env, lease: TIMES };
}

async function windowsSeenBy(instance: Instance): Promise<StoredWindow[]> {
  return (await instance.ask('stored'))?.windows ?? [];
}

async function leaseSeenBy(instance: Instance): Promise<number> {
  const [window] = await windowsSeenBy(instance);
  return Date.parse(window!.leaseUntil!);
}

async function isClosed(instance: Instance): Promise<boolean> {
  return (await instance.get('/')).status === 503;
}

describeOnEachBackend('work in a window of its own', (kind) => {
  let backend: Backend;
  let owner: Instance;
  let other: Instance;

  beforeEach(async () => {
    backend = await kind.open();
    [owner, other] = (await Instance.fleet(2, settingsOn(backend))) as [Instance, Instance];
  }, 60_000);
  afterEach(async () => {
    owner.signal('SIGCONT');
    await Promise.all([owner, other].map((instance) => instance.stop()));
    await backend.close();
  });

  async function begins(): Promise<void> {
    await owner.ask('beginWork');
    await until('the other instance is closed', () => isClosed(other));
  }

  it(
    'is over with the lease when its process is killed, and not before',
    async () => {
      await begins();
      const first = await leaseSeenBy(other);
      await until('the lease was renewed', async () => (await leaseSeenBy(other)) > first, PATIENCE);
      owner.signal('SIGKILL');
      const killedAt = Date.now();
      const end = await leaseSeenBy(other);
      expect(end).toBeLessThanOrEqual(killedAt + TIMES.durationMs);
      let closedAt = 0;
      await until(
        'requests are admitted again',
        async () => {
          const askedAt = Date.now();
          if (!(await isClosed(other))) return true;
          closedAt = askedAt;
          return false;
        },
        PATIENCE,
      );
      expect(Date.now()).toBeGreaterThanOrEqual(end);
      expect(closedAt).toBeLessThan(end);
      expect(Date.now()).toBeLessThan(end + SLACK);
    },
    PATIENCE * 2,
  );

  it(
    'is told so when its process stood still for longer than the lease, and its window stays over',
    async () => {
      await begins();
      owner.signal('SIGSTOP');
      await until('requests are admitted again', async () => !(await isClosed(other)), PATIENCE);
      owner.signal('SIGCONT');
      await until('the signal aborts', async () => (await owner.ask('aborted')) !== null);
      expect((await owner.ask('aborted'))!.reason).toMatch(/stood still/);
      // After this nothing of the owner's is under way.
      await owner.ask('endWork');
      expect(await isClosed(other)).toBe(false);
      const now = Date.now();
      expect((await windowsSeenBy(other)).filter(({ leaseUntil }) => Date.parse(leaseUntil!) > now)).toEqual([]);
    },
    PATIENCE * 2,
  );

  it('is told when somebody turns its window off, which stays off', async () => {
    await begins();
    const off = await run(['off', '--storage', backend.url], { cwd: folderWith(), env: backend.env });
    expect(off.code).toBe(0);
    await until('the signal aborts', async () => (await owner.ask('aborted')) !== null);
    expect((await owner.ask('aborted'))!.reason).toMatch(/was turned off by \S+@\S+ \(cli\) at /);
    const { revision } = (await other.ask('stored'))!;
    await owner.ask('endWork');
    expect(await other.ask('stored')).toMatchObject({ revision, windows: [] });
    await until('requests are admitted again', async () => !(await isClosed(other)));
  });

  it(
    'closes its own window only, where two overlap',
    async () => {
      await begins();
      await other.ask('beginWork');
      const both = await windowsSeenBy(other);
      expect(both).toHaveLength(2);
      await owner.ask('endWork');
      expect((await windowsSeenBy(owner)).map(({ id }) => id)).toEqual([both[1]!.id]);
      const lease = await leaseSeenBy(owner);
      await until('the other lease was renewed', async () => (await leaseSeenBy(owner)) > lease, PATIENCE);
      expect([await isClosed(owner), await isClosed(other)]).toEqual([true, true]);
      await other.ask('endWork');
      expect(await windowsSeenBy(owner)).toEqual([]);
      await until('requests are admitted again', async () => !(await isClosed(owner)));
    },
    PATIENCE * 2,
  );
});

describeWithRedis('work in a window of its own, whose storage', () => {
  it.each([
    ['is gone', 'SIGKILL', /can't be reached|closed the connection/],
    ['does not answer', 'SIGSTOP', /no answer|not answered|closed the connection/],
  ] as const)(
    '%s, is told before the lease runs out',
    async (_what, signal, says) => {
      const server = await RedisServer.start();
      const owner = await Instance.start(settingsOn({ url: server.url, env: {} }));
      try {
        await owner.ask('beginWork');
        const first = await leaseSeenBy(owner);
        await until('the lease was renewed', async () => (await leaseSeenBy(owner)) > first, PATIENCE);
        const end = await leaseSeenBy(owner);
        server.signal(signal);
        const brokenAt = Date.now();
        await until('the signal aborts', async () => (await owner.ask('aborted')) !== null, PATIENCE);
        const { at, reason } = (await owner.ask('aborted'))!;
        expect(reason).toMatch(says);
        // A renewal may have come in between.
        const over = Date.parse(/is over at (\S+):/.exec(reason)![1]!);
        expect(over).toBeGreaterThanOrEqual(end);
        expect(over).toBeLessThanOrEqual(brokenAt + TIMES.durationMs);
        expect(at).toBeGreaterThanOrEqual(over - TIMES.safetyMarginMs);
        expect(at).toBeLessThan(over);
        await owner.ask('endWork');
        expect(owner.log.at(-1)).toMatchObject({
          level: 'error',
          text: expect.stringMatching(/could not be closed after its work, so it stays open until /),
        });
      } finally {
        await server.kill();
        await owner.stop();
      }
    },
    PATIENCE * 3,
  );
});
