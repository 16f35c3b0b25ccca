import type { MaintenanceStatus } from '../core/maintenance-status.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import type { ChangeReport, Report } from './maintenance-commands.js';
import { toChangeJson, formatChange, formatStatus } from './print.js';

const NOW = Date.parse('2026-12-01T02:00:00Z');

function createWindow(fields: Partial<StoredWindow> = {}): StoredWindow {
  const startsAt = '2026-12-01T01:00:00.000Z';
  return { id: 'a1', scope: '*', mode: 'full', startsAt, endsAt: null, createdAt: startsAt, ...fields };
}

const PLANNED = createWindow({
  id: 'b2',
  scope: 'payments',
  mode: 'read-only',
  startsAt: '2026-12-01T12:00:00.000Z',
  endsAt: '2026-12-01T14:00:00.000Z',
});

const RECURRING = createWindow({
  id: 'c3',
  startsAt: '2026-12-06T03:00:00.000Z',
  endsAt: '2026-12-06T04:00:00.000Z',
  recurrence: { cron: '0 3 * * 0', timeZone: 'UTC', duration: 3_600_000 },
});

function createReport(
  { active = [], planned = [] }: Partial<MaintenanceStatus['windows']> = {},
  fields: Partial<MaintenanceStatus> = {},
): Report {
  const storage = { kind: 'file', location: '/srv/state.json', healthy: true, lastReadAt: null };
  const windows = { active, planned };
  return {
    status: { active: active.length > 0, source: 'storage', revision: 7, windows, storage, ...fields },
    now: NOW,
    history: [],
    leases: new Map(),
    isStored: true,
  };
}

function createChange(report: Report, change: ChangeReport['change'], replacedCorrupt = false): ChangeReport {
  return { ...report, change, replacedCorrupt, replacedForeign: false };
}

describe('statusLines', () => {
  it('lists active and planned windows and the storage', () => {
    const window = createWindow({ message: 'Back at four', createdBy: 'ann@web1', retryAfter: 60 });
    expect(formatStatus(createReport({ active: [window], planned: [PLANNED] }))).toEqual([
      'Maintenance is ON.',
      '',
      'on       everything (full), id a1',
      '         since 2026-12-01T01:00:00Z (1 h ago), until it is turned off',
      '         "Back at four"',
      '         Retry-After: 60 s',
      '         set by ann@web1',
      '',
      'planned  scope payments (read-only), id b2',
      '         from 2026-12-01T12:00:00Z (in 10 h)',
      '         until 2026-12-01T14:00:00Z (in 12 h)',
      '',
      'storage  file /srv/state.json',
      '         revision 7',
    ]);
  });

  it('shows the lease of a temporary window', () => {
    const report = {
      ...createReport({ active: [createWindow()] }),
      leases: new Map([['a1', '2026-12-01T02:01:00.000Z']]),
    };
    expect(formatStatus(report).slice(2, 5)).toEqual([
      'on       everything (full), id a1',
      '         since 2026-12-01T01:00:00Z (1 h ago), until its program is done',
      '         under a lease until 2026-12-01T02:01:00Z, which its program renews',
    ]);
  });

  it('shows the first addresses that a window admits', () => {
    const allowIps = Array.from({ length: 7 }, (_, index) => `10.0.0.${index}`);
    const lines = formatStatus(createReport({ active: [createWindow({ allowIps })] }));
    expect(lines).toContain('         admits 10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 and 2 more');
  });

  it('shows that maintenance is limited to a scope', () => {
    const report = createReport({
      active: [createWindow({ scope: 'a' }), createWindow({ scope: 'b' }), createWindow({ scope: 'a' })],
    });
    expect(formatStatus(report)[0]).toBe('Maintenance is ON for a, b.');
  });

  it('shows that nothing is stored', () => {
    expect(formatStatus({ ...createReport({}, { revision: 0 }), isStored: false })).toEqual([
      'Maintenance is off.',
      '',
      'storage  file /srv/state.json',
      '         nothing is stored there yet',
    ]);
  });

  it('shows that maintenance is forced, and why the unused storage fails', () => {
    const storage = { kind: 'file', location: '/srv/state.json', healthy: false, lastReadAt: null, error: 'no way' };
    const lines = formatStatus(createReport({}, { active: true, source: 'configuration', storage }));
    expect(lines[0]).toMatch(/^Maintenance is forced ON by the option `enabled` \(environment: MAINTENANCE_MODE\)/);
    expect(lines.at(-1)).toBe('         fails: no way');
  });

  it('shows no dates for a state written manually', () => {
    const window = createWindow({ id: 'handwritten', startsAt: '1970-01-01T00:00:00.000Z' });
    expect(formatStatus(createReport({ active: [window] })).join('\n')).not.toContain('1970');
  });

  it('shows the readable entries of the history', () => {
    const { id, scope, mode, startsAt, endsAt } = PLANNED;
    const history: unknown = [
      {
        revision: 2,
        at: '2026-12-01T01:30:00.123Z',
        action: 'off',
        by: 'ann@web1',
        via: 'cli',
        windows: [{ id, scope, mode, startsAt, endsAt, message: 'Hi', allowIps: ['10.0.0.1', '::1'] }],
      },
      {
        revision: 2,
        at: '2026-12-01T01:30:00.123Z',
        action: 'cancel',
        windows: [{ ...RECURRING, message: 'Tidying' }],
      },
      { revision: 1, at: 'long ago', action: 'rename', windows: [{ id: 'x', recurrence: 5 }] },
    ];
    const report = { ...createReport(), history: history as Report['history'] };
    expect(formatStatus(report, true).slice(2, 8)).toEqual([
      'history  2026-12-01T01:30:00Z  ended      by ann@web1 (cli), revision 2',
      '           scope payments (read-only), from 2026-12-01T12:00:00Z, until 2026-12-01T14:00:00Z, "Hi", admits 10.0.0.1, ::1, id b2',
      '         2026-12-01T01:30:00Z  cancelled  by unknown, revision 2',
      '           everything (full), from 2026-12-06T03:00:00Z, until 2026-12-06T04:00:00Z, every 0 3 * * 0 (UTC), for 1 h, "Tidying", id c3',
      '         long ago  rename     by unknown, revision 1',
      '           scope ? (?), id x',
    ]);
    expect(formatStatus(createReport(), true)).toContain('history  no changes yet');
  });
});

describe('changeLines', () => {
  const ended = createWindow();

  it.each([
    [
      'a started window',
      createReport({ active: [ended] }),
      { action: 'on' as const, affected: [ended] },
      'ON. A window was started.',
    ],
    [
      'a planned window',
      createReport({ planned: [PLANNED] }),
      { action: 'plan' as const, affected: [PLANNED] },
      'off. A window was planned.',
    ],
    [
      'a changed window',
      createReport({ active: [ended] }),
      { action: 'change' as const, affected: [ended] },
      'ON. The window was changed.',
    ],
    ['one ended window', createReport(), { action: 'off' as const, affected: [ended] }, 'off. One window was ended.'],
    [
      'several ended windows',
      createReport(),
      { action: 'off' as const, affected: [ended, ended] },
      'off. 2 windows were ended.',
    ],
    [
      'one cancelled window',
      createReport(),
      { action: 'off' as const, affected: [], cancelled: [PLANNED] },
      'off. One window was cancelled.',
    ],
    [
      'ended and cancelled windows',
      createReport(),
      { action: 'off' as const, affected: [ended], cancelled: [PLANNED, PLANNED] },
      'off. One window was ended. 2 windows were cancelled.',
    ],
    ['no change', createReport(), null, 'off. Nothing was on.'],
    [
      'a lost state replaced',
      createReport(),
      { action: 'off' as const, affected: [] },
      'off. Nothing was stored. An empty state was written, so that instances that still apply a lost one turn maintenance off.',
    ],
  ])('prints the resulting mode first, then the change: %s', (_, report, change, line) => {
    const made = change && { ...change, windows: [] };
    expect(formatChange(createChange(report, made), 'Nothing was on.')[0]).toBe(`Maintenance is ${line}`);
  });

  it('shows ended windows, and that corrupt content was replaced', () => {
    const change = { action: 'off' as const, windows: [], affected: [ended] };
    expect(formatChange(createChange(createReport(), change, true), '').slice(1, 5)).toEqual([
      'The stored state was corrupt and has been replaced.',
      '',
      'ended    everything (full), id a1',
      '         since 2026-12-01T01:00:00Z (1 h ago)',
    ]);
  });

  it('does not call content corrupt that never was a state', () => {
    const change = { action: 'off' as const, windows: [], affected: [ended] };
    const report = {
      ...createChange(createReport(), change, true),
      replacedForeign: true,
      keptAs: '/srv/README.md.corrupt-1',
    };
    expect(formatChange(report, '')[1]).toBe(
      'The stored content was not a maintenance state and has been replaced. It is kept as /srv/README.md.corrupt-1.',
    );
  });

  it('shows cancelled windows with their planned times', () => {
    const change = { action: 'off' as const, windows: [], affected: [], cancelled: [PLANNED, RECURRING] };
    expect(formatChange(createChange(createReport(), change), '').slice(1, 8)).toEqual([
      '',
      'cancelled  scope payments (read-only), id b2',
      '           was planned for 2026-12-01T12:00:00Z (in 10 h)',
      '',
      'cancelled  everything (full), id c3',
      '           was planned for 2026-12-06T03:00:00Z (in 5 days 1 h)',
      '           every 0 3 * * 0 (UTC), for 1 h',
    ]);
  });

  it('prints no secrets of a window', () => {
    const secret = { ...ended, bypass: { hash: 'secret', key: 'secret' } };
    const report = createChange(createReport(), { action: 'off', windows: [], affected: [secret] });
    expect(formatChange(report, '').join() + JSON.stringify(toChangeJson(report))).not.toContain('secret');
  });
});

describe('changeJson', () => {
  it('contains the status and whether anything changed', () => {
    const report = createReport();
    expect(toChangeJson(createChange(report, null))).toEqual({ ...report.status, changed: false });
    const repair = { action: 'off' as const, windows: [], affected: [] };
    expect(toChangeJson(createChange(report, repair, true))).toEqual({
      ...report.status,
      changed: true,
      replacedCorrupt: true,
    });
  });
});
