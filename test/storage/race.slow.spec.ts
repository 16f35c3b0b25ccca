import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readState, WriterProcess } from './writer-process.js';

const WRITERS = 4;
const WRITES = Number(process.env.RACE_WRITES || 50);

describe('FileStateStorage with concurrent writer processes', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'race-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  it(
    `loses no write of ${WRITERS} processes with ${WRITES} writes each`,
    async () => {
      const path = join(folder, 'state.json');
      const writers = Array.from({ length: WRITERS }, (_, index) => new WriterProcess(path, `w${index}`, WRITES));
      await Promise.all(writers.map((writer) => writer.start()));
      await Promise.all(writers.map((writer) => writer.end()));

      const total = WRITERS * WRITES;
      const confirmed = writers.flatMap((writer) => writer.confirmed).sort((a, b) => a.revision - b.revision);
      expect(confirmed.map(({ revision }) => revision)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
      const state = await readState(path);
      expect(state.revision).toBe(total);
      expect(state.markers).toEqual(confirmed.map(({ marker }) => marker));
      expect(await readdir(folder)).toEqual(['state.json']);
    },
    60_000 + WRITES * 1_000,
  );
});
