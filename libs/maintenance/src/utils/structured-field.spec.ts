import { DisplayString, parseItem } from 'structured-headers';
import { formatStructuredDate, formatStructuredText } from './structured-field.js';

/** Parses a text as another implementation of RFC 9651 does. */
function parse(formatted: string | null): unknown {
  const [value] = parseItem(formatted!);
  return value instanceof DisplayString ? { display: value.toString() } : value;
}

describe('formatStructuredText', () => {
  it.each(['*', 'payments', 'a "b" \\ c', ' ~', '', '%41'])('formats %j as a String', (text) => {
    expect(parse(formatStructuredText(text))).toBe(text);
  });

  it.each(['Zürich', '支払い', '🚧 "x" 100%', 'a\r\nSet-Cookie: b', '\u0000\u007f', 'tab\t'])(
    'formats %j as a Display String in ASCII',
    (text) => {
      const formatted = formatStructuredText(text);
      expect(formatted).toMatch(/^%"[\x20-\x7e]*"$/);
      expect(parse(formatted)).toEqual({ display: text });
    },
  );

  it('replaces half of a surrogate pair', () => {
    expect(parse(formatStructuredText('a\ud83d'))).toEqual({ display: 'a\ufffd' });
  });

  it('returns null for a text that is too long for a header', () => {
    expect(parse(formatStructuredText('a'.repeat(1_022)))).toHaveLength(1_022);
    expect(formatStructuredText('a'.repeat(1_023))).toBeNull();
    expect(formatStructuredText('ü'.repeat(200))).toBeNull();
  });
});

it('formatStructuredDate rounds up to whole seconds', () => {
  expect(formatStructuredDate(1_659_578_232_001)).toBe('@1659578233');
  expect(parse(formatStructuredDate(1_659_578_233_000))).toEqual(new Date(1_659_578_233_000));
});
