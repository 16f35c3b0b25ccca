import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { StateStorage, VersionedState } from '../storage/state-storage.js';

const WAIT_TIMEOUT_MS = 10_000;

/** An empty storage and optional hooks for its tests. Tests that need a missing hook pass without checking anything. */
export interface StorageUnderTest {
  /** The storage to test. It must be empty. */
  storage: StateStorage;
  /** Opens the same storage again, as another process does. */
  another?: () => StateStorage | Promise<StateStorage>;
  /** Replaces the stored content with a text, without calling the storage. */
  put?: (text: string) => void | Promise<void>;
  /** The time to live of reports in milliseconds, a second or less: then their expiry is tested. */
  reportTtl?: number;
  /** Called after each test, after all handles were closed. */
  cleanup?: () => void | Promise<void>;
}

/** The storage of one test, with defaults for missing hooks. Closes all its handles. */
export class Fixture {
  readonly storage: StateStorage;
  readonly put: StorageUnderTest['put'];
  readonly reportTtl: number | undefined;
  private readonly others: StateStorage[] = [];

  constructor(private readonly hooks: StorageUnderTest) {
    this.storage = hooks.storage;
    this.put = hooks.put?.bind(hooks);
    this.reportTtl = hooks.reportTtl;
  }

  /** Opens the storage again, or returns the same one without that hook. */
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

/** Creates an empty state. */
export function createState(revision: number): MaintenanceState {
  return { format: 1, lineage: 'kit', revision, windows: [], history: [] };
}

/** Creates a state with unknown members and unusual characters. */
export function createRichState(): MaintenanceState {
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

/** Creates the report of an instance. */
export function createReport(id: string, revision: number): InstanceReport {
  const seenAt = new Date().toISOString();
  return { id, host: 'kit', pid: 1, lineage: 'kit', revision, inFlight: 3, streams: 0, seenAt, zone: 'eu-1' };
}

/** Reads a state that must exist. */
export async function readState(storage: StateStorage): Promise<VersionedState> {
  const content = await storage.read();
  if (!content) throw new Error('the storage is empty, although a state was written');
  return content;
}

/** Returns the error with which `work` fails, or `undefined`. */
export async function captureError(work: Promise<unknown>): Promise<{ code?: string; version?: string } | undefined> {
  return work.then(
    () => undefined,
    (error: { code?: string; version?: string; message?: string }) => {
      if (error.code === undefined) throw error;
      return error;
    },
  );
}

/** Returns the code of the error with which `work` fails, or `undefined`. */
export async function captureCode(work: Promise<unknown>): Promise<string | undefined> {
  return (await captureError(work))?.code;
}

/** Waits until a condition is true. */
export async function waitUntil(
  event: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = WAIT_TIMEOUT_MS,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`timed out after ${timeoutMs} ms, waiting until ${event}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
