import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inRounds, pause, readState, WriterProcess } from './writer-process.js';

const ROUNDS = Number(process.env.CRASH_ROUNDS || 25);

describe('FileStateStorage writer killed at a random moment', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'crash-'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it(
    `leaves the old or the new state, and other processes can write (${ROUNDS} rounds)`,
    async () => {
      let interrupted = 0;
      await inRounds(ROUNDS, async (index) => {
        const place = join(folder, String(index));
        await mkdir(place);
        const path = join(place, 'state.json');
        const killed = new WriterProcess(path, 'killed');
        try {
          await killed.start();
          // Some rounds interrupt the first write, which creates the file.
          if (index % 5 !== 0) await killed.confirms(1);
          await pause(Math.random() * 30);
        } finally {
          await killed.kill();
        }

        const files = await readdir(place).catch((): string[] => []);
        if (files.some((file) => file !== 'state.json')) interrupted++;
        const confirmed = killed.confirmed.at(-1)?.revision ?? 0;
        const found = files.includes('state.json') ? (await readState(path)).revision : 0;
        expect([confirmed, confirmed + 1]).toContain(found);

        const next = new WriterProcess(path, 'next', 1);
        await next.start();
        await next.end();
        const state = await readState(path);
        expect(state.revision).toBe(found + 1);
        expect(state.markers.at(-1)).toBe('next-1');
        expect(await readdir(place)).toEqual(['state.json']);
      });
      // Otherwise no round interrupted a write, and the test has proved nothing.
      expect(interrupted).toBeGreaterThan(0);
    },
    60_000 + ROUNDS * 5_000,
  );
});
