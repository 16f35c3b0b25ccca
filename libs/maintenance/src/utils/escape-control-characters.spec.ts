import { escapeControlCharacters, toVisibleJson } from './escape-control-characters.js';

const COLOUR = '\u001b[31m';

describe('escapeControlCharacters', () => {
  it.each([
    ['C0', `${COLOUR}red\u0007`, '\\u001b[31mred\\u0007'],
    ['line ends', 'a\r\nb\u2028c\td', 'a\\u000d\\nb\\u2028c\\td'],
    ['DEL and C1', '\u007f\u009b31m', '\\u007f\\u009b31m'],
    ['bidirectional controls', 'a\u202eb\u2066c\u061cd', 'a\\u202eb\\u2066c\\u061cd'],
  ])('escapes %s', (_, text, shown) => {
    expect(escapeControlCharacters(text)).toBe(shown);
  });

  it('does not change other text', () => {
    const text = 'Zurück um vier – 👩‍👩‍👧 خدمة "x" \\n';
    expect(escapeControlCharacters(text)).toBe(text);
  });
});

describe('toVisibleJson', () => {
  it('produces JSON of equal value without control characters except line breaks', () => {
    const value = { message: `${COLOUR}\u009b\u202e\n\t"\\`, nested: [1, null] };
    const json = toVisibleJson(value);
    expect(JSON.parse(json)).toEqual(value);
    // eslint-disable-next-line no-control-regex
    expect(json).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(json.split('\n').length).toBeGreaterThan(3);
  });
});
