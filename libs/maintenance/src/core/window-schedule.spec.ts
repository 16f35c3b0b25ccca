import type { StoredWindow } from './maintenance-window.js';
import { WindowSchedule } from './window-schedule.js';

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

describe('WindowSchedule', () => {
  const timetable = new WindowSchedule([
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
  ])('returns the windows active at %s: %j', (time, active) => {
    expect(ids(timetable.getActiveAt(at(time)))).toEqual(active);
  });

  it('follows a clock that is set back', () => {
    expect(ids(timetable.getActiveAt(at('09:30')))).toEqual(['morning', 'overlap']);
    expect(ids(timetable.getActiveAt(at('08:30')))).toEqual(['morning']);
    expect(ids(timetable.getActiveAt(at('07:30')))).toEqual([]);
  });

  it('returns the same array until the next boundary', () => {
    const first = timetable.getActiveAt(at('09:10'));
    expect(timetable.getActiveAt(at('09:50'))).toBe(first);
    expect(timetable.getActiveAt(at('10:10'))).not.toBe(first);
  });

  it('lists planned windows, the earliest first', () => {
    expect(ids(timetable.getPlannedAt(at('08:30')))).toEqual(['overlap', 'leased', 'endless']);
    expect(ids(timetable.getPlannedAt(at('23:00')))).toEqual([]);
  });

  it('returns the next boundary', () => {
    expect(timetable.findNextBoundary(at('08:00'))).toBe(at('09:00'));
    expect(timetable.findNextBoundary(at('10:30'))).toBe(at('11:00'));
    expect(timetable.findNextBoundary(at('23:00'))).toBe(Infinity);
  });
});

it('is empty without windows', () => {
  const timetable = new WindowSchedule([]);
  expect(timetable.isEmpty).toBe(true);
  expect(timetable.getActiveAt(0)).toEqual([]);
  expect(timetable.findNextBoundary(0)).toBe(Infinity);
});

it('supports windows beyond the longest timer delay', () => {
  const far = new WindowSchedule([{ ...window('far', '00:00', null), startsAt: '2126-12-01T00:00:00.000Z' }]);
  expect(ids(far.getPlannedAt(at('00:00')))).toEqual(['far']);
  expect(far.findNextBoundary(at('00:00'))).toBe(Date.parse('2126-12-01T00:00Z'));
});
