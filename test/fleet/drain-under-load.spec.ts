import { setTimeout as pause } from 'node:timers/promises';
import { folderWith, run, type Ended } from '../cli/program.js';
import { Instance } from './instance.js';
import { describeOnEachBackend, type BackendKind, type Backend } from './storage-backends.js';

const ROUNDS = Number(process.env.DRAIN_ROUNDS || 3);
const INSTANCES = 5;
/** Milliseconds between two reads; long where instances learn of a change by nothing else, so that they lag behind. */
const intervalOf = ({ notifies }: BackendKind): number => (notifies ? 100 : 1_000);
/** The longest that a request takes, in milliseconds. */
const SLOWEST = 900;

/** A request, from the log of its client. Times in milliseconds since the epoch. */
interface Logged {
  sentAt: number;
  heardAt: number;
  status: number;
  /** When the handler was done. */
  finishedAt?: number;
}

/** One `on --wait` and the `off` after it. */
interface Round {
  startedAt: number;
  /** When `on --wait` had ended. */
  drainedAt: number;
  /** When `off` was begun. */
  offAt: number;
}

describeOnEachBackend('a fleet under load', (kind) => {
  let backend: Backend;
  let instances: Instance[];

  beforeAll(async () => {
    backend = await kind.open();
    instances = await startOn(backend, kind);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(instances.map((instance) => instance.stop()));
    await backend.close();
  });

  it(
    `fails nobody, and admits nobody and has nobody in flight once on --wait returns (${ROUNDS} rounds)`,
    async () => {
      const log: Logged[] = [];
      let isOver = false;
      const clients = instances.flatMap((instance) => [
        browse(
          instance,
          () => 'slow/0',
          log,
          () => isOver,
        ),
        browse(
          instance,
          () => `slow/${Math.round(Math.random() * SLOWEST)}`,
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
        const meanwhile = log.filter(({ sentAt, heardAt }) => sentAt >= drainedAt && heardAt <= offAt);
        expect(meanwhile.length).toBeGreaterThan(0);
        expect(meanwhile.filter(({ status }) => status !== 503)).toEqual([]);
        const late = log.filter(
          ({ sentAt, finishedAt = 0 }) => sentAt < drainedAt && finishedAt > drainedAt && finishedAt < offAt,
        );
        expect(late).toEqual([]);
        // Somebody was admitted while the command ran, so that there was something to wait for.
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
  // Until they are all open again.
  await pause(2 * intervalOf(kind));
  return { startedAt, drainedAt, offAt };
}

async function browse(instance: Instance, path: () => string, log: Logged[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const sentAt = Date.now();
    const { status, body } = await instance
      .get(`/${path()}`)
      .catch((error: unknown) => ({ status: String(error) as never, body: {} }));
    log.push({ sentAt, heardAt: Date.now(), status, finishedAt: body.finishedAt });
    await pause(5);
  }
}

function startOn({ url, env }: Backend, kind: BackendKind): Promise<Instance[]> {
  const options = { storage: url, refreshInterval: intervalOf(kind) };
  return Promise.all(
    Array.from({ length: INSTANCES }, (_, index) =>
      Instance.start({ options, adapter: index % 2 ? 'fastify' : 'express', env }),
    ),
  );
}

function command({ url, env }: Backend, ...args: string[]): Promise<Ended> {
  return run([...args, '--storage', url], { cwd: folderWith(), env });
}
