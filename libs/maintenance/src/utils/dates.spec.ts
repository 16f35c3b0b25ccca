import { parseDate, toIso } from './dates.js';

it.each([
  ['2026-12-01T02:00Z', '2026-12-01T02:00:00.000Z'],
  ['2026-12-01T02:00:30z', '2026-12-01T02:00:30.000Z'],
  ['2026-12-01T03:00+01:00', '2026-12-01T02:00:00.000Z'],
  ['2026-12-01T03:00:00.5+0100', '2026-12-01T02:00:00.500Z'],
  ['2026-12-01T03:00:00,25+01:00', '2026-12-01T02:00:00.250Z'],
  ['2028-02-29T00:00Z', '2028-02-29T00:00:00.000Z'],
  ['0000-01-01T00:00Z', '0000-01-01T00:00:00.000Z'],
])('reads %s', (text, iso) => {
  expect(toIso(parseDate(text) ?? NaN)).toBe(iso);
});

it.each([
  ['a local time', '2026-12-01T02:00'],
  ['a day without a time', '2026-12-01'],
  ['a day that no month has', '2026-02-30T00:00Z'],
  ['a leap day in another year', '2027-02-29T00:00Z'],
  ['a month that no year has', '2026-13-01T00:00Z'],
  ['an hour that no day has', '2026-12-01T25:00Z'],
  ['words', 'tomorrow'],
  ['a number', '1764547200000'],
  ['nothing', ''],
  ['something after it', '2026-12-01T02:00Z!'],
])('refuses %s', (_name, text) => {
  expect(parseDate(text)).toBeUndefined();
});
