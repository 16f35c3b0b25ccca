import { endWindows, createNextState, openWindow, type Change } from './window-changes.js';
import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { MAX_HISTORY_ENTRIES, type MaintenanceState } from './maintenance-state.js';
import type { StoredWindow } from './maintenance-window.js';
import { parseEnableOptions, type EnableOptions } from './window-options.js';

const NOW = Date.parse('2026-12-01T02:00Z');
const iso = (minutes: number): string => new Date(NOW + minutes * 60_000).toISOString();

function opened(windows: readonly StoredWindow[], options: EnableOptions, by?: string): Change | null {
  return openWindow(windows, parseEnableOptions(options, NOW), NOW, 'new', by);
}

const active: StoredWindow = {
  id: 'a',
  scope: '*',
  mode: 'full',
  startsAt: iso(-10),
  endsAt: iso(50),
  message: 'Back soon',
  createdAt: iso(-10),
  createdBy: 'ann',
  extra: { kept: true },
};

describe('openWindow', () => {
  it.each<[string, readonly StoredWindow[]]>([
    ['a new window', []],
    ['the active window', [active]],
  ])('rejects a start more than a minute ago for %s', (_what, windows) => {
    expect(() => opened(windows, { startsAt: iso(-1.1) })).toThrow(InvalidWindowError);
    expect(opened(windows, { startsAt: iso(-1) })).toMatchObject({ affected: [{ startsAt: iso(-1) }] });
  });

  it('creates a window that starts now without an end', () => {
    expect(opened([], {}, 'ann')).toEqual({
      action: 'on',
      windows: [
        { id: 'new', scope: '*', mode: 'full', startsAt: iso(0), endsAt: null, createdAt: iso(0), createdBy: 'ann' },
      ],
      affected: [expect.objectContaining({ id: 'new' })],
    });
  });

  it.each<[string, EnableOptions, Partial<StoredWindow>]>([
    ['the message', { message: 'Back late' }, { message: 'Back late' }],
    ['the end', { endsAt: iso(90) }, { endsAt: iso(90) }],
    ['the end to none', { endsAt: null }, { endsAt: null }],
    ['the start', { startsAt: iso(-1) }, { startsAt: iso(-1) }],
    ['the delay', { retryAfter: 60 }, { retryAfter: 60 }],
    ['the addresses', { allowIps: ['10.0.0.0/8'] }, { allowIps: ['10.0.0.0/8'] }],
    ['the operator', { createdBy: 'bob' }, { createdBy: 'bob' }],
  ])('changes only %s of the active window', (_name, options, changed) => {
    expect(opened([active], options, 'another operator')).toMatchObject({
      action: 'change',
      windows: [{ ...active, ...changed }],
    });
  });

  it('adds one address to those that the window admits, and records them in the history', () => {
    const fields = { ...parseEnableOptions({}, NOW), allowIp: '10.0.0.1' };
    const first = openWindow([active], fields, NOW, 'new');
    expect(first?.windows).toEqual([{ ...active, allowIps: ['10.0.0.1'] }]);
    const [changed] = first!.windows;
    expect(openWindow([changed!], fields, NOW, 'new')).toBeNull();
    expect(createNextState(null, first!, { via: 'http' }, NOW, 'line').history).toMatchObject([
      { action: 'change', windows: [{ id: 'a', allowIps: ['10.0.0.1'] }] },
    ]);
    const full = { ...active, allowIps: Array.from({ length: 100 }, (_, index) => `10.1.0.${index}`) };
    expect(() => openWindow([full], fields, NOW, 'new')).toThrow(InvalidWindowError);
  });

  it.each([null, []])('clears the addresses with %j', (allowIps) => {
    const change = opened([{ ...active, allowIps: ['10.0.0.1'] }], { allowIps });
    expect(change?.windows).toEqual([active]);
    expect(change?.windows[0]).not.toHaveProperty('allowIps');
    expect(opened([active], { allowIps })).toBeNull();
  });

  it.each<[string, EnableOptions]>([
    ['no option is given', {}],
    [
      'everything is as it is',
      { message: 'Back soon', endsAt: active.endsAt, startsAt: active.startsAt, createdBy: 'ann' },
    ],
    [
      'an equal time is written differently',
      { endsAt: new Date(NOW + 50 * 60_000).toISOString().replace('.000Z', '+00:00') },
    ],
  ])('changes nothing if %s', (_name, options) => {
    expect(opened([active], options)).toBeNull();
  });

  it.each<[string, EnableOptions, StoredWindow[]]>([
    ['another scope', { scope: 'payments' }, [active]],
    ['another mode', { mode: 'read-only' }, [active]],
    ['a start in the future', { startsAt: iso(10), endsAt: iso(20) }, [active]],
    ['an active window with a lease', {}, [{ ...active, leaseUntil: iso(1) }]],
    ['an occurrence of a series', {}, [{ ...active, recurrence: { cron: '0 3 * * 0', timeZone: 'UTC', duration: 1 } }]],
    ['a window that is over', {}, [{ ...active, endsAt: iso(-1) }]],
    ['a planned window', {}, [{ ...active, startsAt: iso(1) }]],
  ])('creates a separate window for %s', (_name, options, windows) => {
    const change = opened(windows, options);
    expect(change?.action).toBe(options.startsAt === undefined ? 'on' : 'plan');
    expect(change?.windows).toEqual([...windows, expect.objectContaining({ id: 'new' })]);
  });

  it('distinguishes a recurring window that is active now from a planned one', () => {
    const every = (cron: string): EnableOptions => ({ recurrence: { cron, timeZone: 'UTC', duration: 3_600_000 } });
    expect(opened([], every('0 2 * * *'))?.action).toBe('on');
    expect(opened([], every('0 3 * * *'))?.action).toBe('plan');
  });

  it('rejects a start after the existing end', () => {
    expect(() => opened([{ ...active, endsAt: iso(50) }], { startsAt: iso(0), endsAt: iso(0) })).toThrow(
      InvalidWindowError,
    );
  });
});

describe('closeWindows', () => {
  const payments = { ...active, id: 'p', scope: 'payments' };
  const planned = { ...active, id: 'f', startsAt: iso(10) };
  const over = { ...active, id: 'o', endsAt: iso(-1) };
  const all = [active, payments, planned, over];

  it.each([
    ['every active window', {}, ['a', 'p'], undefined],
    ['one scope', { scope: 'payments' }, ['p'], undefined],
    ['one window', { id: 'a' }, ['a'], undefined],
    ['no window, and cancels a planned one', { id: 'f' }, [], ['f']],
    ['active windows, and cancels planned ones', { all: true }, ['a', 'p'], ['f']],
    ['an active window of a scope, and cancels a planned one', { all: true, scope: '*' }, ['a'], ['f']],
  ])('ends %s', (_name, which, ended, cancelled) => {
    const change = endWindows(all, which, NOW);
    expect(change?.affected.map(({ id }) => id)).toEqual(ended);
    expect(change?.cancelled?.map(({ id }) => id)).toEqual(cancelled);
    const removed = [...ended, ...(cancelled ?? [])];
    expect(change?.windows.map(({ id }) => id)).toEqual(all.map(({ id }) => id).filter((id) => !removed.includes(id)));
  });

  describe('with a recurring window', () => {
    const series = (cron: string): StoredWindow => ({
      ...active,
      startsAt: iso(-100_000),
      endsAt: null,
      recurrence: { cron, timeZone: 'UTC', duration: 3_600_000 },
    });

    it('cancels a series that has not started, with the times of its next occurrence', () => {
      expect(endWindows([series('0 3 * * *')], { all: true }, NOW)).toMatchObject({
        windows: [],
        affected: [],
        cancelled: [{ startsAt: iso(60), endsAt: iso(120) }],
      });
    });

    it('ends the current occurrence and cancels later ones', () => {
      expect(endWindows([series('0 2 * * *')], { all: true }, NOW)).toMatchObject({
        windows: [],
        affected: [{ startsAt: iso(0), endsAt: iso(60) }],
        cancelled: [{ startsAt: iso(24 * 60), endsAt: iso(25 * 60) }],
      });
    });
  });

  it.each([[{ id: 'none' }], [{ scope: 'none' }], [{ id: 'o' }], [{ id: 'a', scope: 'payments' }]])(
    'ends nothing for %j',
    (which) => {
      expect(endWindows(all, which, NOW)).toBeNull();
    },
  );
});

describe('next state', () => {
  const base = {
    format: 1,
    lineage: 'line',
    revision: 7,
    windows: [active],
    history: [{ revision: 7, at: iso(-1), action: 'on', windows: [], note: 'kept' }],
    future: { kept: true },
  } satisfies MaintenanceState;
  const change = (windows: StoredWindow[]): Change => ({ action: 'on', windows, affected: windows });

  it('increments the revision, keeps unknown members and records the change', () => {
    const next = createNextState(base, change([active]), { by: 'ann', via: 'cli' }, NOW, 'other');
    expect(next).toMatchObject({
      lineage: 'line',
      revision: 8,
      future: { kept: true },
      windows: [{ extra: { kept: true } }],
    });
    expect(next.history).toMatchObject([
      { revision: 8, at: iso(0), by: 'ann', via: 'cli', windows: [{ id: 'a' }] },
      { note: 'kept' },
    ]);
  });

  it('records ended and cancelled windows separately', () => {
    const planned = { ...active, id: 'f', startsAt: iso(10) };
    const closed = endWindows([active, planned], { all: true }, NOW)!;
    expect(createNextState(base, closed, { via: 'cli' }, NOW, '').history).toMatchObject([
      { revision: 8, action: 'off', windows: [{ id: 'a', startsAt: iso(-10) }] },
      { revision: 8, action: 'cancel', windows: [{ id: 'f', startsAt: iso(10) }] },
      { revision: 7 },
    ]);
    const cancelled = endWindows([planned], { all: true }, NOW)!;
    expect(createNextState(base, cancelled, { via: 'cli' }, NOW, '').history).toMatchObject([
      { revision: 8, action: 'cancel', windows: [{ id: 'f' }] },
      { revision: 7 },
    ]);
  });

  it('records the times of one occurrence of a recurring window', () => {
    const recurrence = { cron: '0 3 * * *', timeZone: 'UTC', duration: 3_600_000, ended: iso(-1) };
    const { history } = createNextState(
      base,
      change([{ ...active, endsAt: null, recurrence }]),
      { via: 'cli' },
      NOW,
      '',
    );
    const { ended: _, ...shown } = recurrence;
    expect(history[0]!.windows).toEqual([
      expect.objectContaining({ startsAt: iso(60), endsAt: iso(120), recurrence: shown }),
    ]);
  });

  it('starts a lineage if there was none or only a manual state', () => {
    expect(createNextState(null, change([]), { via: 'code' }, NOW, 'fresh')).toMatchObject({
      lineage: 'fresh',
      revision: 1,
    });
    const handwritten = { ...base, lineage: 'handwritten', revision: 0 };
    expect(createNextState(handwritten, change([]), { via: 'code' }, NOW, 'fresh')).toMatchObject({
      lineage: 'fresh',
      revision: 1,
    });
  });

  it('drops expired windows and old history', () => {
    const long = { ...base, history: Array.from({ length: MAX_HISTORY_ENTRIES }, () => base.history[0]!) };
    const next = createNextState(
      long,
      change([active, { ...active, id: 'over', endsAt: iso(-1) }]),
      { via: 'code' },
      NOW,
      '',
    );
    expect(next.windows.map(({ id }) => id)).toEqual(['a']);
    expect(next.history).toHaveLength(MAX_HISTORY_ENTRIES);
  });

  it('does not record lease renewals', () => {
    const renewal: Change = { action: 'renew', windows: [active], affected: [active] };
    expect(createNextState(base, renewal, { via: 'code' }, NOW, '')).toEqual({ ...base, revision: 8 });
  });

  it('keeps secrets out of the history', () => {
    const secret = { ...active, bypass: { hash: 'secret', key: 'secret' } };
    expect(JSON.stringify(createNextState(null, change([secret]), { via: 'code' }, NOW, 'x').history)).not.toContain(
      'secret',
    );
  });
});
