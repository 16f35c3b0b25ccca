import { renameSync, writeFileSync } from 'node:fs';
import type { StorageFailurePolicy } from 'nestjs-maintenance';
import { CASES, expectCleanPrototypes, holds, PATIENCE } from '../fuzz/cases.js';
import { content, isJson } from '../fuzz/state-content.js';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Adapter } from './application.js';
import { CatsController } from './controllers.js';

const POLICIES: StorageFailurePolicy[] = ['last-known', 'on', 'off'];
const POLICY_ADAPTERS = POLICIES.flatMap((policy) =>
  ADAPTERS.map((adapter) => [policy, adapter] as [StorageFailurePolicy, Adapter]),
);

it.each(POLICY_ADAPTERS)(
  'a corrupt state file applies onStorageFailure "%s" until disable({ all: true }) repairs it (%s)',
  async (onStorageFailure, adapter) => {
    const { maintenance, call, stateFile, close } = await start(adapter, {
      controllers: [CatsController],
      options: { onStorageFailure },
    });
    // Once an instance has read a valid state, any unreadable content counts as corrupt.
    await maintenance.enable();
    await maintenance.disable();
    await until('the instance has reported', async () =>
      (await maintenance.instances()).some(({ lineage }) => lineage !== null),
    );
    let count = 0;
    let corrupt = 0;
    let lastKnown = false;
    await holds(
      content,
      async (bytes) => {
        // Replaces the file atomically: while `1 0` overwrites `0`, a reader could see `1`.
        writeFileSync(`${stateFile}.new`, bytes);
        renameSync(`${stateFile}.new`, stateFile);
        const status = await maintenance.refresh();
        const readable = status.storage.healthy;
        const isHandwritten = /^\s*[01]\s*$/.test(bytes.toString());
        if (!isHandwritten && !isJson(bytes)) expect(readable).toBe(false);
        const failing = onStorageFailure === 'last-known' ? lastKnown : onStorageFailure === 'on';
        const expected: boolean = readable
          ? status.windows.active.some(({ scope, mode }) => scope === '*' && mode === 'full')
          : failing;
        expect((await call('/cats')).status).toBe(expected ? 503 : 200);
        expectCleanPrototypes();
        if (readable) lastKnown = expected;
        else corrupt++;
        if (count++ % 10 !== 9) return;
        expect(await maintenance.disable({ all: true })).toMatchObject({ active: false, storage: { healthy: true } });
        expect((await call('/cats')).status).toBe(200);
        lastKnown = false;
      },
      CASES / POLICY_ADAPTERS.length,
    );
    expect(corrupt).toBeGreaterThan(CASES / POLICY_ADAPTERS.length / 4);
    await close();
  },
  PATIENCE,
);
