// Processes that write to Postgres at the same time, and are killed or suspended while they do.
import type { MaintenanceState } from '../../libs/maintenance/src/index.js';
import { PostgresStateStorage } from '../../libs/maintenance/src/postgres.js';
import { describeWithPostgres, PostgresServer } from './postgres-server.js';
import { inRounds, pause, WriterProcess, type WriterState } from './writer-process.js';

const WRITERS = 4;
const WRITES = 250;
const CRASH_ROUNDS = Number(process.env.CRASH_ROUNDS || 10);
const FREEZE_ROUNDS = Number(process.env.FREEZE_ROUNDS || 5);

describeWithPostgres('PostgresStateStorage with concurrent writer processes', () => {
  let server: PostgresServer;
  let keys = 0;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.stop());

  const newUrl = (): string => server.getUrl(server.port, `key=key-${keys++}`);

  /** Reads the state, which must be complete. */
  async function readState(url: string): Promise<WriterState | null> {
    const storage = new PostgresStateStorage({ url });
    const found = (await storage.read())?.state as (MaintenanceState & WriterState) | undefined;
    await storage.close();
    if (!found) return null;
    expect(found.markers).toHaveLength(found.revision);
    expect(new Set(found.markers).size).toBe(found.revision);
    return found;
  }

  it(`loses no write of ${WRITERS} processes with ${WRITES} writes each`, async () => {
    const url = newUrl();
    const writers = Array.from({ length: WRITERS }, (_, index) => new WriterProcess(url, `w${index}`, WRITES));
    await Promise.all(writers.map((writer) => writer.start()));
    await Promise.all(writers.map((writer) => writer.end()));
    const confirmed = writers.flatMap((writer) => writer.confirmed).sort((a, b) => a.revision - b.revision);
    const total = WRITERS * WRITES;
    expect(confirmed.map(({ revision }) => revision)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    expect((await readState(url))?.markers).toEqual(confirmed.map(({ marker }) => marker));
  }, 120_000);

  it(`has the old or the new state after a writer was killed (${CRASH_ROUNDS} rounds)`, async () => {
    await inRounds(CRASH_ROUNDS, async (index) => {
      const url = newUrl();
      const killed = new WriterProcess(url, 'killed');
      try {
        await killed.start();
        // Some rounds interrupt the first write, which creates the row.
        if (index % 5 !== 0) await killed.confirms(1);
        await pause(Math.random() * 30);
      } finally {
        await killed.kill();
      }
      const confirmed = killed.confirmed.at(-1)?.revision ?? 0;
      const found = (await readState(url))?.revision ?? 0;
      // The server may still carry out what it has received.
      expect([confirmed, confirmed + 1]).toContain(found);
      const next = new WriterProcess(url, 'next', 1);
      await next.start();
      await next.end();
      const state = await readState(url);
      expect([found + 1, confirmed + 2]).toContain(state!.revision);
      expect(state!.markers.at(-1)).toBe('next-1');
    });
  }, 120_000);

  it(`overwrites nothing when a suspended writer continues (${FREEZE_ROUNDS} rounds)`, async () => {
    await inRounds(FREEZE_ROUNDS, async () => {
      const url = newUrl();
      const frozen = new WriterProcess(url, 'frozen');
      const other = new WriterProcess(url, 'other', 3);
      try {
        await frozen.start();
        await frozen.confirms(1);
        await pause(Math.random() * 30);
        frozen.signal('SIGSTOP');
        await other.start();
        await other.end();
        frozen.signal('SIGCONT');
        await frozen.confirms(frozen.confirmed.length + 3);
      } finally {
        await frozen.kill();
        await other.kill();
      }
      const { markers } = (await readState(url))!;
      for (const { revision, marker } of [...frozen.confirmed, ...other.confirmed]) {
        expect(markers[revision - 1]).toBe(marker);
      }
    });
  }, 120_000);

  it('keeps all confirmed writes when the server is killed', async () => {
    const url = newUrl();
    const writer = new WriterProcess(url, 'writer');
    await writer.start();
    await writer.confirms(20);
    await server.kill();
    await writer.kill();
    await server.restart();
    const { markers } = (await readState(url))!;
    expect(markers.slice(0, writer.confirmed.length)).toEqual(writer.confirmed.map(({ marker }) => marker));
    expect(markers.length - writer.confirmed.length).toBeLessThanOrEqual(1);
  });
});
