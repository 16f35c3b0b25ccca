import { endWindows, openWindow } from './window-changes.js';
import type { StoredWindow, WindowRecurrence } from './maintenance-window.js';
import { assertRecurrence, nextOccurrence, findNextBoundary, currentOccurrence } from './recurrence.js';
import { parseState, StateFormatError } from './state-format.js';
import { WindowSchedule } from './window-schedule.js';

const HOUR = 3_600_000;
const at = Date.parse;

function series(recurrence: Partial<WindowRecurrence>, more: Partial<StoredWindow> = {}): StoredWindow {
  return {
    id: 'a1',
    scope: '*',
    mode: 'full',
    startsAt: '2026-01-01T00:00:00.000Z',
    endsAt: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    ...more,
    recurrence: { cron: '0 3 * * 0', timeZone: 'UTC', duration: HOUR, ...recurrence },
  };
}

function span(window: StoredWindow | null): string | null {
  return window && `${window.startsAt} ${window.endsAt}`;
}

describe('recurring window', () => {
  const sundays = series({});

  it.each([
    ['before it', '2026-12-06T02:59:59.999Z', null, '2026-12-06T03:00:00.000Z 2026-12-06T04:00:00.000Z'],
    [
      'at its first moment',
      '2026-12-06T03:00:00.000Z',
      '2026-12-06T03:00:00.000Z 2026-12-06T04:00:00.000Z',
      '2026-12-13T03:00:00.000Z 2026-12-13T04:00:00.000Z',
    ],
    [
      'at its last moment',
      '2026-12-06T03:59:59.999Z',
      '2026-12-06T03:00:00.000Z 2026-12-06T04:00:00.000Z',
      '2026-12-13T03:00:00.000Z 2026-12-13T04:00:00.000Z',
    ],
    ['at its end', '2026-12-06T04:00:00.000Z', null, '2026-12-13T03:00:00.000Z 2026-12-13T04:00:00.000Z'],
  ])('is evaluated %s', (_title, now, present, coming) => {
    expect(span(currentOccurrence(sundays, at(now)))).toBe(present);
    expect(span(nextOccurrence(sundays, at(now)))).toBe(coming);
  });

  it('occurs only between the start and the end of its series', () => {
    const bounded = series({}, { startsAt: '2026-12-06T03:00:00.000Z', endsAt: '2026-12-13T03:30:00.000Z' });
    expect(span(currentOccurrence(bounded, at('2026-11-29T03:30Z')))).toBeNull();
    expect(span(nextOccurrence(bounded, at('2026-11-29T03:30Z')))).toBe(
      '2026-12-06T03:00:00.000Z 2026-12-06T04:00:00.000Z',
    );
    expect(span(currentOccurrence(bounded, at('2026-12-06T03:30Z')))).toBe(
      '2026-12-06T03:00:00.000Z 2026-12-06T04:00:00.000Z',
    );
    expect(span(currentOccurrence(bounded, at('2026-12-13T03:15Z')))).toBe(
      '2026-12-13T03:00:00.000Z 2026-12-13T03:30:00.000Z',
    );
    expect(span(currentOccurrence(bounded, at('2026-12-13T03:30Z')))).toBeNull();
    expect(span(nextOccurrence(bounded, at('2026-12-13T03:30Z')))).toBeNull();
    expect(findNextBoundary(bounded, at('2026-12-13T03:30Z'))).toBe(Infinity);
  });

  it('ignores an occurrence that began before its series', () => {
    const late = series({}, { startsAt: '2026-12-06T03:10:00.000Z' });
    expect(currentOccurrence(late, at('2026-12-06T03:30Z'))).toBeNull();
  });

  it('is listed in a timetable with other windows', () => {
    const single = {
      ...series({}),
      id: 'b2',
      startsAt: '2026-12-06T03:30:00.000Z',
      endsAt: '2026-12-06T05:00:00.000Z',
    };
    delete (single as { recurrence?: unknown }).recurrence;
    const timetable = new WindowSchedule([sundays, single]);
    const idsAt = (now: string): string[] => timetable.getActiveAt(at(now)).map(({ id }) => id);
    expect(['02:59', '03:00', '03:30', '04:00', '05:00'].map((time) => idsAt(`2026-12-06T${time}Z`))).toEqual([
      [],
      ['a1'],
      ['a1', 'b2'],
      ['b2'],
      [],
    ]);
    expect(timetable.getPlannedAt(at('2026-12-06T03:15Z')).map(span)).toEqual([
      '2026-12-06T03:30:00.000Z 2026-12-06T05:00:00.000Z',
      '2026-12-13T03:00:00.000Z 2026-12-13T04:00:00.000Z',
    ]);
    expect(timetable.findNextBoundary(at('2026-12-06T05:00Z'))).toBe(at('2026-12-13T03:00Z'));
  });

  it('may start beyond the longest timer delay', () => {
    const yearly = series({ cron: '0 0 1 1 *' });
    const now = at('2026-01-02T00:00Z');
    expect(findNextBoundary(yearly, now) - now).toBeGreaterThan(2 ** 31);
    expect(span(nextOccurrence(yearly, now))).toBe('2027-01-01T00:00:00.000Z 2027-01-01T01:00:00.000Z');
  });
});

describe('closeWindows with a recurring window', () => {
  const now = at('2026-12-06T03:30Z');
  const sundays = series({});

  it('ends the current occurrence but not the next one', () => {
    const change = endWindows([sundays], {}, now)!;
    expect(change.affected.map(span)).toEqual(['2026-12-06T03:00:00.000Z 2026-12-06T04:00:00.000Z']);
    const [rest] = change.windows;
    expect(currentOccurrence(rest!, now)).toBeNull();
    expect(endWindows([rest!], {}, now)).toBeNull();
    expect(span(currentOccurrence(rest!, now + 7 * 24 * HOUR))).toBe(
      '2026-12-13T03:00:00.000Z 2026-12-13T04:00:00.000Z',
    );
  });

  it.each([
    ['by its id', { id: 'a1' }, now],
    ['with all', { all: true }, now],
    ['by its id between two occurrences', { id: 'a1' }, now + HOUR],
    ['with all between two occurrences', { all: true }, now + HOUR],
  ])('ends the series %s', (_title, which, moment) => {
    const change = endWindows([sundays], which, moment);
    const next = expect.objectContaining({ id: 'a1', startsAt: '2026-12-13T03:00:00.000Z' });
    expect(change).toMatchObject({ windows: [], cancelled: [next] });
    expect(change?.affected).toHaveLength(currentOccurrence(sundays, moment) ? 1 : 0);
  });

  it.each([
    ['between two occurrences', {}, now + HOUR],
    ['for another scope', { scope: 'payments' }, now],
    ['for another id', { id: 'b2' }, now],
  ])('changes nothing %s', (_title, which, moment) => {
    expect(endWindows([sundays], which, moment)).toBeNull();
  });
});

// DST changes in each time zone and their effect on a window at that time.
describe.each([
  [
    'Europe/Rome',
    '30 2 * * *',
    [
      ['the day before', '2027-03-27T00:00Z', '2027-03-27T01:30:00.000Z'],
      ['at the end of an hour skipped by DST', '2027-03-28T00:00Z', '2027-03-28T01:00:00.000Z'],
      ['the day after', '2027-03-28T12:00Z', '2027-03-29T00:30:00.000Z'],
      ['the first of a repeated hour', '2026-10-25T00:00Z', '2026-10-25T00:30:00.000Z'],
      ['not the second of a repeated hour', '2026-10-25T01:00Z', '2026-10-26T01:30:00.000Z'],
    ],
  ],
  [
    'America/New_York',
    '30 2 * * *',
    [
      ['an hour skipped by DST', '2027-03-14T05:00Z', '2027-03-14T07:00:00.000Z'],
      ['the day after', '2027-03-14T12:00Z', '2027-03-15T06:30:00.000Z'],
      ['after a repeated hour', '2026-11-01T06:45Z', '2026-11-01T07:30:00.000Z'],
    ],
  ],
  [
    // DST shifts by only half an hour here.
    'Australia/Lord_Howe',
    '45 1 * * *',
    [
      ['the first of a repeated time', '2027-04-03T13:00Z', '2027-04-03T14:45:00.000Z'],
      ['the day after', '2027-04-04T00:00Z', '2027-04-04T15:15:00.000Z'],
    ],
  ],
])('recurring window in %s', (timeZone, cron, rows) => {
  it.each(rows)('finds the next occurrence: %s', (_title, now, start) => {
    expect(nextOccurrence(series({ cron, timeZone, duration: 600_000 }), at(now))?.startsAt).toBe(start);
  });
});

describe('assertRecurrence', () => {
  it.each([
    ['has an invalid expression', { cron: 'sundays' }, /"sundays" is not a cron expression of five fields/],
    ['has seconds', { cron: '0 0 3 * * 0' }, /is not a cron expression of five fields/],
    ['is out of range', { cron: '61 * * * *' }, /is not a cron expression of five fields/],
    ['never occurs', { cron: '0 3 31 2 *' }, /"0 3 31 2 \*" never occurs/],
    ['has an unknown time zone', { timeZone: 'Europe/Nowhere' }, /Unknown time zone "Europe\/Nowhere"/],
    ['is a date', { cron: '2026-12-24T03:00:00' }, /is not a cron expression of five fields/],
    ['is a name', { cron: '@daily' }, /is not a cron expression of five fields/],
    [
      'overlaps itself once a year',
      { cron: '0 3 * * *', timeZone: 'Europe/Rome', duration: 24 * HOUR },
      /would overlap/,
    ],
    ['overlaps itself', { cron: '*/10 * * * *' }, /repeats after 10 minutes, but each lasts 60/],
  ])('rejects a recurrence that %s', (_title, recurrence, sentence) => {
    expect(() => assertRecurrence(series(recurrence).recurrence!, at('2026-12-01T00:00Z'))).toThrow(sentence);
  });
});

it('rejects a series that ends before its first occurrence, and removes a stored one', () => {
  const { recurrence } = series({});
  const now = at('2026-12-06T05:00Z');
  expect(() => assertRecurrence(recurrence!, now, at('2026-12-13T02:00Z'))).toThrow(
    /does not occur before the end of its series/,
  );
  const spent = series({}, { endsAt: '2026-12-06T03:00:00.000Z' });
  expect(endWindows([spent], { id: 'a1' }, now)).toMatchObject({ windows: [] });
});

it('rejects a stored recurrence with an invalid duration, expression or bypass', () => {
  const state = (window: object): string =>
    JSON.stringify({ format: 1, lineage: 'spec', revision: 1, windows: [window], history: [] });
  expect(() => parseState(state(series({ duration: Number.MAX_SAFE_INTEGER })))).toThrow(StateFormatError);
  expect(() => parseState(state(series({ cron: '2026-12-24T03:00:00' })))).toThrow(StateFormatError);
  expect(() => parseState(state({ ...series({}), bypass: { hash: '', key: '' } }))).toThrow(StateFormatError);
});

it('changes the recurring window instead of adding one while its occurrence is active', () => {
  const now = at('2026-12-06T03:30Z');
  const sundays = series({});
  const fields = { scope: '*', mode: 'full' as const };
  const changed = openWindow([sundays], { ...fields, message: 'Tidying' }, now, 'new')!;
  expect(changed).toMatchObject({ action: 'change', windows: [{ id: 'a1', message: 'Tidying', endsAt: null }] });
  expect(openWindow([sundays], { ...fields, endsAt: now + HOUR }, now, 'new')!.windows).toHaveLength(2);
  expect(openWindow([sundays], fields, now, 'new')).toBeNull();
});

describe('recurrence that never occurs', () => {
  const never = Array.from({ length: 3_000 }, (_, index) =>
    series({ cron: `${index % 60} ${Math.floor(index / 60) % 24} 31 2 *`, timeZone: 'Europe/Rome' }),
  );

  it('has no occurrences and takes no noticeable time in any number', () => {
    const started = process.cpuUsage();
    const state = { format: 1, lineage: 'spec', revision: 1, windows: never, history: [] };
    const timetable = new WindowSchedule(parseState(JSON.stringify(state)).windows);
    for (let minute = 0; minute < 20; minute++) {
      const now = at('2026-12-01T02:00Z') + minute * 60_000;
      expect(timetable.getActiveAt(now)).toEqual([]);
      expect(timetable.getPlannedAt(now)).toEqual([]);
      expect(timetable.findNextBoundary(now)).toBe(Infinity);
    }
    const { user, system } = process.cpuUsage(started);
    // Took minutes when each lookup searched 400 years. Other work on the machine does not count.
    expect((user + system) / 1_000_000).toBeLessThan(20);
  }, 600_000);

  it.each([
    ['a day every 28 years or more', '0 0 29 2 +1', '2044-02-29T00:00:00.000Z'],
    ['a day every four years', '0 0 29 2 *', '2028-02-29T00:00:00.000Z'],
  ])('is distinguished from a rare one: %s', (_title, cron, start) => {
    expect(nextOccurrence(series({ cron }), at('2026-12-01T02:00Z'))?.startsAt).toBe(start);
  });

  it('is evaluated again for an earlier moment', () => {
    const window = series({ cron: '0 3 * * *' });
    expect(nextOccurrence(window, at('2026-12-05T04:00Z'))?.startsAt).toBe('2026-12-06T03:00:00.000Z');
    expect(nextOccurrence(window, at('2026-12-01T02:00Z'))?.startsAt).toBe('2026-12-01T03:00:00.000Z');
    expect(nextOccurrence(window, at('2026-12-06T03:00Z'))?.startsAt).toBe('2026-12-07T03:00:00.000Z');
  });
});
