import { setTimeout as pause } from 'node:timers/promises';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { Instance, type InstanceSettings } from './instance.js';
import { describeOnEachBackend, type Backend } from './storage-backends.js';

const REFRESH_INTERVAL_MS = 500;
/** Longer than a snapshot counts as fresh. */
const SUSPENSION_MS = 8_000;

const started: Instance[] = [];
async function stopAll(): Promise<void> {
  await Promise.all(started.splice(0).map((instance) => instance.stop()));
}

async function start(settings: InstanceSettings): Promise<Instance> {
  const instance = await Instance.start(settings);
  started.push(instance);
  return instance;
}

async function turn(instance: Instance, where: 'on' | 'off'): Promise<void> {
  expect(await instance.turn(where, 'operator')).toMatchObject({ status: 200, body: { active: where === 'on' } });
}

/** Suspends the instance, as a serverless platform does between requests, and resumes it for waiting requests. */
async function suspendAndResume(instance: Instance, meanwhile: () => Promise<unknown>): Promise<number[]> {
  instance.signal('SIGSTOP');
  await meanwhile();
  await pause(SUSPENSION_MS);
  // The keep-alive connections have timed out by now; the instance closes them when it resumes.
  instance.agent.destroy();
  let sent = 0;
  const answers = Promise.all([instance.get('/', () => sent++), instance.get('/payments', () => sent++)]);
  const upgraded = instance.upgrade('/live', () => sent++);
  // They have to be in the queue of its socket before it resumes.
  await until('all requests are sent', () => sent === 3);
  instance.signal('SIGCONT');
  return [...(await answers).map(({ status }) => status), await upgraded];
}

describeOnEachBackend('a suspended instance', (kind) => {
  let backend: Backend;

  beforeEach(async () => {
    backend = await kind.open();
  });
  afterEach(async () => {
    await stopAll();
    await backend.close();
  });

  it.each(['express', 'fastify'] as const)(
    'refuses the requests that resume it if maintenance was turned on while it was suspended (%s)',
    async (adapter) => {
      const settings = {
        options: { storage: backend.url, refreshInterval: REFRESH_INTERVAL_MS },
        env: backend.env,
        adapter,
      };
      const [suspended, other] = await Promise.all([start(settings), start(settings)]);
      expect((await suspended.get('/')).status).toBe(200);
      const statuses = await suspendAndResume(suspended, () => turn(other, 'on'));
      expect(statuses).toEqual([503, 503, 503]);
    },
    60_000,
  );

  it('admits the requests that resume it if maintenance was turned off while it was suspended', async () => {
    const settings = { options: { storage: backend.url, refreshInterval: REFRESH_INTERVAL_MS }, env: backend.env };
    const [suspended, other] = await Promise.all([start(settings), start(settings)]);
    await turn(suspended, 'on');
    const statuses = await suspendAndResume(suspended, () => turn(other, 'off'));
    expect(statuses).toEqual([200, 200, 101]);
  }, 60_000);
});

describeWithRedis('a suspended instance with an unresponsive storage', () => {
  it.each([
    ['on', 503],
    ['off', 200],
    ['last-known', 200],
  ] as const)(
    'applies onStorageFailure when it resumes: %s',
    async (onStorageFailure, status) => {
      const server = await RedisServer.start();
      try {
        const suspended = await start({
          options: { storage: server.url, refreshInterval: REFRESH_INTERVAL_MS, onStorageFailure },
        });
        const statuses = await suspendAndResume(suspended, async () => server.signal('SIGSTOP'));
        expect(statuses).toEqual([status, status, status === 200 ? 101 : 503]);
        expect((await suspended.ask('status')).storage).toMatchObject({ healthy: false });
      } finally {
        server.signal('SIGCONT');
        await stopAll();
        await server.stop();
      }
    },
    60_000,
  );
});
