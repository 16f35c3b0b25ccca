import { isLocalTime, resolveTime } from './local-time.js';

it.each([
  ['2026-12-01T02:00', true],
  ['2026-12-01T02:00:30', true],
  ['2026-12-01T02:00Z', false],
  ['2026-12-01T02:00+01:00', false],
  ['2026-02-30T02:00', false],
  ['2026-12-01T24:00', false],
  ['2026-12-01', false],
  ['02:00', false],
])('isLocalTime returns for %s: %s', (text, is) => expect(isLocalTime(text)).toBe(is));

it.each([
  ['2026-12-01T02:00', 'Europe/Rome', '2026-12-01T01:00:00.000Z'],
  ['2026-07-01T02:00:30', 'Europe/Rome', '2026-07-01T00:00:30.000Z'],
  ['2026-12-01T02:00', 'America/New_York', '2026-12-01T07:00:00.000Z'],
  ['2026-12-01T02:00', 'Asia/Kathmandu', '2026-11-30T20:15:00.000Z'],
  ['2026-12-01T02:00', 'UTC', '2026-12-01T02:00:00.000Z'],
  // A repeated hour: the first one counts.
  ['2026-10-25T02:30', 'Europe/Rome', '2026-10-25T00:30:00.000Z'],
  ['2026-11-01T01:30', 'America/New_York', '2026-11-01T05:30:00.000Z'],
  ['2027-04-04T01:45', 'Australia/Lord_Howe', '2027-04-03T14:45:00.000Z'],
])('converts %s in %s to %s', (local, timeZone, iso) => {
  expect(new Date(resolveTime({ local }, '--at', timeZone)).toISOString()).toBe(iso);
});

it.each([
  ['2027-03-28T02:30', 'Europe/Rome', '2027-03-28T03:30'],
  ['2027-03-14T02:00', 'America/New_York', '2027-03-14T03:00'],
  ['2026-10-04T02:15', 'Australia/Lord_Howe', '2026-10-04T02:45'],
])('rejects %s, which does not exist in %s', (local, timeZone, instead) => {
  expect(() => resolveTime({ local }, '--at', timeZone)).toThrow(
    `--at ${local} does not exist in ${timeZone} (skipped by daylight saving time). Clocks show ${instead} instead.`,
  );
});

it('requires a time zone', () => {
  expect(() => resolveTime({ local: '2026-12-01T02:00' }, '--until', undefined)).toThrow(
    '--until 2026-12-01T02:00 is a local time: add its time zone, such as --tz Europe/Rome, or use 2026-12-01T02:00Z for UTC.',
  );
});
