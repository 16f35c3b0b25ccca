import { parseDuration, formatDuration } from './duration.js';

describe('parseDuration', () => {
  it.each([
    ['30m', 1_800],
    ['2h', 7_200],
    ['1h30m', 5_400],
    ['90s', 90],
    ['1d', 86_400],
    ['1d2h3m4s', 93_784],
    ['1H 30M', 5_400],
    ['3650d', 315_360_000],
  ])('parses %s', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds * 1_000);
  });

  it.each([
    '',
    ' ',
    '30',
    '0m',
    '0h0m',
    '-5m',
    '1.5h',
    '5 minutes',
    '30m2h',
    '5m5m',
    '1w',
    '1y',
    'm',
    '1e3s',
    '3651d',
    '∞',
  ])('rejects %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

describe('showDuration', () => {
  it.each([
    [0, '0 s'],
    [1_400, '1 s'],
    [59_600, '1 min'],
    [245_000, '4 min 5 s'],
    [1_799_000, '30 min'],
    [3_599_000, '1 h'],
    [5_400_000, '1 h 30 min'],
    [86_399_000, '1 day'],
    [90_000_000, '1 day 1 h'],
    [200_000_000, '2 days 8 h'],
  ])('formats %d ms as %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});
