import { closeWindows, nextState, openWindow, type Change } from './changes.js';
import { InvalidWindowError } from './invalid-window-error.js';
import { HISTORY_LIMIT, type MaintenanceState } from './maintenance-state.js';
import type { StoredWindow } from './maintenance-window.js';
import { readEnableOptions, type EnableOptions } from './window-options.js';

const NOW = Date.parse('2026-12-01T02:00Z');
const iso = (minutes: number): string => new Date(NOW + minutes * 60_000).toISOString();

function opened(windows: readonly StoredWindow[], options: EnableOptions, by?: string): Change | null {
  return openWindow(windows, readEnableOptions(options, NOW), NOW, 'new', by);
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

describe('opening', () => {
  it.each<[string, readonly StoredWindow[]]>([
    ['a new window', []],
    ['the active window', [active]],
  ])('refuses to start %s more than a minute ago', (_what, windows) => {
    expect(() => opened(windows, { startsAt: iso(-1.1) })).toThrow(InvalidWindowError);
    expect(opened(windows, { startsAt: iso(-1) })).toMatchObject({ concerned: [{ startsAt: iso(-1) }] });
  });

  it('makes a window that starts now and has no end', () => {
    expect(opened([], {}, 'ann')).toEqual({
      action: 'on',
      windows: [
        { id: 'new', scope: '*', mode: 'full', startsAt: iso(0), endsAt: null, createdAt: iso(0), createdBy: 'ann' },
      ],
      concerned: [expect.objectContaining({ id: 'new' })],
    });
  });

  it.each<[string, EnableOptions, Partial<StoredWindow>]>([
    ['the message', { message: 'Back late' }, { message: 'Back late' }],
    ['the end', { endsAt: iso(90) }, { endsAt: iso(90) }],
    ['the end to none', { endsAt: null }, { endsAt: null }],
    ['the start', { startsAt: iso(-1) }, { startsAt: iso(-1) }],
    ['the delay', { retryAfter: 60 }, { retryAfter: 60 }],
    ['who made it', { createdBy: 'bob' }, { createdBy: 'bob' }],
  ])('changes %s of the active window and keeps the rest', (_name, options, changed) => {
    expect(opened([active], options, 'somebody')).toMatchObject({
      action: 'change',
      windows: [{ ...active, ...changed }],
    });
  });

  it.each<[string, EnableOptions]>([
    ['nothing is given', {}],
    [
      'everything is as it is',
      { message: 'Back soon', endsAt: active.endsAt, startsAt: active.startsAt, createdBy: 'ann' },
    ],
    ['a moment is spelled otherwise', { endsAt: new Date(NOW + 50 * 60_000).toISOString().replace('.000Z', '+00:00') }],
  ])('changes nothing where %s', (_name, options) => {
    expect(opened([active], options)).toBeNull();
  });

  it.each<[string, EnableOptions, StoredWindow[]]>([
    ['another scope', { scope: 'payments' }, [active]],
    ['another mode', { mode: 'read-only' }, [active]],
    ['a start in the future', { startsAt: iso(10), endsAt: iso(20) }, [active]],
    ['an active window under a lease', {}, [{ ...active, leaseUntil: iso(1) }]],
    ['an occurrence of a series', {}, [{ ...active, recurrence: { cron: '0 3 * * 0', timeZone: 'UTC', duration: 1 } }]],
    ['a window that is over', {}, [{ ...active, endsAt: iso(-1) }]],
    ['a planned window', {}, [{ ...active, startsAt: iso(1) }]],
  ])('makes a new window beside %s', (_name, options, windows) => {
    const change = opened(windows, options);
    expect(change?.action).toBe('on');
    expect(change?.windows).toEqual([...windows, expect.objectContaining({ id: 'new' })]);
  });

  it('refuses a start after the end that stands', () => {
    expect(() => opened([{ ...active, endsAt: iso(50) }], { startsAt: iso(0), endsAt: iso(0) })).toThrow(
      InvalidWindowError,
    );
  });
});

describe('closing', () => {
  const payments = { ...active, id: 'p', scope: 'payments' };
  const planned = { ...active, id: 'f', startsAt: iso(10) };
  const over = { ...active, id: 'o', endsAt: iso(-1) };
  const all = [active, payments, planned, over];

  it.each([
    ['every active window', {}, ['a', 'p']],
    ['one scope', { scope: 'payments' }, ['p']],
    ['one window', { id: 'a' }, ['a']],
    ['a planned window', { id: 'f' }, ['f']],
    ['planned ones too', { all: true }, ['a', 'p', 'f']],
    ['planned ones of a scope', { all: true, scope: '*' }, ['a', 'f']],
  ])('ends %s', (_name, which, ended) => {
    const change = closeWindows(all, which, NOW);
    expect(change?.concerned.map(({ id }) => id)).toEqual(ended);
    expect(change?.windows.map(({ id }) => id)).toEqual(all.map(({ id }) => id).filter((id) => !ended.includes(id)));
  });

  it.each([[{ id: 'none' }], [{ scope: 'none' }], [{ id: 'o' }], [{ id: 'a', scope: 'payments' }]])(
    'ends nothing by %j',
    (which) => {
      expect(closeWindows(all, which, NOW)).toBeNull();
    },
  );
});

describe('the next state', () => {
  const base = {
    format: 1,
    lineage: 'line',
    revision: 7,
    windows: [active],
    history: [{ revision: 7, at: iso(-1), action: 'on', windows: [], note: 'kept' }],
    future: { kept: true },
  } satisfies MaintenanceState;
  const change = (windows: StoredWindow[]): Change => ({ action: 'on', windows, concerned: windows });

  it('counts on, keeps what it does not know, and remembers', () => {
    const next = nextState(base, change([active]), { by: 'ann', via: 'cli' }, NOW, 'other');
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

  it('starts a lineage where there was none, or only a hand-written one', () => {
    expect(nextState(null, change([]), { via: 'code' }, NOW, 'fresh')).toMatchObject({ lineage: 'fresh', revision: 1 });
    const handwritten = { ...base, lineage: 'handwritten', revision: 0 };
    expect(nextState(handwritten, change([]), { via: 'code' }, NOW, 'fresh')).toMatchObject({
      lineage: 'fresh',
      revision: 1,
    });
  });

  it('drops windows that are over, and old history', () => {
    const long = { ...base, history: Array.from({ length: HISTORY_LIMIT }, () => base.history[0]!) };
    const next = nextState(
      long,
      change([active, { ...active, id: 'over', endsAt: iso(-1) }]),
      { via: 'code' },
      NOW,
      '',
    );
    expect(next.windows.map(({ id }) => id)).toEqual(['a']);
    expect(next.history).toHaveLength(HISTORY_LIMIT);
  });

  it('does not remember that a lease was renewed', () => {
    const renewal: Change = { action: 'renew', windows: [active], concerned: [active] };
    expect(nextState(base, renewal, { via: 'code' }, NOW, '')).toEqual({ ...base, revision: 8 });
  });

  it('keeps secrets out of the history', () => {
    const secret = { ...active, bypass: { hash: 'secret', key: 'secret' } };
    expect(JSON.stringify(nextState(null, change([secret]), { via: 'code' }, NOW, 'x').history)).not.toContain(
      'secret',
    );
  });
});
