import fc from 'fast-check';
import type { StoredWindow } from '../core/maintenance-window.js';
import { isBypassed, createBypass, createBypassCookie, findWindowByToken } from './bypass.js';

const NOW = Date.parse('2026-12-01T02:00Z');
const HOUR = 3_600_000;
const NAME = '__Host-maintenance-bypass';
const { token, stored } = createBypass();

function createWindow(more: Partial<StoredWindow> = {}): StoredWindow {
  return {
    id: 'a1b2',
    scope: '*',
    mode: 'full',
    startsAt: '2026-12-01T00:00:00.000Z',
    endsAt: null,
    createdAt: '2026-12-01T00:00:00.000Z',
    bypass: stored,
    ...more,
  };
}

const window = createWindow();
const { value } = createBypassCookie(window, NOW);

interface Circumstances {
  active?: StoredWindow[];
  covering?: StoredWindow[];
  now?: number;
  header?: string;
}

function isIn(
  cookie: string | undefined,
  { active = [window], covering, now = NOW + 1000, header }: Circumstances = {},
): boolean {
  const headers = {
    ...(cookie !== undefined && { cookie }),
    ...(header !== undefined && { 'x-maintenance-bypass': header }),
  };
  return isBypassed({ headers }, active, covering ?? active, NAME, { now: () => now });
}

describe('bypass token', () => {
  it('has 256 random bits and is not stored', () => {
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(createBypass().token).not.toBe(token);
    expect(JSON.stringify(stored)).not.toContain(token);
  });

  it('bypasses its window and no other token does', () => {
    expect(findWindowByToken(token, [window])).toBe(window);
    for (const wrong of [
      '',
      ' ',
      token.slice(1),
      `${token}A`,
      token.toLowerCase(),
      stored.hash,
      stored.key,
      createBypass().token,
    ]) {
      expect(findWindowByToken(wrong, [window])).toBeNull();
    }
    expect(
      findWindowByToken(token, [createWindow({ bypass: undefined }), createWindow({ bypass: createBypass().stored })]),
    ).toBeNull();
  });

  it('is accepted in the header', () => {
    expect(isIn(undefined, { header: token })).toBe(true);
    for (const header of ['', 'x', stored.hash, `${token}, ${token}`, ` ${token}`])
      expect(isIn(undefined, { header })).toBe(false);
  });
});

describe('bypass cookie', () => {
  const cookie = `${NAME}=${value}`;

  it('bypasses its window', () => {
    expect(isIn(cookie)).toBe(true);
    expect(isIn(`a=b; ${cookie}; c=d`)).toBe(true);
  });

  it('is invalid if any byte is changed, missing or duplicated', () => {
    for (let at = 0; at < value.length; at++) {
      for (const other of new Set(['A', 'B', '0', '.', '-', String.fromCharCode(value.charCodeAt(at) ^ 1)])) {
        if (other === value[at]) continue;
        const altered = value.slice(0, at) + other + value.slice(at + 1);
        expect([altered, isIn(`${NAME}=${altered}`)]).toEqual([altered, false]);
      }
      expect(isIn(`${NAME}=${value.slice(0, at)}${value.slice(at + 1)}`)).toBe(false);
      expect(isIn(`${NAME}=${value.slice(0, at)}`)).toBe(false);
      expect(isIn(`${NAME}=${value.slice(0, at)}${value[at]}${value.slice(at)}`)).toBe(false);
    }
  });

  it('is invalid if forged', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^v1(\.[\w-]{0,12}){0,6}$/)), (text) => {
        expect(isIn(`${NAME}=${text}`)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['twelve hours if the window has no end', null, 12 * HOUR],
    ['the time until the end of the window', '2026-12-01T03:00:00.000Z', HOUR],
    ['twelve hours of a longer window', '2026-12-02T02:00:00.000Z', 12 * HOUR],
  ])('is valid for %s', (_title, endsAt, holds) => {
    const own = createWindow({ endsAt });
    const pass = createBypassCookie(own, NOW);
    expect(pass.maxAgeMs).toBe(holds);
    const at = (now: number): boolean => isIn(`${NAME}=${pass.value}`, { active: [own], now });
    expect([at(NOW), at(NOW + holds - 1), at(NOW + holds)]).toEqual([true, true, false]);
  });

  it('is invalid if issued in the future', () => expect(isIn(cookie, { now: NOW - 2 * 60_000 })).toBe(false));

  it.each([
    ['another window', createWindow({ id: 'c3d4' })],
    ['the next window with the same id and a new token', createWindow({ bypass: createBypass().stored })],
    ['a window whose token was revoked', createWindow({ bypass: undefined })],
  ])('does not bypass %s', (_title, other) => expect(isIn(cookie, { active: [other] })).toBe(false));

  it('is ignored under another name', () => expect(isIn(`maintenance-bypass=${value}`)).toBe(false));
});

describe('bypass with several windows', () => {
  const all = window;
  const payments = createWindow({ id: 'p1', scope: 'payments', bypass: createBypass().stored });
  const keyless = createWindow({ id: 'p2', scope: 'payments', bypass: undefined });
  const READ_ONLY = createWindow({ id: 'r1', mode: 'read-only', bypass: createBypass().stored });
  const formatCookie = (own: StoredWindow): string => `${NAME}=${createBypassCookie(own, NOW).value}`;

  it.each([
    ['admits a bypass for all scopes in one scope', all, [all, payments], [all, payments], true],
    ['admits a bypass for all scopes in a scope whose window has no bypass', all, [all, keyless], [all, keyless], true],
    ['admits a bypass for one scope in that scope', payments, [payments, keyless], [payments, keyless], true],
    ['refuses a bypass for one scope under a window for all scopes', payments, [all, payments], [all, payments], false],
    [
      'the key of a part opens no other part',
      payments,
      [createWindow({ id: 'o', scope: 'orders' }), payments],
      [createWindow({ id: 'o', scope: 'orders' })],
      false,
    ],
    ['refuses any bypass while maintenance is forced without a window', all, [all], [], false],
    [
      'refuses a bypass of a read-only window under a full window',
      READ_ONLY,
      [all, READ_ONLY],
      [all, READ_ONLY],
      false,
    ],
    ['admits a bypass of a full window under a read-only window', all, [all, READ_ONLY], [all, READ_ONLY], true],
  ])('%s', (_title, key, active, covering, expected) => {
    expect(isIn(formatCookie(key), { active, covering })).toBe(expected);
  });
});
