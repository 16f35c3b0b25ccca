import type { InstanceReport } from '../core/instance-report.js';
import type { StateStorage } from '../storage/state-storage.js';
import {
  captureCode,
  captureError,
  createReport,
  createRichState,
  createState,
  Fixture,
  readState,
  waitUntil,
  type StorageUnderTest,
} from './storage-under-test.js';

// The globals of Jest, and of Vitest with `globals: true`. Declared here, so that our types depend on neither.
declare const describe: (name: string, tests: () => void) => void;
declare const it: (name: string, test: () => Promise<void>, timeout: number) => void;
declare const expect: (actual: unknown) => Matchers & { not: Matchers };
interface Matchers {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toMatch(expected: RegExp): void;
  toBeGreaterThan(expected: number): void;
}

const TEST_TIMEOUT_MS = 30_000;
const CONCURRENT_WRITERS = 20;

/**
 * Registers tests for the contract of a {@link StateStorage}, for Jest, or for Vitest with `globals: true`. A custom
 * storage that passes them can replace the built-in ones.
 *
 * Tests of the optional methods `watch`, `report` and `reports` pass if the storage does not implement them.
 *
 * @param name - the name of the storage, for the titles of the tests
 * @param createStorage - called for each test; returns an empty storage, alone or with hooks
 *
 * @example
 * ```ts
 * describeStateStorage('PostgresStateStorage', async () => {
 *   const table = await createTable();
 *   return {
 *     storage: new PostgresStateStorage(table),
 *     another: () => new PostgresStateStorage(table),
 *     put: (text) => table.update(text),
 *     cleanup: () => table.drop(),
 *   };
 * });
 * ```
 */
export function describeStateStorage(
  name: string,
  createStorage: () => StorageUnderTest | StateStorage | Promise<StorageUnderTest | StateStorage>,
): void {
  const test = (title: string, body: (fixture: Fixture) => Promise<void>): void => {
    it(
      title,
      async () => {
        const created = await createStorage();
        const fixture = new Fixture('storage' in created ? created : { storage: created });
        try {
          await body(fixture);
        } finally {
          await fixture.close();
        }
      },
      TEST_TIMEOUT_MS,
    );
  };

  describe(`${name} (StateStorage contract)`, () => {
    describe('kind and location', () => {
      test('has a lowercase, one-word kind', async ({ storage }) => {
        expect(storage.kind).toMatch(/^[a-z][a-z0-9-]*$/);
      });

      test('has a location without credentials', async ({ storage }) => {
        expect(storage.location.length).toBeGreaterThan(0);
        expect(storage.location).not.toMatch(/:[^/@\s]*@/);
      });
    });

    describe('empty storage', () => {
      test('returns null from read() and stores nothing by reading', async ({ storage, another }) => {
        expect(await storage.read()).toBe(null);
        expect(await storage.read()).toBe(null);
        expect(await (await another()).read()).toBe(null);
        expect(typeof (await storage.write(createState(1), null))).toBe('string');
      });

      test('accepts a first write with version null and rejects a second one', async ({ storage, another }) => {
        await storage.write(createState(1), null);
        expect(await captureCode(storage.write(createState(2), null))).toBe('conflict');
        expect(await captureCode((await another()).write(createState(3), null))).toBe('conflict');
        expect((await readState(storage)).state).toEqual(createState(1));
      });

      test('rejects a conditional write on an empty storage', async ({ storage }) => {
        expect(await captureCode(storage.write(createState(1), 'a-version-that-never-was'))).toBe('conflict');
        expect(await storage.read()).toBe(null);
      });

      test('accepts exactly one of several concurrent first writes', async ({ storage, another }) => {
        const handles = [storage, await another(), storage, await another()];
        const codes = await Promise.all(
          handles.map((handle, index) => captureCode(handle.write(createState(index), null))),
        );
        expect(codes.filter((code) => code === undefined)).toEqual([undefined]);
        expect(codes.filter((code) => code === 'conflict').length).toBe(3);
        expect((await readState(storage)).state.revision).toBe(codes.indexOf(undefined));
      });
    });

    describe('write', () => {
      test('makes the state visible to other handles', async ({ storage, another }) => {
        const version = await storage.write(createState(1), null);
        expect(await (await another()).read()).toEqual({ state: createState(1), version });
      });

      // Both in one test: a storage that refuses every conditional write would pass the second half alone.
      test('over the version that was read, and over no older one', async ({ storage, another }) => {
        await storage.write(createState(1), null);
        const other = await another();
        const { version: first } = await readState(storage);
        const second = await other.write(createState(2), first);
        expect((await readState(storage)).state.revision).toBe(2);
        expect(await captureCode(storage.write(createState(3), first))).toBe('conflict');
        expect((await readState(storage)).state.revision).toBe(2);
        const third = await storage.write(createState(3), second);
        expect(await captureCode(other.write(createState(4), second))).toBe('conflict');
        expect(await readState(other)).toEqual({ state: createState(3), version: third });
      });

      test('returns the version that the next read returns', async ({ storage }) => {
        const first = await storage.write(createState(1), null);
        expect((await readState(storage)).version).toBe(first);
        const second = await storage.write(createState(2), first);
        expect((await readState(storage)).version).toBe(second);
      });

      test('creates a new version for each write and keeps it across reads', async ({ storage, another }) => {
        const versions = new Set<string>();
        let version: string | null = null;
        for (let revision = 1; revision <= 5; revision++) {
          version = await storage.write(createState(revision), version);
          versions.add(version);
        }
        expect(versions.size).toBe(5);
        const read = await Promise.all([readState(storage), readState(storage), readState(await another())]);
        expect(read.map((content) => content.version)).toEqual([version, version, version]);
      });

      test('preserves unknown members and all Unicode characters', async ({ storage, another }) => {
        await storage.write(createRichState(), null);
        const { state, version } = await readState(await another());
        expect(state).toEqual(createRichState());
        await storage.write({ ...state, revision: 8 }, version);
        expect((await readState(storage)).state).toEqual({ ...createRichState(), revision: 8 });
      });

      test('copies the state on write and on read', async ({ storage }) => {
        const state = createState(1);
        await storage.write(state, null);
        state.revision = 99;
        (await readState(storage)).state.revision = 99;
        expect((await readState(storage)).state.revision).toBe(1);
      });

      test(`loses no update of ${CONCURRENT_WRITERS} concurrent writers`, async ({ storage, another }) => {
        const handles = [storage, await another()];
        await storage.write(createState(0), null);
        await Promise.all(
          Array.from({ length: CONCURRENT_WRITERS }, (_, index) => increment(handles[index % 2]!, `writer-${index}`)),
        );
        const { state } = await readState(storage);
        expect(state.revision).toBe(CONCURRENT_WRITERS);
        const markers = state.markers as string[];
        expect(markers.length).toBe(CONCURRENT_WRITERS);
        expect(new Set(markers).size).toBe(CONCURRENT_WRITERS);
      });
    });

    describe('hand-written content', () => {
      for (const [text, windows] of [
        ['1', 1],
        ['0\n', 0],
      ] as const) {
        test(`reads ${JSON.stringify(text)} and replaces it`, async ({ storage, put }) => {
          if (!put) return;
          await put(text);
          const { state, version } = await readState(storage);
          expect(state.windows.length).toBe(windows);
          await storage.write(createState(1), version);
          expect((await readState(storage)).state).toEqual(createState(1));
        });
      }

      for (const text of ['', 'garbage', '{"format":1', '{"format":2}', '[]', 'null', '\u0001\ufffd']) {
        test(`reports ${JSON.stringify(text)} as corrupt with a version that allows replacing it`, async ({
          storage,
          put,
        }) => {
          if (!put) return;
          await put(text);
          const error = await captureError(storage.read());
          expect(error?.code).toBe('corrupt');
          expect(typeof error?.version).toBe('string');
          expect((await captureError(storage.read()))?.version).toBe(error?.version);
          expect(await captureCode(storage.write(createState(1), null))).toBe('conflict');
          await storage.write(createState(1), error?.version as string);
          expect((await readState(storage)).state).toEqual(createState(1));
        });
      }
    });

    describe('watch', () => {
      test('calls back for writes of another handle until it is stopped', async ({ storage, another }) => {
        if (!storage.watch) return;
        const writer = await another();
        const calls = { stopped: 0, other: 0 };
        const stop = await storage.watch(() => void calls.stopped++);
        const stopOther = await storage.watch(() => void calls.other++);
        const version = await writer.write(createState(1), null);
        await waitUntil('both watches have called back', () => calls.stopped > 0 && calls.other > 0);
        await stop();
        const before = { ...calls };
        await writer.write(createState(2), version);
        // Once the other watch was called, the ended one would have been called too.
        await waitUntil('the other watch has called back', () => calls.other > before.other);
        expect(calls.stopped).toBe(before.stopped);
        await stopOther();
      });
    });

    describe('report and reports', () => {
      test('keeps the latest report of each instance without changing the state', async ({ storage, another }) => {
        if (!storage.report || !storage.reports) return;
        const other = await another();
        const version = await storage.write(createState(1), null);
        expect(await storage.reports()).toEqual([]);
        await storage.report(createReport('a', 1));
        await other.report?.(createReport('b/../../:*', 1));
        await storage.report(createReport('a', 2));
        const reports = (await other.reports?.()) ?? [];
        expect(reports.map(({ id, revision }) => `${id} ${revision}`).sort()).toEqual(['a 2', 'b/../../:* 1']);
        expect(reports.find(({ id }) => id === 'a')?.inFlight).toBe(3);
        expect(reports.find(({ id }) => id === 'a')?.zone).toBe('eu-1');
        expect((await readState(storage)).version).toBe(version);
      });

      test('drops a report once its time to live has passed', async ({ storage, reportTtl }) => {
        if (!storage.report || !storage.reports || reportTtl === undefined) return;
        expect(await readFreshReports(storage, createReport('gone', 1), reportTtl)).toEqual(['gone']);
        // Dated in the future by a wrong clock: the report must not stay until that time.
        const future = new Date(Date.now() + 3_600_000).toISOString();
        await storage.report({ ...createReport('future', 1), seenAt: future });
        await waitUntil(
          'the report has expired',
          async () => (await storage.reports?.())?.length === 0,
          reportTtl * 3 + 5000,
        );
        expect(await readFreshReports(storage, createReport('new', 1), reportTtl)).toEqual(['new']);
      });
    });
  });
}

/**
 * Writes a report and reads the ids of all reports. Does both again where they took longer than the time to live: a
 * busy machine may take as long, and the report may have expired.
 */
async function readFreshReports(storage: StateStorage, report: InstanceReport, ttl: number): Promise<string[]> {
  for (;;) {
    const seenAt = Date.now();
    await storage.report!({ ...report, seenAt: new Date(seenAt).toISOString() });
    const ids = (await storage.reports!()).map(({ id }) => id);
    if (Date.now() - seenAt < ttl) return ids;
  }
}

/** Increments the revision and adds a marker. Retries until there is no conflict. */
async function increment(storage: StateStorage, marker: string): Promise<void> {
  for (;;) {
    const { state, version } = await readState(storage);
    const markers = [...((state.markers as string[] | undefined) ?? []), marker];
    const code = await captureCode(storage.write({ ...state, revision: state.revision + 1, markers }, version));
    if (code === undefined) return;
    expect(code).toBe('conflict');
  }
}
