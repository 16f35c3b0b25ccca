import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { filter, firstValueFrom, type Observable } from 'rxjs';
import {
  InvalidWindowError,
  MaintenanceForcedError,
  MaintenanceStorageError,
  type MaintenanceState,
  type MaintenanceStatus,
  type StateStorage,
  type VersionedState,
} from 'nestjs-maintenance';
import { ManualClock } from 'nestjs-maintenance/testing';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { CatsController } from './controllers.js';

const controllers = [CatsController];

function readState(file: string): MaintenanceState {
  return JSON.parse(readFileSync(file, 'utf8')) as MaintenanceState;
}

describe.each(ADAPTERS)('MaintenanceService (%s)', (adapter) => {
  let running: Running;
  const startWith = async (setup: Setup = {}): Promise<Running> =>
    (running = await start(adapter, { controllers, ...setup }));
  afterEach(() => running.close());

  it('turns maintenance on and off and does not write unchanged states', async () => {
    const { maintenance, stateFile, call } = await startWith();
    expect(maintenance.status()).toEqual({
      active: false,
      source: 'storage',
      revision: 0,
      windows: { active: [], planned: [] },
      storage: { kind: 'file', location: stateFile, healthy: true, lastReadAt: expect.any(String) as string },
    });
    expect(existsSync(stateFile)).toBe(false);
    await expect(maintenance.disable()).resolves.toMatchObject({ active: false, revision: 0 });
    expect(existsSync(stateFile)).toBe(false);

    const on = await maintenance.enable({ message: 'Back soon', createdBy: 'me' });
    expect(on).toMatchObject({ active: true, source: 'storage', revision: 1 });
    expect(on.windows.active).toEqual([
      expect.objectContaining({ scope: '*', mode: 'full', endsAt: null, message: 'Back soon', createdBy: 'me' }),
    ]);
    expect((await call('/cats')).status).toBe(503);
    await expect(maintenance.enable()).resolves.toMatchObject({ revision: 1 });
    await expect(maintenance.enable({ message: 'Back soon' })).resolves.toMatchObject({ revision: 1 });

    const changed = await maintenance.enable({ message: 'Back late' });
    expect(changed.revision).toBe(2);
    expect(changed.windows.active[0]).toEqual({ ...on.windows.active[0], message: 'Back late' });
    expect(readState(stateFile)).toMatchObject({
      format: 1,
      revision: 2,
      history: [{ action: 'change', via: 'code' }, { action: 'on' }],
    });

    await expect(maintenance.disable()).resolves.toMatchObject({ active: false, revision: 3 });
    expect((await call('/cats')).status).toBe(200);
    await expect(maintenance.disable()).resolves.toMatchObject({ revision: 3 });
  });

  it('distinguishes scopes, modes and planned windows', async () => {
    const { maintenance, call } = await startWith();
    await maintenance.enable({ scope: 'payments' });
    expect(maintenance.isActive()).toBe(true);
    expect(maintenance.isActive('payments')).toBe(true);
    expect(maintenance.isActive('search')).toBe(false);
    expect((await call('/cats')).status).toBe(200);
    await maintenance.enable({ mode: 'read-only' });
    expect(maintenance.isActive('search')).toBe(true);
    expect((await call('/cats')).status).toBe(200);
    expect((await call('/cats', { method: 'POST' })).status).toBe(503);
    const startsAt = new Date(Date.now() + 3_600_000);
    await maintenance.enable({ startsAt, message: 'planned' });
    const both = await maintenance.enable({ startsAt, message: 'planned again' });
    expect(both.windows.planned.map(({ message }) => message)).toEqual(['planned', 'planned again']);

    const scope = await maintenance.disable({ scope: 'payments' });
    expect(scope.windows.active.map((window) => window.mode)).toEqual(['read-only']);
    const one = await maintenance.disable({ id: both.windows.planned[0]?.id });
    expect(one.windows.planned.map(({ message }) => message)).toEqual(['planned again']);
    expect((await maintenance.disable()).windows).toMatchObject({ active: [], planned: [{}] });
    expect((await maintenance.disable({ all: true })).windows).toEqual({ active: [], planned: [] });
  });

  it('ends the current occurrence of a recurring window', async () => {
    const { maintenance, call } = await startWith();
    // Repeats every year and lasts almost a year.
    const recurrence = { cron: '0 0 1 1 *', timeZone: 'Europe/Rome', duration: 365 * 86_400_000 - 1 };
    const { windows } = await maintenance.enable({ startsAt: '2020-01-01T00:00Z', recurrence });
    expect(windows.active).toMatchObject([{ recurrence, endsAt: expect.any(String) as string }]);
    const refused = await call('/cats');
    expect(refused.status).toBe(503);
    expect(refused.json()).toMatchObject({
      startsAt: windows.active[0]!.startsAt,
      endsAt: windows.active[0]!.endsAt,
    });

    const { windows: after } = await maintenance.disable();
    expect(after).toMatchObject({ active: [], planned: [{ id: windows.active[0]!.id, recurrence }] });
    expect((await call('/cats')).status).toBe(200);
    await maintenance.disable({ all: true });
    expect(maintenance.status().windows.planned).toEqual([]);
  });

  it('rejects invalid windows without changing the state', async () => {
    const { maintenance, stateFile } = await startWith();
    for (const window of [
      { endsAt: new Date(Date.now() - 1000) },
      { endsAt: 'tomorrow' },
      { endsAt: '2026-02-30T10:00Z' },
      { endsAt: '2099-01-01T10:00' },
      { endsAt: new Date(NaN) },
      { startsAt: '2099-01-02T00:00Z', endsAt: '2099-01-01T00:00Z' },
      { startsAt: '2020-01-01T00:00Z' },
      { startsAt: new Date(Date.now() - 61_000) },
      { startsAt: '2020-01-01T00:00Z', endsAt: '2099-01-01T00:00Z' },
      { startsAt: null },
      { mode: 'partial' },
      { scope: '' },
      { scope: 7 },
      { message: 7 },
      { retryAfter: -1 },
      { retryAfter: 1.5 },
      { until: '2099-01-01T00:00Z' },
      { recurrence: '0 3 * * 0' },
      { recurrence: { cron: '0 3 * * 0' } },
      { recurrence: { cron: '0 3 * * 0', duration: 0 } },
      { recurrence: { cron: '0 3 * * 0', duration: 1, timezone: 'UTC' } },
      { recurrence: { cron: 'sundays', duration: 1 } },
      { recurrence: { cron: '0 3 * * 0', timeZone: 'Mars', duration: 1 } },
      'now',
      [],
    ]) {
      await expect(maintenance.enable(window as never)).rejects.toBeInstanceOf(InvalidWindowError);
    }
    await expect(maintenance.disable({ ids: 'x' } as never)).rejects.toBeInstanceOf(InvalidWindowError);
    await expect(maintenance.enable({ endsAt: '2099-01-01T10:00' })).rejects.toThrow(
      /time zone, such as 2030-12-01T02:00Z/,
    );
    expect(existsSync(stateFile)).toBe(false);
  });

  it('is overridden by the option `enabled`', async () => {
    let { maintenance, call } = await startWith({ options: { enabled: true } });
    expect(maintenance.status()).toMatchObject({ active: true, source: 'configuration' });
    expect(maintenance.isActive('anything')).toBe(true);
    expect((await call('/cats')).json()).toMatchObject({
      status: 503,
      startsAt: null,
      endsAt: null,
      scope: '*',
      mode: 'full',
    });
    await expect(maintenance.enable()).rejects.toBeInstanceOf(MaintenanceForcedError);
    await expect(maintenance.disable()).rejects.toThrow(/MAINTENANCE_MODE/);
    await running.close();
    ({ maintenance, call } = await startWith({ options: { enabled: false } }));
    expect((await call('/cats')).status).toBe(200);
    await expect(maintenance.enable()).rejects.toBeInstanceOf(MaintenanceForcedError);
  });

  it('emits changes made by this and other instances', async () => {
    const { maintenance, stateFile } = await startWith({ options: { refreshInterval: 60_000 } });
    const seen: MaintenanceStatus[] = [];
    maintenance.changes.subscribe((status) => seen.push(status));
    await maintenance.enable();
    expect(seen).toMatchObject([{ active: true, revision: 1 }]);

    const next = waitForChange(maintenance.changes);
    writeFileSync(stateFile, '0');
    expect(await next).toMatchObject({ active: false, revision: 0 });

    const gone = waitForChange(maintenance.changes);
    writeFileSync(stateFile, '1\n');
    expect(await gone).toMatchObject({ active: true });
    const removed = waitForChange(maintenance.changes);
    rmSync(stateFile);
    expect(await removed).toMatchObject({ active: false });
  });

  it('ends a window at its end time without a write', async () => {
    const clock = new ManualClock(Date.now());
    const { maintenance, call } = await startWith({ clock });
    const ended = waitForChange(maintenance.changes, (status) => !status.active);
    const endsAt = clock.now() + 60_000;
    await maintenance.enable({ endsAt: new Date(endsAt) });
    await clock.moveTo(endsAt - 1);
    expect((await call('/cats')).status).toBe(503);
    await clock.moveTo(endsAt);
    expect(await ended).toMatchObject({ active: false, revision: 1 });
    expect((await call('/cats')).status).toBe(200);
  });

  it('rejects and keeps the last known state if the storage fails', async () => {
    const { maintenance, stateFile, call } = await startWith();
    await maintenance.enable();
    rmSync(stateFile);
    mkdirSync(stateFile);
    await expect(maintenance.disable()).rejects.toBeInstanceOf(MaintenanceStorageError);
    const status = await maintenance.refresh();
    expect(status).toMatchObject({ active: true, source: 'last-known', storage: { healthy: false } });
    expect(status.storage.error).toContain(stateFile);
    expect((await call('/cats')).status).toBe(503);
    rmSync(stateFile, { recursive: true });
    expect(await maintenance.refresh()).toMatchObject({
      active: false,
      source: 'storage',
      storage: { healthy: true },
    });
  });

  it('validates the state returned by a custom storage', async () => {
    const content: { state: unknown; version: string } = { state: null, version: '1' };
    const storage: StateStorage = {
      kind: 'own',
      location: 'own://place',
      read: async () => structuredClone(content) as VersionedState,
      write: async (state) => {
        Object.assign(content, { state: structuredClone(state), version: String(Number(content.version) + 1) });
        return content.version;
      },
    };
    for (const state of [
      {},
      { windows: {} },
      { format: 1, lineage: 'x', revision: 1, windows: [null], history: [] },
      'text',
      7,
    ]) {
      content.state = state;
      const { maintenance, call } = await startWith({ options: { storage } });
      expect(maintenance.status().storage).toMatchObject({
        healthy: false,
        error: expect.stringContaining('own://place') as string,
      });
      expect((await call('/cats')).status).toBe(200);
      await maintenance.enable();
      expect((await call('/cats')).status).toBe(503);
      await running.close();
    }
    await startWith();
  });

  it('watches a directory created after startup or recreated', async () => {
    const folder = join(mkdtempSync(join(tmpdir(), 'later-')), 'state');
    const file = join(folder, 'state.json');
    const { maintenance } = await startWith({ options: { storage: `file:${file}`, refreshInterval: 600_000 } });
    for (let round = 0; round < 2; round++) {
      // The report of the instance may have created it.
      mkdirSync(folder, { recursive: true });
      await maintenance.refresh();
      const on = waitForChange(maintenance.changes, ({ active }) => active);
      writeFileSync(file, '1');
      expect(await on).toMatchObject({ active: true });
      rmSync(folder, { recursive: true });
      await maintenance.refresh();
      expect(maintenance.isActive()).toBe(false);
    }
  });

  it('applies a restored backup of the state file', async () => {
    const { maintenance, stateFile, call } = await startWith();
    await maintenance.enable();
    const backup = readFileSync(stateFile);
    for (const message of ['a', 'b', 'c']) await maintenance.enable({ message });
    await maintenance.disable();
    const restored = waitForChange(maintenance.changes);
    writeFileSync(stateFile, backup);
    expect(await restored).toMatchObject({ active: true, revision: 1 });
    await expect(maintenance.enable({ message: 'now' })).resolves.toMatchObject({ active: true, revision: 2 });
    expect((await call('/cats')).status).toBe(503);
  });

  it.each([
    ['last-known', false],
    ['on', true],
    ['off', false],
  ] as const)('starts with a failing storage if onStorageFailure is %s', async (onStorageFailure, active) => {
    const { maintenance, call, stateFile } = await startWith({
      options: { onStorageFailure, storage: createBrokenFile() },
    });
    expect(maintenance.status()).toMatchObject({ active, source: 'fallback', storage: { healthy: false } });
    expect((await call('/cats')).status).toBe(active ? 503 : 200);
    expect(existsSync(stateFile)).toBe(false);
    await maintenance.enable();
    expect(maintenance.status()).toMatchObject({ active: true, source: 'storage' });
    expect((await call('/cats')).status).toBe(503);
  });
});

function waitForChange(
  changes: Observable<MaintenanceStatus>,
  wanted: (status: MaintenanceStatus) => boolean = () => true,
): Promise<MaintenanceStatus> {
  return firstValueFrom(changes.pipe(filter(wanted)));
}

let brokenFiles = 0;
/** Creates a corrupt state file and returns its URL. */
function createBrokenFile(): string {
  const file = `${process.env.TMPDIR ?? '/tmp'}/maintenance-broken-${process.pid}-${brokenFiles++}/state.json`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '{"format":');
  chmodSync(file, 0o600);
  return `file:${file}`;
}
