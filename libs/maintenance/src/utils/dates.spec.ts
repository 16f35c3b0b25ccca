import { parseDate, toIso } from './dates.js';

it.each([
  ['2026-12-01T02:00Z', '2026-12-01T02:00:00.000Z'],
  ['2026-12-01T02:00:30z', '2026-12-01T02:00:30.000Z'],
  ['2026-12-01T03:00+01:00', '2026-12-01T02:00:00.000Z'],
  ['2026-12-01T03:00:00.5+0100', '2026-12-01T02:00:00.500Z'],
  ['2026-12-01T03:00:00,25+01:00', '2026-12-01T02:00:00.250Z'],
  ['2028-02-29T00:00Z', '2028-02-29T00:00:00.000Z'],
  ['0000-01-01T00:00Z', '0000-01-01T00:00:00.000Z'],
])('parses the date %s', (text, iso) => {
  expect(toIso(parseDate(text) ?? NaN)).toBe(iso);
});

it.each([
  ['a local time', '2026-12-01T02:00'],
  ['a day without a time', '2026-12-01'],
  ['an invalid day', '2026-02-30T00:00Z'],
  ['a leap day in another year', '2027-02-29T00:00Z'],
  ['an invalid month', '2026-13-01T00:00Z'],
  ['an invalid hour', '2026-12-01T25:00Z'],
  ['words', 'tomorrow'],
  ['a number', '1764547200000'],
  ['an empty string', ''],
  ['trailing characters', '2026-12-01T02:00Z!'],
])('rejects %s', (_name, text) => {
  expect(parseDate(text)).toBeUndefined();
});
