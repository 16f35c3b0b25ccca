import { setTimeout as pause } from 'node:timers/promises';
import { Instance } from './instance.js';
import { describeOnEachBackend, type BackendKind, type Backend } from './storage-backends.js';

const TOGGLES = Number(process.env.LOAD_TOGGLES || 12);
const REQUESTS = Number(process.env.LOAD_REQUESTS || 2_000);
const CONNECTIONS = 4;
/** Milliseconds for which an answer may be behind where the storage notifies. How fast it is on a quiet machine, `bench/` tells. */
const BOUND = 300;
const REFRESH_INTERVAL = 100;

/** A change that somebody else has made. Times in milliseconds since the epoch. */
interface Change {
  /** What the page says while it is on; `null` while it is off. */
  message: string | null;
  revision: number;
  sentAt: number;
  confirmedAt: number;
}

/** An answer that came meanwhile. */
interface Heard {
  sentAt: number;
  heardAt: number;
  status: number;
  /** What a refusal says. */
  message?: string;
  /** What an answer of the application itself goes by. */
  revision?: number;
}

describeOnEachBackend('an application under full load', (kind) => {
  let backend: Backend;
  let switcher: Instance;

  beforeAll(async () => {
    backend = await kind.open();
    switcher = await startOn(backend, kind);
  }, 60_000);

  afterAll(async () => {
    await switcher.stop();
    await backend.close();
  });

  it(
    `fails no request and answers nothing out of date while another instance makes ${TOGGLES} changes`,
    async () => {
      const loaded = await Promise.all([startOn(backend, kind, 'express'), startOn(backend, kind, 'fastify')]);
      try {
        const changes = [await change(null)];
        // What was confirmed before it began an instance knows after one read.
        await Promise.all(loaded.map((instance) => instance.ask('roundTrip')));
        await Promise.all(loaded.flatMap((instance) => [instance.ask('stall'), instance.ask('slowestRead')]));
        let isOver = false;
        const load = loaded.map(async (instance) => {
          const heard: Heard[] = [];
          await inParallel(async () => {
            while (!isOver) heard.push(await browse(instance));
          });
          return heard;
        });
        for (let index = 0; index < TOGGLES; index++) {
          await pause(Math.random() * 2 * (kind.notifies ? BOUND : REFRESH_INTERVAL));
          changes.push(await change(index % 2 === 0 ? `change ${index}` : null));
        }
        isOver = true;

        for (const [index, heard] of (await Promise.all(load)).entries()) {
          const stall = await loaded[index]!.ask('stall');
          const bound = kind.notifies ? BOUND : REFRESH_INTERVAL + (await loaded[index]!.ask('slowestRead'));
          expect(heard.length).toBeGreaterThan(TOGGLES * 10);
          expect(new Set(heard.map(({ status }) => status))).toEqual(new Set([200, 503]));
          expect(heard.filter((answer) => !isCurrent(answer, changes, bound + stall))).toEqual([]);
        }
      } finally {
        await Promise.all(loaded.map((instance) => instance.stop()));
      }
    },
    60_000 + TOGGLES * 2_000,
  );

  it(`calls the storage on behalf of none of ${REQUESTS} requests`, async () => {
    const quiet = await Instance.start({
      options: { storage: backend.url, refreshInterval: 600_000 },
      env: backend.env,
    });
    try {
      for (const message of ['closed', null]) {
        await change(message);
        await quiet.ask('roundTrip');
        const before = { calls: await quiet.ask('calls'), served: await backend.served?.() };
        await inParallel(async () => {
          for (let sent = 0; sent < REQUESTS / CONNECTIONS; sent++) {
            expect((await quiet.get('/')).status).toBe(message === null ? 200 : 503);
          }
        });
        expect(await quiet.ask('calls')).toEqual(before.calls);
        // The switcher's own polls are on the bill of the server.
        if (kind.notifies) expect(await backend.served?.()).toBe(before.served);
      }
    } finally {
      await quiet.stop();
    }
  }, 60_000);

  async function change(message: string | null): Promise<Change> {
    const sentAt = Date.now();
    const answer = await (message === null
      ? switcher.turn('off', 'switcher')
      : switcher.turn('on', 'switcher', { message }));
    expect(answer.status).toBe(200);
    return { message, revision: answer.body.revision, sentAt, confirmedAt: Date.now() };
  }
});

function startOn(backend: Backend, { notifies }: BackendKind, adapter?: 'express' | 'fastify'): Promise<Instance> {
  const refreshInterval = notifies ? 600_000 : REFRESH_INTERVAL;
  return Instance.start({ options: { storage: backend.url, refreshInterval }, env: backend.env, adapter });
}

/** Does it on each of the connections. */
async function inParallel(work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
}

async function browse(instance: Instance): Promise<Heard> {
  const sentAt = Date.now();
  const { status, body } = await instance.get('/');
  return { sentAt, heardAt: Date.now(), status, message: body.detail, revision: body.revision };
}

/** Whether what the answer goes by held at some moment while it was under way, or at most `bound` before. */
function isCurrent(answer: Heard, changes: Change[], bound: number): boolean {
  const index = changes.findLastIndex(({ message, revision }) =>
    answer.status === 503 ? message === answer.message : message === null && revision <= answer.revision!,
  );
  if (index < 0) return false;
  const next = changes[index + 1];
  return changes[index]!.sentAt <= answer.heardAt && (next === undefined || next.confirmedAt + bound >= answer.sentAt);
}
