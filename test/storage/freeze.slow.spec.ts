import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inRounds, pause, readState, WriterProcess } from './writer-process.js';

const ROUNDS = Number(process.env.FREEZE_ROUNDS || 10);

describe('FileStateStorage writer suspended for longer than its lock lasts', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freeze-'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it(
    `overwrites nothing when it continues (${ROUNDS} rounds)`,
    async () => {
      await inRounds(ROUNDS, async (index) => {
        const place = join(folder, String(index));
        await mkdir(place);
        const path = join(place, 'state.json');
        const frozen = new WriterProcess(path, 'frozen');
        const other = new WriterProcess(path, 'other', 3);
        try {
          await frozen.start();
          await frozen.confirms(1);
          await suspendWithLock(frozen, place);
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
    },
    60_000 + ROUNDS * 5_000,
  );
});

/** Suspends the writer while it holds the lock. */
async function suspendWithLock(writer: WriterProcess, place: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    await pause(Math.random() * 30);
    writer.signal('SIGSTOP');
    // The signal takes effect shortly after it is sent.
    await pause(10);
    if ((await readdir(place)).includes('state.json.lock')) return;
    if (Date.now() > deadline) throw new Error('the writer was never stopped while it held the lock');
    writer.signal('SIGCONT');
  }
}
