import { setTimeout as pause } from 'node:timers/promises';
import { folderWith, run, type Ended } from '../cli/program.js';
import { Instance } from './instance.js';
import { describeOnEachBackend, type BackendKind, type Backend } from './storage-backends.js';

const ROUNDS = Number(process.env.DRAIN_ROUNDS || 3);
const INSTANCES = 5;
/** Milliseconds between two reads; long for storages without notifications, so that instances lag behind. */
const getRefreshInterval = ({ notifies }: BackendKind): number => (notifies ? 100 : 1_000);
/** Duration of the slowest request. */
const MAX_REQUEST_MS = 900;

/** A request as its client recorded it. Times in milliseconds since the epoch. */
interface RecordedRequest {
  sentAt: number;
  receivedAt: number;
  status: number;
  /** When the handler finished. */
  finishedAt?: number;
}

/** One `on --wait` and the `off` after it. */
interface Round {
  startedAt: number;
  /** When `on --wait` exited. */
  drainedAt: number;
  /** When `off` was started. */
  offAt: number;
}

describeOnEachBackend('on --wait under load', (kind) => {
  let backend: Backend;
  let instances: Instance[];

  beforeAll(async () => {
    backend = await kind.open();
    instances = await startInstances(backend, kind);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(instances.map((instance) => instance.stop()));
    await backend.close();
  });

  it(
    `fails no request and leaves none admitted or in flight when it returns (${ROUNDS} rounds)`,
    async () => {
      const log: RecordedRequest[] = [];
      let isOver = false;
      const clients = instances.flatMap((instance) => [
        sendRequests(
          instance,
          () => 'slow/0',
          log,
          () => isOver,
        ),
        sendRequests(
          instance,
          () => `slow/${Math.round(Math.random() * MAX_REQUEST_MS)}`,
          log,
          () => isOver,
        ),
      ]);
      const rounds: Round[] = [];
      while (rounds.length < ROUNDS) rounds.push(await toggle(backend, kind));
      isOver = true;
      await Promise.all(clients);

      expect(log.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
      for (const { startedAt, drainedAt, offAt } of rounds) {
        const meanwhile = log.filter(({ sentAt, receivedAt }) => sentAt >= drainedAt && receivedAt <= offAt);
        expect(meanwhile.length).toBeGreaterThan(0);
        expect(meanwhile.filter(({ status }) => status !== 503)).toEqual([]);
        const late = log.filter(
          ({ sentAt, finishedAt = 0 }) => sentAt < drainedAt && finishedAt > drainedAt && finishedAt < offAt,
        );
        expect(late).toEqual([]);
        // Makes sure that requests were in flight while the command ran.
        expect(log.some(({ finishedAt = 0 }) => finishedAt > startedAt && finishedAt <= drainedAt)).toBe(true);
      }
    },
    30_000 + ROUNDS * 15_000,
  );
});

async function toggle(backend: Backend, kind: BackendKind): Promise<Round> {
  await pause(Math.random() * 300);
  const startedAt = Date.now();
  const on = await command(backend, 'on', '--wait', '--timeout', '20s', '--json');
  const drainedAt = Date.now();
  expect([on.code, on.stdout === '' ? on.stderr : JSON.parse(on.stdout).drain]).toMatchObject([
    0,
    { drained: true, pending: [], instances: { length: INSTANCES } },
  ]);
  await pause(100);
  const offAt = Date.now();
  expect((await command(backend, 'off')).code).toBe(0);
  // Waits until all instances admit requests again.
  await pause(2 * getRefreshInterval(kind));
  return { startedAt, drainedAt, offAt };
}

async function sendRequests(
  instance: Instance,
  path: () => string,
  log: RecordedRequest[],
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    const sentAt = Date.now();
    const { status, body } = await instance
      .get(`/${path()}`)
      .catch((error: unknown) => ({ status: String(error) as never, body: {} }));
    log.push({ sentAt, receivedAt: Date.now(), status, finishedAt: body.finishedAt });
    await pause(5);
  }
}

function startInstances({ url, env }: Backend, kind: BackendKind): Promise<Instance[]> {
  const options = { storage: url, refreshInterval: getRefreshInterval(kind) };
  return Promise.all(
    Array.from({ length: INSTANCES }, (_, index) =>
      Instance.start({ options, adapter: index % 2 ? 'fastify' : 'express', env }),
    ),
  );
}

function command({ url, env }: Backend, ...args: string[]): Promise<Ended> {
  return run([...args, '--storage', url], { cwd: folderWith(), env });
}
