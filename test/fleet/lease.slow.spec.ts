import type { StoredWindow } from 'nestjs-maintenance';
import { LEASE_TIMES, type LeaseTimes } from '../../libs/maintenance/src/leases/lease-times.js';
import { folderWith, run } from '../cli/program.js';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { Instance } from './instance.js';
import { describeOnEachBackend, type Backend } from './storage-backends.js';

/** A tenth of the times of an application; with LEASE=real the same times. */
const TIMES: LeaseTimes =
  process.env.LEASE === 'real'
    ? LEASE_TIMES
    : { durationMs: 6_000, renewIntervalMs: 2_000, retryDelayMs: 200, safetyMarginMs: 1_500, shutdownTimeoutMs: 1_000 };
const TIMEOUT_MS = 2 * TIMES.durationMs + 8_000;

function createSettings({ url, env }: Pick<Backend, 'url' | 'env'>) {
  return { options: { storage: url, refreshInterval: 200 }, env, lease: TIMES };
}

async function readWindows(instance: Instance): Promise<StoredWindow[]> {
  return (await instance.ask('stored'))?.windows ?? [];
}

async function readLeaseEnd(instance: Instance): Promise<number> {
  const [window] = await readWindows(instance);
  return Date.parse(window!.leaseUntil!);
}

async function isInMaintenance(instance: Instance): Promise<boolean> {
  return (await instance.get('/')).status === 503;
}

describeOnEachBackend('during() with a lease', (kind) => {
  let backend: Backend;
  let owner: Instance;
  let other: Instance;

  beforeEach(async () => {
    backend = await kind.open();
    [owner, other] = (await Instance.fleet(2, createSettings(backend))) as [Instance, Instance];
  }, 60_000);
  afterEach(async () => {
    owner.signal('SIGCONT');
    await Promise.all([owner, other].map((instance) => instance.stop()));
    await backend.close();
  });

  async function startWork(): Promise<void> {
    await owner.ask('beginWork');
    await until('the other instance is in maintenance', () => isInMaintenance(other));
  }

  it(
    'ends its window when the lease of a killed process expires, not earlier',
    async () => {
      await startWork();
      const first = await readLeaseEnd(other);
      await until('the lease was renewed', async () => (await readLeaseEnd(other)) > first, TIMEOUT_MS);
      owner.signal('SIGKILL');
      const killedAt = Date.now();
      const end = await readLeaseEnd(other);
      expect(end).toBeLessThanOrEqual(killedAt + TIMES.durationMs);
      let lastRefusedAt = 0;
      await until(
        'requests are admitted again',
        async () => {
          const sentAt = Date.now();
          if (!(await isInMaintenance(other))) return true;
          lastRefusedAt = sentAt;
          return false;
        },
        TIMEOUT_MS,
      );
      expect(Date.now()).toBeGreaterThanOrEqual(end);
      expect(lastRefusedAt).toBeLessThan(end);
    },
    TIMEOUT_MS * 2,
  );

  it(
    'aborts the task of a process that was suspended longer than its lease and does not restart the window',
    async () => {
      await startWork();
      owner.signal('SIGSTOP');
      await until('requests are admitted again', async () => !(await isInMaintenance(other)), TIMEOUT_MS);
      owner.signal('SIGCONT');
      await until('the signal aborts', async () => (await owner.ask('aborted')) !== null);
      expect((await owner.ask('aborted'))!.reason).toMatch(/was suspended/);
      // After this command, the owner has no pending operations.
      await owner.ask('endWork');
      expect(await isInMaintenance(other)).toBe(false);
      const now = Date.now();
      expect((await readWindows(other)).filter(({ leaseUntil }) => Date.parse(leaseUntil!) > now)).toEqual([]);
    },
    TIMEOUT_MS * 2,
  );

  it('aborts the task when its window is turned off', async () => {
    await startWork();
    const off = await run(['off', '--storage', backend.url], { cwd: folderWith(), env: backend.env });
    expect(off.code).toBe(0);
    await until('the signal aborts', async () => (await owner.ask('aborted')) !== null);
    expect((await owner.ask('aborted'))!.reason).toMatch(/was turned off by \S+@\S+ \(cli\) at /);
    const { revision } = (await other.ask('stored'))!;
    await owner.ask('endWork');
    expect(await other.ask('stored')).toMatchObject({ revision, windows: [] });
    await until('requests are admitted again', async () => !(await isInMaintenance(other)));
  });

  it(
    'ends only its own window if two overlap',
    async () => {
      await startWork();
      await other.ask('beginWork');
      const both = await readWindows(other);
      expect(both).toHaveLength(2);
      await owner.ask('endWork');
      expect((await readWindows(owner)).map(({ id }) => id)).toEqual([both[1]!.id]);
      const lease = await readLeaseEnd(owner);
      await until('the other lease was renewed', async () => (await readLeaseEnd(owner)) > lease, TIMEOUT_MS);
      expect([await isInMaintenance(owner), await isInMaintenance(other)]).toEqual([true, true]);
      await other.ask('endWork');
      expect(await readWindows(owner)).toEqual([]);
      await until('requests are admitted again', async () => !(await isInMaintenance(owner)));
    },
    TIMEOUT_MS * 2,
  );
});

describeWithRedis('during() with a failing storage', () => {
  it.each([
    ['is killed', 'SIGKILL', /can't be reached|closed the connection/],
    ['does not respond', 'SIGSTOP', /no answer|not answered|closed the connection/],
  ] as const)(
    'aborts the task before its lease expires if the storage %s',
    async (_what, signal, says) => {
      const server = await RedisServer.start();
      const owner = await Instance.start(createSettings({ url: server.url, env: {} }));
      try {
        await owner.ask('beginWork');
        const first = await readLeaseEnd(owner);
        await until('the lease was renewed', async () => (await readLeaseEnd(owner)) > first, TIMEOUT_MS);
        const end = await readLeaseEnd(owner);
        server.signal(signal);
        const brokenAt = Date.now();
        await until('the signal aborts', async () => (await owner.ask('aborted')) !== null, TIMEOUT_MS);
        const { at, reason } = (await owner.ask('aborted'))!;
        expect(reason).toMatch(says);
        // The lease may have been renewed in between.
        const over = Date.parse(/is over at (\S+):/.exec(reason)![1]!);
        expect(over).toBeGreaterThanOrEqual(end);
        expect(over).toBeLessThanOrEqual(brokenAt + TIMES.durationMs);
        expect(at).toBeGreaterThanOrEqual(over - TIMES.safetyMarginMs);
        expect(at).toBeLessThan(over);
        await owner.ask('endWork');
        expect(owner.log.at(-1)).toMatchObject({
          level: 'error',
          text: expect.stringMatching(/could not be ended after its work, so it stays on until /),
        });
      } finally {
        await server.kill();
        await owner.stop();
      }
    },
    TIMEOUT_MS * 3,
  );
});
