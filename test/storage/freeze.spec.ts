import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inRounds, pause, readState, WriterProcess } from './writer-process.js';

const ROUNDS = Number(process.env.FREEZE_ROUNDS || 10);

describe('a writer that stands still for longer than its lock lasts', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freeze-'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it(
    `overwrites nothing when it goes on (${ROUNDS} rounds)`,
    async () => {
      let overtaken = 0;
      await inRounds(ROUNDS, async (index) => {
        const place = join(folder, String(index));
        const path = join(place, 'state.json');
        const frozen = new WriterProcess(path, 'frozen');
        const other = new WriterProcess(path, 'other', 3);
        try {
          await frozen.start();
          await frozen.confirms(1);
          await pause(Math.random() * 30);
          frozen.signal('SIGSTOP');
          if ((await readdir(place)).includes('state.json.lock')) overtaken++;
          await other.start();
          await other.end();
          frozen.signal('SIGCONT');
          await frozen.confirms(frozen.confirmed.length + 3);
        } finally {
          await frozen.kill();
          await other.kill();
        }

        const { markers } = await readState(path);
        for (const { revision, marker } of [...frozen.confirmed, ...other.confirmed]) {
          expect(markers[revision - 1]).toBe(marker);
        }
      });
      // Else no round has stopped a writer that held the lock, and the test has shown nothing.
      expect(overtaken).toBeGreaterThan(0);
    },
    60_000 + ROUNDS * 5_000,
  );
});
