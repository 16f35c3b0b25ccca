import { execFileSync } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import type { LoggerService } from '@nestjs/common';
import type { HistoryEntry, MaintenanceModuleOptions, MaintenanceStatus } from 'nestjs-maintenance';
import { ManualClock, MemoryStateStorage } from 'nestjs-maintenance/testing';
import { start, type Running } from './application.js';

interface ChangeMessage {
  status: MaintenanceStatus;
  changes: HistoryEntry[];
}

// Keeps a reference: Node may garbage-collect the channel of an earlier test file and with it the entry of this name.
const CHANNEL = channel('nestjs-maintenance:change');

describe('change notifications', () => {
  const messages: ChangeMessage[] = [];
  const lines: string[] = [];
  const record = (message: unknown): void => void messages.push(message as ChangeMessage);
  const recordLine = (line: unknown, ...rest: unknown[]): void => {
    if (rest.at(-1) === 'Maintenance') lines.push(String(line));
  };
  const logger: LoggerService = { log: recordLine, warn: recordLine, error: recordLine };
  let running: Running;

  beforeAll(async () => {
    CHANNEL.subscribe(record);
    running = await start('express', {
      create: { logger },
      extras: { admin: true },
      options: { adminToken: 'the-token-of-the-test', application: 'shop' },
    });
  });
  beforeEach(() => {
    messages.length = 0;
    lines.length = 0;
  });
  afterAll(async () => {
    CHANNEL.unsubscribe(record);
    await running.close();
  });

  it('name the operator and the interface on the channel and in the log', async () => {
    const headers = { authorization: 'Bearer the-token-of-the-test' };
    await running.call('/maintenance-mode/on', { method: 'POST', headers });
    await running.maintenance.disable();
    expect(messages).toMatchObject([
      { status: { active: true, revision: 1 }, changes: [{ revision: 1, action: 'on', by: 'token', via: 'http' }] },
      { status: { active: false, revision: 2 }, changes: [{ revision: 2, action: 'off', via: 'code' }] },
    ]);
    expect(lines).toEqual([
      expect.stringMatching(
        /^Maintenance is on: everything, .* \(revision 1 by token via http, .*, application shop\)\.$/,
      ),
      expect.stringMatching(/^Maintenance is off \(revision 2 by unknown via code, .*, application shop\)\.$/),
    ]);
  });

  it('report the scheduled start and end of a window without an operator', async () => {
    const clock = new ManualClock(Date.now());
    const planned = await start('express', { create: { logger }, clock });
    messages.length = lines.length = 0;
    const [startsAt, endsAt] = [clock.now() + 60_000, clock.now() + 120_000];
    await planned.maintenance.enable({ startsAt: new Date(startsAt), endsAt: new Date(endsAt), createdBy: 'ann' });
    await clock.moveTo(startsAt);
    await clock.moveTo(endsAt);
    await planned.close();
    expect(messages.map(({ status, changes }) => [status.active, changes.map(({ action }) => action)])).toEqual([
      [false, ['plan']],
      [true, []],
      [false, []],
    ]);
    expect(messages[0]?.changes).toMatchObject([{ by: 'ann', via: 'code' }]);
    expect(lines[0]).toMatch(/^Maintenance is off; planned: everything, full, set by ann, from \S+ to \S+ \(revision/);
    expect(lines[1]).toMatch(/^Maintenance is on: everything, full, set by ann, from \S+ to \S+ \(revision/);
    expect(lines.map((line) => / by ann via code, /.test(line))).toEqual([true, false, false]);
  });

  it('report windows that are cancelled before they start', async () => {
    const { maintenance } = running;
    const startsAt = new Date(Date.now() + 3_600_000).toISOString();
    await maintenance.enable({ scope: 'payments', startsAt });
    await maintenance.enable();
    await maintenance.disable({ all: true });
    expect(messages.map(({ changes }) => changes.map(({ action }) => action).sort())).toEqual([
      ['plan'],
      ['on'],
      ['cancel', 'off'],
    ]);
    expect(lines.at(-1)).toMatch(/^Maintenance is off; cancelled: payments, full, planned for \S+Z \(revision \d+ by /);
    expect(lines.at(-1)).toContain(startsAt);
    await maintenance.enable({ recurrence: { cron: '0 3 1 1 *', timeZone: 'UTC', duration: 1_000 } });
    await maintenance.disable({ all: true });
    expect(lines.at(-1)).toMatch(
      /^Maintenance is off; cancelled: everything, full, planned for \d{4}-01-01T03:00:00\.000Z \(/,
    );
  });

  it('log at startup where the state is stored, whose instance this is and how to turn maintenance on', async () => {
    const startAndGetLines = async (options: MaintenanceModuleOptions): Promise<string[]> => {
      lines.length = 0;
      const other = await start('express', { create: { logger }, options: { application: 'shop', ...options } });
      const logged = [...lines];
      await other.close();
      return logged;
    };
    const file = `${running.stateFile}.other`;
    expect(await startAndGetLines({ storage: `file:${file}` })).toEqual([
      `Maintenance is off. State: file ${file}. Application: shop. Turn it on with: npx nestjs-maintenance on --storage "file:${file}"`,
    ]);
    expect(await startAndGetLines({ storage: `file:${file}`, enabled: false })).toEqual([
      `Maintenance is forced off by the option \`enabled\` (environment: MAINTENANCE_MODE). State: file ${file}. Application: shop.`,
    ]);
    process.env.MAINTENANCE_STORAGE = `file:${file}`;
    expect(await startAndGetLines({ storage: undefined })).toEqual([
      `Maintenance is off. State: file ${file}. Application: shop. Turn it on with: npx nestjs-maintenance on`,
    ]);
    delete process.env.MAINTENANCE_STORAGE;
    const storage = new MemoryStateStorage();
    expect(await startAndGetLines({ storage })).toEqual([
      `Maintenance is off. State: ${storage.kind} ${storage.location}. Application: shop. Turn it on with MaintenanceService.enable().`,
    ]);
    const on = await start('express', { options: { storage, application: 'shop' } });
    await on.maintenance.enable();
    expect(await startAndGetLines({ storage })).toEqual([
      expect.stringMatching(/^Maintenance is on: everything, full, from /),
    ]);
    await on.close();
  });

  it('log every change on one line, including changes of the message', async () => {
    const { maintenance } = running;
    await maintenance.enable({ message: 'one' });
    await maintenance.enable({ message: 'two', createdBy: 'ann\nMaintenance is off' });
    expect(messages.map(({ changes }) => changes.map(({ action }) => action))).toEqual([['on'], ['change']]);
    expect(lines).toHaveLength(2);
    expect(lines.join('')).not.toContain('\n');
    await maintenance.disable();
  });

  it('do not repeat changes made before an instance started', async () => {
    await running.maintenance.enable();
    messages.length = 0;
    const later = await start('express', { options: { storage: `file:${running.stateFile}` } });
    expect(messages.flatMap(({ changes }) => changes)).toEqual([]);
    await later.maintenance.disable();
    await later.close();
    const actions = messages.flatMap(({ changes }) => changes.map(({ action }) => action));
    // From each of the two instances, unless the first has not yet read the change.
    expect(new Set(actions)).toEqual(new Set(['off']));
  });

  it('reach subscribers that subscribe after a garbage collection', () => {
    const script = `
      const { subscribe } = require('node:diagnostics_channel');
      const { setImmediate: nextTurn } = require('node:timers/promises');
      const { NestFactory } = require('@nestjs/core');
      const { MaintenanceModule, MaintenanceService } = require('nestjs-maintenance');
      (async () => {
        const module = MaintenanceModule.forRoot({ storage: process.argv[1] });
        const app = await NestFactory.createApplicationContext(module, { logger: false });
        await nextTurn();
        gc();
        subscribe('nestjs-maintenance:change', ({ changes }) => console.log(changes.map(({ action }) => action).join()));
        for (let turns = 0; turns < 5; turns++) await nextTurn();
        await app.get(MaintenanceService).enable();
        await app.close();
      })();
    `;
    const storage = `file:${running.stateFile}.of-its-own`;
    expect(execFileSync(process.execPath, ['--expose-gc', '-e', script, storage], { encoding: 'utf8' })).toBe('on\n');
  });

  it('contain no secrets', async () => {
    await running.maintenance.enable();
    expect(JSON.stringify(messages)).not.toContain('the-token-of-the-test');
    await running.maintenance.disable();
  });
});
