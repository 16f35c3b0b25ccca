import { execFileSync } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import type { LoggerService } from '@nestjs/common';
import type { HistoryEntry, MaintenanceModuleOptions, MaintenanceStatus } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { start, type Running } from './application.js';

interface ChangeMessage {
  status: MaintenanceStatus;
  changes: HistoryEntry[];
}

// Held from the start: an earlier test file's channel of this name may yet be collected, and take another's place with it.
const CHANNEL = channel('nestjs-maintenance:change');

describe('whoever wants to know of changes', () => {
  const messages: ChangeMessage[] = [];
  const lines: string[] = [];
  const hear = (message: unknown): void => void messages.push(message as ChangeMessage);
  const note = (line: unknown, ...rest: unknown[]): void => {
    if (rest.at(-1) === 'Maintenance') lines.push(String(line));
  };
  const logger: LoggerService = { log: note, warn: note, error: note };
  let running: Running;

  beforeAll(async () => {
    CHANNEL.subscribe(hear);
    running = await start('express', {
      create: { logger },
      extras: { admin: true },
      options: { adminToken: 'the-token-of-the-test' },
    });
  });
  beforeEach(() => {
    messages.length = 0;
    lines.length = 0;
  });
  afterAll(async () => {
    CHANNEL.unsubscribe(hear);
    await running.close();
  });

  it('finds on the channel and in the log who made them, and from where', async () => {
    const headers = { authorization: 'Bearer the-token-of-the-test' };
    await running.call('/maintenance-mode/on', { method: 'POST', headers });
    await running.maintenance.disable();
    expect(messages).toMatchObject([
      { status: { active: true, revision: 1 }, changes: [{ revision: 1, action: 'on', by: 'token', via: 'http' }] },
      { status: { active: false, revision: 2 }, changes: [{ revision: 2, action: 'off', via: 'code' }] },
    ]);
    expect(lines).toEqual([
      expect.stringMatching(/^Maintenance is on: everything, .* \(revision 1 by token via http, .*\)\.$/),
      expect.stringMatching(/^Maintenance is off \(revision 2 by somebody via code, .*\)\.$/),
    ]);
  });

  it('is told of a start and an end by the clock, which nobody made', async () => {
    const startsAt = Date.now() + 100;
    await running.maintenance.enable({
      startsAt: new Date(startsAt),
      endsAt: new Date(startsAt + 100),
      createdBy: 'ann',
    });
    for (const deadline = Date.now() + 8_000; messages.length < 3 && Date.now() < deadline;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
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

  it('is told of what was cancelled before it started', async () => {
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

  it('reads at the start where the state is, and how to turn maintenance on', async () => {
    const tell = async (options: MaintenanceModuleOptions): Promise<string[]> => {
      lines.length = 0;
      const other = await start('express', { create: { logger }, options });
      const told = [...lines];
      await other.close();
      return told;
    };
    const file = `${running.stateFile}.other`;
    expect(await tell({ storage: `file:${file}` })).toEqual([
      `Maintenance is off. State: file ${file}. Turn it on with: npx nestjs-maintenance on --storage "file:${file}"`,
    ]);
    expect(await tell({ storage: `file:${file}`, enabled: false })).toEqual([
      `Maintenance is forced off by the option \`enabled\` (environment: MAINTENANCE_MODE). State: file ${file}.`,
    ]);
    process.env.MAINTENANCE_STORAGE = `file:${file}`;
    expect(await tell({ storage: undefined })).toEqual([
      `Maintenance is off. State: file ${file}. Turn it on with: npx nestjs-maintenance on`,
    ]);
    delete process.env.MAINTENANCE_STORAGE;
    const storage = new MemoryStateStorage();
    expect(await tell({ storage })).toEqual([
      `Maintenance is off. State: ${storage.kind} ${storage.location}. Turn it on with MaintenanceService.enable().`,
    ]);
    const on = await start('express', { options: { storage } });
    await on.maintenance.enable();
    expect(await tell({ storage })).toEqual([expect.stringMatching(/^Maintenance is on: everything, full, from /)]);
    await on.close();
  });

  it('finds every change, also one that shows in nothing but the history, and on one line each', async () => {
    const { maintenance } = running;
    await maintenance.enable({ message: 'one' });
    await maintenance.enable({ message: 'two', createdBy: 'ann\nMaintenance is off' });
    expect(messages.map(({ changes }) => changes.map(({ action }) => action))).toEqual([['on'], ['change']]);
    expect(lines).toHaveLength(2);
    expect(lines.join('')).not.toContain('\n');
    await maintenance.disable();
  });

  it('is not told again what was changed before it was there', async () => {
    await running.maintenance.enable();
    messages.length = 0;
    const later = await start('express', { options: { storage: `file:${running.stateFile}` } });
    expect(messages.flatMap(({ changes }) => changes)).toEqual([]);
    await later.maintenance.disable();
    await later.close();
    const told = messages.flatMap(({ changes }) => changes.map(({ action }) => action));
    // By each of the two instances, as far as the first has heard of it by now.
    expect(new Set(told)).toEqual(new Set(['off']));
  });

  it('hears of them however late it subscribes, and whatever was collected before', () => {
    const script = `
      const { subscribe } = require('node:diagnostics_channel');
      const { setImmediate: turn } = require('node:timers/promises');
      const { NestFactory } = require('@nestjs/core');
      const { MaintenanceModule, MaintenanceService } = require('nestjs-maintenance');
      (async () => {
        const module = MaintenanceModule.forRoot({ storage: process.argv[1] });
        const app = await NestFactory.createApplicationContext(module, { logger: false });
        await turn();
        gc();
        subscribe('nestjs-maintenance:change', ({ changes }) => console.log(changes.map(({ action }) => action).join()));
        for (let turns = 0; turns < 5; turns++) await turn();
        await app.get(MaintenanceService).enable();
        await app.close();
      })();
    `;
    const storage = `file:${running.stateFile}.of-its-own`;
    expect(execFileSync(process.execPath, ['--expose-gc', '-e', script, storage], { encoding: 'utf8' })).toBe('on\n');
  });

  it('finds no secret on the channel', async () => {
    await running.maintenance.enable();
    expect(JSON.stringify(messages)).not.toContain('the-token-of-the-test');
    await running.maintenance.disable();
  });
});
