import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { StateStorage, VersionedState } from '../storage/state-storage.js';

/** A fresh, empty storage, and what its tests can do beside it. What is missing here is not tested. */
export interface StorageUnderTest {
  storage: StateStorage;
  /** Another handle on the same place, as another process would have it. */
  another?: () => StateStorage | Promise<StateStorage>;
  /** Puts this text into the place, past the storage. */
  put?: (text: string) => void | Promise<void>;
  /** Milliseconds for which the storage keeps reports: give it a second or less, and their expiry is tested. */
  reportTtl?: number;
  /** Called after each test, when the handles are closed. */
  cleanup?: () => void | Promise<void>;
}

// The globals of Jest, and of Vitest with `globals: true`. Declared here so that the package's types need neither.
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
const WRITER_COUNT = 20;

/**
 * Describes what the module relies on in a {@link StateStorage}, as tests for Jest, or for Vitest with `globals: true`.
 * A storage of your own that passes them can take the place of the built-in ones.
 *
 * Tests of what a storage may leave out, `watch` and `report`, pass where it does.
 *
 * @param name - of the storage, for the titles of the tests
 * @param createStorage - called for each test; gives a storage with nothing in it, or that and more
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

  describe(`${name}, as a state storage`, () => {
    describe('names itself', () => {
      test('with a kind of one word', async ({ storage }) => {
        expect(storage.kind).toMatch(/^[a-z][a-z0-9-]*$/);
      });

      test('with a location that holds no credentials', async ({ storage }) => {
        expect(storage.location.length).toBeGreaterThan(0);
        expect(storage.location).not.toMatch(/:[^/@\s]*@/);
      });
    });

    describe('when it is empty', () => {
      test('reads null, and reading makes nothing', async ({ storage, another }) => {
        expect(await storage.read()).toBe(null);
        expect(await storage.read()).toBe(null);
        expect(await (await another()).read()).toBe(null);
        expect(typeof (await storage.write(createState(1), null))).toBe('string');
      });

      test('takes a first write that expects nothing, and no second one', async ({ storage, another }) => {
        await storage.write(createState(1), null);
        expect(await getErrorCode(storage.write(createState(2), null))).toBe('conflict');
        expect(await getErrorCode((await another()).write(createState(3), null))).toBe('conflict');
        expect((await readExisting(storage)).state).toEqual(createState(1));
      });

      test('takes no write that expects something', async ({ storage }) => {
        expect(await getErrorCode(storage.write(createState(1), 'a-version-that-never-was'))).toBe('conflict');
        expect(await storage.read()).toBe(null);
      });

      test('lets one of several first writers win', async ({ storage, another }) => {
        const handles = [storage, await another(), storage, await another()];
        const codes = await Promise.all(
          handles.map((handle, index) => getErrorCode(handle.write(createState(index), null))),
        );
        expect(codes.filter((code) => code === undefined)).toEqual([undefined]);
        expect(codes.filter((code) => code === 'conflict').length).toBe(3);
        expect((await readExisting(storage)).state.revision).toBe(codes.indexOf(undefined));
      });
    });

    describe('writes', () => {
      test('what another handle reads', async ({ storage, another }) => {
        const version = await storage.write(createState(1), null);
        expect(await (await another()).read()).toEqual({ state: createState(1), version });
      });

      // Both halves in one test: a storage that refuses every conditional write would pass the second alone.
      test('over the version that was read, and over no older one', async ({ storage, another }) => {
        await storage.write(createState(1), null);
        const other = await another();
        const { version: first } = await readExisting(storage);
        const second = await other.write(createState(2), first);
        expect((await readExisting(storage)).state.revision).toBe(2);
        expect(await getErrorCode(storage.write(createState(3), first))).toBe('conflict');
        expect((await readExisting(storage)).state.revision).toBe(2);
        const third = await storage.write(createState(3), second);
        expect(await getErrorCode(other.write(createState(4), second))).toBe('conflict');
        expect(await readExisting(other)).toEqual({ state: createState(3), version: third });
      });

      test('and returns the version that is then read', async ({ storage }) => {
        const first = await storage.write(createState(1), null);
        expect((await readExisting(storage)).version).toBe(first);
        const second = await storage.write(createState(2), first);
        expect((await readExisting(storage)).version).toBe(second);
      });

      test('another version for other content, and reads the same for the same', async ({ storage, another }) => {
        const versions = new Set<string>();
        let version: string | null = null;
        for (let revision = 1; revision <= 5; revision++) {
          version = await storage.write(createState(revision), version);
          versions.add(version);
        }
        expect(versions.size).toBe(5);
        const read = await Promise.all([readExisting(storage), readExisting(storage), readExisting(await another())]);
        expect(read.map((content) => content.version)).toEqual([version, version, version]);
      });

      test('every member, known or not, and every character', async ({ storage, another }) => {
        await storage.write(createRichState(), null);
        const { state, version } = await readExisting(await another());
        expect(state).toEqual(createRichState());
        await storage.write({ ...state, revision: 8 }, version);
        expect((await readExisting(storage)).state).toEqual({ ...createRichState(), revision: 8 });
      });

      test('a copy: what the caller changes later changes nothing', async ({ storage }) => {
        const state = createState(1);
        await storage.write(state, null);
        state.revision = 99;
        (await readExisting(storage)).state.revision = 99;
        expect((await readExisting(storage)).state.revision).toBe(1);
      });

      test(`of ${WRITER_COUNT} writers at once, none of which is lost`, async ({ storage, another }) => {
        const handles = [storage, await another()];
        await storage.write(createState(0), null);
        await Promise.all(
          Array.from({ length: WRITER_COUNT }, (_, index) => increment(handles[index % 2]!, `writer-${index}`)),
        );
        const { state } = await readExisting(storage);
        expect(state.revision).toBe(WRITER_COUNT);
        const markers = state.markers as string[];
        expect(markers.length).toBe(WRITER_COUNT);
        expect(new Set(markers).size).toBe(WRITER_COUNT);
      });
    });

    describe('takes what people write by hand', () => {
      for (const [text, windows] of [
        ['1', 1],
        ['0\n', 0],
      ] as const) {
        test(`${JSON.stringify(text)}, and replaces it`, async ({ storage, put }) => {
          if (!put) return;
          await put(text);
          const { state, version } = await readExisting(storage);
          expect(state.windows.length).toBe(windows);
          await storage.write(createState(1), version);
          expect((await readExisting(storage)).state).toEqual(createState(1));
        });
      }

      for (const text of ['', 'garbage', '{"format":1', '{"format":2}', '[]', 'null', '\u0001\ufffd']) {
        test(`${JSON.stringify(text)} as corrupt, with a version over which it can be replaced`, async ({
          storage,
          put,
        }) => {
          if (!put) return;
          await put(text);
          const error = await getFailure(storage.read());
          expect(error?.code).toBe('corrupt');
          expect(typeof error?.version).toBe('string');
          expect((await getFailure(storage.read()))?.version).toBe(error?.version);
          expect(await getErrorCode(storage.write(createState(1), null))).toBe('conflict');
          await storage.write(createState(1), error?.version as string);
          expect((await readExisting(storage)).state).toEqual(createState(1));
        });
      }
    });

    describe('watches', () => {
      test('the writes of another handle, until it is ended', async ({ storage, another }) => {
        if (!storage.watch) return;
        const writer = await another();
        const calls = { ended: 0, other: 0 };
        const end = await storage.watch(() => void calls.ended++);
        const endOther = await storage.watch(() => void calls.other++);
        const version = await writer.write(createState(1), null);
        await waitUntil('both watches have called back', () => calls.ended > 0 && calls.other > 0);
        await end();
        const before = { ...calls };
        await writer.write(createState(2), version);
        // The other watch hears of the write; by then the ended one would have, too.
        await waitUntil('the other watch has called back', () => calls.other > before.other);
        expect(calls.ended).toBe(before.ended);
        await endOther();
      });
    });

    describe('keeps reports of instances', () => {
      test('one for each instance, beside the state', async ({ storage, another }) => {
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
        expect((await readExisting(storage)).version).toBe(version);
      });

      test('until their time to live is over', async ({ storage, reportTtl }) => {
        if (!storage.report || !storage.reports || reportTtl === undefined) return;
        await storage.report(createReport('gone', 1));
        expect((await storage.reports()).map(({ id }) => id)).toEqual(['gone']);
        // By a wrong clock. Its record must not stay until that time has come.
        const future = new Date(Date.now() + 3_600_000).toISOString();
        await storage.report({ ...createReport('future', 1), seenAt: future });
        await waitUntil(
          'the report has expired',
          async () => (await storage.reports?.())?.length === 0,
          reportTtl * 3 + 5000,
        );
        await storage.report(createReport('new', 1));
        expect((await storage.reports()).map(({ id }) => id)).toEqual(['new']);
      });
    });
  });
}

/** The storage of one test, with what its hooks lack filled in, and all its handles closed in the end. */
class Fixture {
  readonly storage: StateStorage;
  readonly put: StorageUnderTest['put'];
  readonly reportTtl: number | undefined;
  private readonly others: StateStorage[] = [];

  constructor(private readonly hooks: StorageUnderTest) {
    this.storage = hooks.storage;
    this.put = hooks.put?.bind(hooks);
    this.reportTtl = hooks.reportTtl;
  }

  /** Another handle if there can be one, else the same. */
  readonly another = async (): Promise<StateStorage> => {
    if (!this.hooks.another) return this.storage;
    const other = await this.hooks.another();
    this.others.push(other);
    return other;
  };

  async close(): Promise<void> {
    for (const storage of new Set([this.storage, ...this.others])) await storage.close?.();
    await this.hooks.cleanup?.();
  }
}

function createState(revision: number): MaintenanceState {
  return { format: 1, lineage: 'kit', revision, windows: [], history: [] };
}

function createRichState(): MaintenanceState {
  const window = {
    id: 'w1',
    scope: 'checkout',
    mode: 'read-only' as const,
    startsAt: '2026-12-01T02:00:00.000Z',
    endsAt: null,
    message: 'Zurück um vier – "до встречи" \u{1F6E0}\uFE0F </script>\r\n\u2028',
    createdAt: '2026-11-30T23:59:59.999Z',
    extra: { of: ['the', 'window'], nothing: null },
  };
  const { message, ...shown } = window;
  return {
    ...createState(7),
    windows: [window],
    history: [
      { revision: 7, at: window.createdAt, action: 'on', windows: [{ ...shown, message }], extra: [1.5, true] },
    ],
    extra: { of: 'the state' },
  };
}

function createReport(id: string, revision: number): InstanceReport {
  const seenAt = new Date().toISOString();
  return { id, host: 'kit', pid: 1, lineage: 'kit', revision, inFlight: 3, streams: 0, seenAt, zone: 'eu-1' };
}

/** Adds one to the revision, and its marker, as often as it takes. */
async function increment(storage: StateStorage, marker: string): Promise<void> {
  for (;;) {
    const { state, version } = await readExisting(storage);
    const markers = [...((state.markers as string[] | undefined) ?? []), marker];
    const code = await getErrorCode(storage.write({ ...state, revision: state.revision + 1, markers }, version));
    if (code === undefined) return;
    expect(code).toBe('conflict');
  }
}

async function readExisting(storage: StateStorage): Promise<VersionedState> {
  const content = await storage.read();
  if (!content) throw new Error('the storage is empty, where a state was written');
  return content;
}

/** The error with which `work` fails; `undefined` if it does not. */
async function getFailure(work: Promise<unknown>): Promise<{ code?: string; version?: string } | undefined> {
  return work.then(
    () => undefined,
    (error: { code?: string; version?: string; message?: string }) => {
      if (error.code === undefined) throw error;
      return error;
    },
  );
}

async function getErrorCode(work: Promise<unknown>): Promise<string | undefined> {
  return (await getFailure(work))?.code;
}

async function waitUntil(what: string, condition: () => boolean | Promise<boolean>, patience = 10_000): Promise<void> {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${patience} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
