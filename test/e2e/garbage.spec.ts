import { writeFileSync } from 'node:fs';
import type { StorageFailurePolicy } from 'nestjs-maintenance';
import { ADAPTERS, start, type Adapter } from './application.js';
import { CatsController } from './controllers.js';

/** Mutated state files in all; the long form of the tests uses more. */
const FILES = Number(process.env.GARBAGE_FILES ?? 500);
const POLICIES: StorageFailurePolicy[] = ['last-known', 'on', 'off'];
const LANES = POLICIES.flatMap((policy) =>
  ADAPTERS.map((adapter) => [policy, adapter] as [StorageFailurePolicy, Adapter]),
);

const STATE = JSON.stringify({
  format: 1,
  lineage: '5f1d',
  revision: 12,
  windows: [
    {
      id: 'a1b2c3d4',
      scope: '*',
      mode: 'full',
      startsAt: '2026-01-01T00:00:00.000Z',
      endsAt: null,
      message: 'Zurück um vier',
      createdAt: '2026-01-01T00:00:00.000Z',
      recurrence: { cron: '0 3 * * 0', timeZone: 'Europe/Rome', duration: 3_600_000 },
    },
  ],
  history: [{ revision: 12, at: '2026-01-01T00:00:00.000Z', action: 'on', windows: [] }],
});

/** A generator of numbers in [0, 1) that repeats itself for a seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const VALUES = ['null', '{}', '[]', '""', '-1', '1e400', 'true', '"\\u0000"', '[[[[', '9'.repeat(400), '"__proto__"'];

function mutate(random: () => number): Buffer {
  let bytes = Buffer.from(STATE);
  const at = (): number => Math.floor(random() * bytes.length);
  for (let round = 0; round <= random() * 3; round++) {
    const from = at();
    const to = Math.min(bytes.length, from + Math.ceil(random() * 20));
    const replacements = [
      () => Buffer.from([Math.floor(random() * 256)]),
      () => Buffer.alloc(0),
      () => Buffer.from(VALUES[Math.floor(random() * VALUES.length)] ?? ''),
      () => bytes.subarray(from, to),
      () => Buffer.from('{"__proto__":{"windows":[]}}'),
    ];
    const replacement = replacements[Math.floor(random() * replacements.length)]?.() ?? Buffer.alloc(0);
    bytes = Buffer.concat([bytes.subarray(0, from), replacement, bytes.subarray(random() < 0.5 ? from : to)]);
    if (random() < 0.1) bytes = bytes.subarray(0, at());
    // A value of the right place is a better lie than any byte.
    if (random() < 0.3) {
      const value = VALUES[Math.floor(random() * VALUES.length)] ?? '';
      bytes = Buffer.from(bytes.toString().replace(/:("[^"]*"|\d+|null)/, `:${value}`));
    }
  }
  return bytes;
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

it.each(LANES)(
  'garbage in the file gets the policy "%s" on %s, and `off` repairs it',
  async (onStorageFailure, adapter) => {
    const { maintenance, call, stateFile, close } = await start(adapter, {
      controllers: [CatsController],
      options: { onStorageFailure },
    });
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seeded(seed);
    const corrupt = { count: 0 };
    let lastKnown = false;
    for (let index = 0; index < FILES / LANES.length; index++) {
      const bytes = mutate(random);
      writeFileSync(stateFile, bytes);
      const status = await maintenance.refresh();
      const where = `seed ${seed}, file ${index}: ${JSON.stringify(bytes.toString())}`;
      const readable = status.storage.healthy;
      if (!isJson(bytes)) expect([where, readable]).toEqual([where, false]);
      const failing: boolean = onStorageFailure === 'last-known' ? lastKnown : onStorageFailure === 'on';
      const expected: boolean = readable
        ? status.windows.active.some(({ scope, mode }) => scope === '*' && mode === 'full')
        : failing;
      expect([where, (await call('/cats')).status]).toEqual([where, expected ? 503 : 200]);
      if (readable) lastKnown = expected;
      else corrupt.count++;
      if (index % 10 === 9) {
        expect([where, await maintenance.disable({ all: true })]).toMatchObject([
          where,
          { active: false, storage: { healthy: true } },
        ]);
        expect((await call('/cats')).status).toBe(200);
        lastKnown = false;
      }
    }
    expect(corrupt.count).toBeGreaterThan(FILES / LANES.length / 4);
    await close();
  },
  300_000,
);
