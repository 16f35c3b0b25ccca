import type { StoredWindow } from './maintenance-window.js';
import { Timetable } from './timetable.js';

const at = (time: string): number => Date.parse(`2026-12-01T${time}Z`);

function window(id: string, startsAt: string, endsAt: string | null, more: Partial<StoredWindow> = {}): StoredWindow {
  const iso = (time: string): string => new Date(at(time)).toISOString();
  return {
    id,
    scope: '*',
    mode: 'full',
    startsAt: iso(startsAt),
    endsAt: endsAt && iso(endsAt),
    createdAt: iso('00:00'),
    ...more,
  };
}

const ids = (windows: readonly StoredWindow[]): string[] => windows.map(({ id }) => id);

describe('windows along the clock', () => {
  const timetable = new Timetable([
    window('morning', '08:00', '10:00'),
    window('overlap', '09:00', '11:00'),
    window('endless', '20:00', null),
    window('leased', '12:00', null, { leaseUntil: new Date(at('12:01')).toISOString() }),
    window('nothing', '15:00', '15:00'),
  ]);

  it.each([
    ['07:59:59.999', []],
    ['08:00', ['morning']],
    ['09:00', ['morning', 'overlap']],
    ['09:59:59.999', ['morning', 'overlap']],
    ['10:00', ['overlap']],
    ['11:00', []],
    ['12:00:30', ['leased']],
    ['12:01', []],
    ['15:00', []],
    ['23:59', ['endless']],
  ])('at %s: %j', (time, active) => {
    expect(ids(timetable.activeAt(at(time)))).toEqual(active);
  });

  it('follows a clock that is set back', () => {
    expect(ids(timetable.activeAt(at('09:30')))).toEqual(['morning', 'overlap']);
    expect(ids(timetable.activeAt(at('08:30')))).toEqual(['morning']);
    expect(ids(timetable.activeAt(at('07:30')))).toEqual([]);
  });

  it('gives the same array until the next boundary', () => {
    const first = timetable.activeAt(at('09:10'));
    expect(timetable.activeAt(at('09:50'))).toBe(first);
    expect(timetable.activeAt(at('10:10'))).not.toBe(first);
  });

  it('lists what is to come, the nearest first', () => {
    expect(ids(timetable.plannedAt(at('08:30')))).toEqual(['overlap', 'leased', 'endless']);
    expect(ids(timetable.plannedAt(at('23:00')))).toEqual([]);
  });

  it('knows the next boundary', () => {
    expect(timetable.nextBoundary(at('08:00'))).toBe(at('09:00'));
    expect(timetable.nextBoundary(at('10:30'))).toBe(at('11:00'));
    expect(timetable.nextBoundary(at('23:00'))).toBe(Infinity);
  });
});

it('is empty without windows', () => {
  const timetable = new Timetable([]);
  expect(timetable.isEmpty).toBe(true);
  expect(timetable.activeAt(0)).toEqual([]);
  expect(timetable.nextBoundary(0)).toBe(Infinity);
});

it('knows windows further away than the longest timeout', () => {
  const far = new Timetable([{ ...window('far', '00:00', null), startsAt: '2126-12-01T00:00:00.000Z' }]);
  expect(ids(far.plannedAt(at('00:00')))).toEqual(['far']);
  expect(far.nextBoundary(at('00:00'))).toBe(Date.parse('2126-12-01T00:00Z'));
});
