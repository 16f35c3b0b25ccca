import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  FileStateStorage,
  MaintenanceStorageError,
  type MaintenanceService,
  type MaintenanceState,
  type StorageFailurePolicy,
} from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { start, type Running } from '../e2e/application.js';
import { CASES, expectCleanPrototypes, holds, PATIENCE } from './cases.js';
import { content, isJson, state } from './state-content.js';

const HANDWRITTEN = /^[\s\ufeff]*[01]\s*$/;

describe('content of the state file', () => {
  let folder: string;
  let path: string;
  let storage: FileStateStorage;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
    path = join(folder, 'state.json');
    storage = new FileStateStorage(path);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Returns what is read, or only the version if it is corrupt. Fails on any other error. */
  async function read(): Promise<{ state?: MaintenanceState; version: string }> {
    try {
      return (await storage.read())!;
    } catch (error) {
      if (!(error instanceof MaintenanceStorageError)) throw error;
      expect(error).toMatchObject({ code: 'corrupt', version: expect.stringMatching(/./) });
      expect(error.message).toContain(path);
      return { version: error.version! };
    }
  }

  it(
    'is read as a state or reported as corrupt with a version',
    async () => {
      const seen = { states: 0, corrupt: 0 };
      await holds(content, async (bytes) => {
        writeFileSync(path, bytes);
        const found = await read();
        expectCleanPrototypes();
        const isHandwritten = HANDWRITTEN.test(bytes.toString());
        if (isHandwritten) {
          const windows = bytes.includes('1') ? [expect.objectContaining({ scope: '*', mode: 'full' })] : [];
          expect(found.state?.windows).toEqual(windows);
        } else if (!isJson(bytes)) expect(found.state).toBeUndefined();
        if (found.state) seen.states++;
        else seen.corrupt++;
        // Reading writes nothing.
        expect(readFileSync(path).equals(bytes)).toBe(true);
      });
      expect(Math.min(seen.states, seen.corrupt)).toBeGreaterThan(CASES / 10);
    },
    PATIENCE,
  );

  it(
    'is read unchanged after it was written back, and can be overwritten if corrupt',
    async () => {
      // Each write is flushed to the disk.
      await holds(content, async (bytes) => {
        writeFileSync(path, bytes);
        const { state, version } = await read();
        const next = state ?? { format: 1, lineage: 'new', revision: 1, windows: [], history: [] };
        const written = await storage.write(next, version);
        // JSON knows neither -0 nor Infinity, which JSON.parse makes of 1e400.
        expect(await read()).toEqual({ state: JSON.parse(JSON.stringify(next)), version: written });
      });
    },
    PATIENCE,
  );
});

describe('application on arbitrary state content', () => {
  const POLICIES: StorageFailurePolicy[] = ['last-known', 'on', 'off'];
  const storages = POLICIES.map(() => new MemoryStateStorage());
  let running: Running[];
  beforeAll(async () => {
    running = await Promise.all(
      POLICIES.map((onStorageFailure, index) =>
        start('express', { options: { storage: storages[index], onStorageFailure, refreshInterval: 3_600_000 } }),
      ),
    );
  });
  afterAll(() => Promise.all(running.map(({ close }) => close())));

  /** Returns the storage and the service of the application with this `onStorageFailure`. */
  function getApplication(policy: StorageFailurePolicy): [MemoryStateStorage, MaintenanceService] {
    const index = POLICIES.indexOf(policy);
    return [storages[index]!, running[index]!.maintenance];
  }

  it.each(POLICIES)(
    'follows onStorageFailure "%s" for invalid content, and disable() repairs it',
    async (policy) => {
      const [storage, maintenance] = getApplication(policy);
      await maintenance.disable({ all: true });
      let failures = 0;
      await holds(
        content,
        async (bytes) => {
          const before = maintenance.isActive();
          storage.put(bytes.toString());
          const status = await maintenance.refresh();
          expectCleanPrototypes();
          if (!status.storage.healthy) {
            failures++;
            expect(status.storage.error).toMatch(
              /does not contain a valid maintenance state: .+ `on` or `off` replaces it\.$/s,
            );
            expect(status.active).toBe(policy === 'last-known' ? before : policy === 'on');
            expect(status.source).toBe(policy === 'last-known' ? 'last-known' : 'fallback');
          }
          expect(await maintenance.disable({ all: true })).toMatchObject({
            active: false,
            source: 'storage',
            windows: { active: [], planned: [] },
            storage: { healthy: true },
          });
          const repaired = await storage.read();
          if (!status.storage.healthy) expect(repaired?.state).toMatchObject({ format: 1, windows: [] });
        },
        CASES / POLICIES.length,
      );
      expect(failures).toBeGreaterThan(CASES / 30);
    },
    PATIENCE,
  );

  it(
    'preserves unknown members of a state that it changes',
    async () => {
      const [storage, maintenance] = getApplication('off');
      let lineages = 0;
      await holds(state, async (made) => {
        // The monitor ignores an older revision of a known lineage as a stale read.
        const before = { ...made, lineage: `${made.lineage} ${lineages++}` };
        storage.put(JSON.stringify(before));
        expect(await maintenance.refresh()).toMatchObject({ revision: before.revision, storage: { healthy: true } });
        // No existing window has this scope.
        await maintenance.enable({ scope: 'of the test', message: 'x' });
        const { state: after } = (await storage.read())!;
        const { windows, history, revision, ...rest } = after;
        const { windows: oldWindows, history: oldHistory, revision: oldRevision, ...oldRest } = cloneAsJson(before);
        expect(rest).toEqual(oldRest);
        expect(revision).toBe(oldRevision + 1);
        expect(history.slice(1)).toEqual(oldHistory);
        // Expired windows are removed; the others stay as they are.
        const kept = windows.filter(({ scope }) => scope !== 'of the test');
        const over = oldWindows.filter(({ endsAt, leaseUntil }) => isPast(endsAt) || isPast(leaseUntil));
        expect(kept).toEqual(oldWindows.filter((window) => !over.includes(window)));
        expectCleanPrototypes();
      });
    },
    PATIENCE,
  );
});

function cloneAsJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function isPast(date: string | null | undefined): boolean {
  return typeof date === 'string' && Date.parse(date) <= Date.now();
}
