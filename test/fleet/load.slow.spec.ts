import { setTimeout as pause } from 'node:timers/promises';
import { Instance } from './instance.js';
import { describeOnEachBackend, type BackendKind, type Backend } from './storage-backends.js';

const TOGGLES = Number(process.env.LOAD_TOGGLES || 12);
const REQUESTS = Number(process.env.LOAD_REQUESTS || 2_000);
const CONNECTIONS = 4;
/** Allowed delay of a response if the storage notifies of changes. `bench/` measures the delay on an idle machine. */
const MAX_DELAY_MS = 300;
const REFRESH_INTERVAL_MS = 100;

/** A change made by another instance. Times in milliseconds since the epoch. */
interface Change {
  /** Message of the window; `null` if maintenance was turned off. */
  message: string | null;
  revision: number;
  sentAt: number;
  confirmedAt: number;
}

/** A response during the changes. */
interface ReceivedResponse {
  sentAt: number;
  receivedAt: number;
  status: number;
  /** Message of a refusal. */
  message?: string;
  /** Revision that an admitted request reports. */
  revision?: number;
}

describeOnEachBackend('an application under full load', (kind) => {
  let backend: Backend;
  let switcher: Instance;

  beforeAll(async () => {
    backend = await kind.open();
    switcher = await startInstance(backend, kind);
  }, 60_000);

  afterAll(async () => {
    await switcher.stop();
    await backend.close();
  });

  it(
    `fails no request and sends no outdated response while another instance makes ${TOGGLES} changes`,
    async () => {
      const loaded = await Promise.all([
        startInstance(backend, kind, 'express'),
        startInstance(backend, kind, 'fastify'),
      ]);
      try {
        const changes = [await change(null)];
        // After one read, an instance knows all changes that were confirmed before.
        await Promise.all(loaded.map((instance) => instance.ask('roundTrip')));
        await Promise.all(loaded.flatMap((instance) => [instance.ask('stall'), instance.ask('slowestRead')]));
        let isOver = false;
        const load = loaded.map(async (instance) => {
          const received: ReceivedResponse[] = [];
          await runOnEachConnection(async () => {
            while (!isOver) received.push(await sendRequest(instance));
          });
          return received;
        });
        for (let index = 0; index < TOGGLES; index++) {
          await pause(Math.random() * 2 * (kind.notifies ? MAX_DELAY_MS : REFRESH_INTERVAL_MS));
          changes.push(await change(index % 2 === 0 ? `change ${index}` : null));
        }
        isOver = true;

        for (const [index, received] of (await Promise.all(load)).entries()) {
          const stall = await loaded[index]!.ask('stall');
          const bound = kind.notifies ? MAX_DELAY_MS : REFRESH_INTERVAL_MS + (await loaded[index]!.ask('slowestRead'));
          expect(received.length).toBeGreaterThan(TOGGLES * 10);
          expect(new Set(received.map(({ status }) => status))).toEqual(new Set([200, 503]));
          expect(received.filter((answer) => !isCurrent(answer, changes, bound + stall))).toEqual([]);
        }
      } finally {
        await Promise.all(loaded.map((instance) => instance.stop()));
      }
    },
    60_000 + TOGGLES * 2_000,
  );

  it(`does not call the storage for any of ${REQUESTS} requests`, async () => {
    const quiet = await Instance.start({
      options: { storage: backend.url, refreshInterval: 600_000 },
      env: backend.env,
    });
    try {
      for (const message of ['on', null]) {
        await change(message);
        await quiet.ask('roundTrip');
        const before = { calls: await quiet.ask('calls'), served: await backend.served?.() };
        await runOnEachConnection(async () => {
          for (let sent = 0; sent < REQUESTS / CONNECTIONS; sent++) {
            expect((await quiet.get('/')).status).toBe(message === null ? 200 : 503);
          }
        });
        expect(await quiet.ask('calls')).toEqual(before.calls);
        // Without notifications, the server also counts the polls of the switcher.
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

function startInstance(
  backend: Backend,
  { notifies }: BackendKind,
  adapter?: 'express' | 'fastify',
): Promise<Instance> {
  const refreshInterval = notifies ? 600_000 : REFRESH_INTERVAL_MS;
  return Instance.start({ options: { storage: backend.url, refreshInterval }, env: backend.env, adapter });
}

/** Runs the function once per connection. */
async function runOnEachConnection(work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
}

async function sendRequest(instance: Instance): Promise<ReceivedResponse> {
  const sentAt = Date.now();
  const { status, body } = await instance.get('/');
  return { sentAt, receivedAt: Date.now(), status, message: body.detail, revision: body.revision };
}

/** Whether the response reflects a state that was current during the request or at most `bound` ms earlier. */
function isCurrent(answer: ReceivedResponse, changes: Change[], bound: number): boolean {
  const index = changes.findLastIndex(({ message, revision }) =>
    answer.status === 503 ? message === answer.message : message === null && revision <= answer.revision!,
  );
  if (index < 0) return false;
  const next = changes[index + 1];
  return (
    changes[index]!.sentAt <= answer.receivedAt && (next === undefined || next.confirmedAt + bound >= answer.sentAt)
  );
}
