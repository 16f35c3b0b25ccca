import { describeForeignContent, isBlank } from './foreign-content.js';
import { serializeState } from './state-format.js';

const STATE = serializeState({ format: 1, lineage: 'spec', revision: 7, windows: [], history: [] });

it.each([
  ['a manifest', '{ "name": "shop", "scripts": { "format": "prettier" } }', 'it is JSON with other members'],
  ['an empty object', '{}', 'it is JSON with other members'],
  ['an array', '[{ "format": 1 }]', 'it is JSON, but not an object'],
  ['another number', '2', 'it is JSON, but not an object'],
  ['a program', "import { Module } from '@nestjs/common';", 'it is text, not JSON, nor just 1 or 0'],
  ['a word', 'on', 'it is text, not JSON, nor just 1 or 0'],
  ['the beginning of another object', '{ "name": "shop",', 'it is text, not JSON, nor just 1 or 0'],
  ['bytes', '\u007fELF\0\0', 'it is binary data'],
  ['bytes that are no UTF-8', '\ufffd\ufffd', 'it is binary data'],
])('describes %s as content that never was a state', (_name, text, description) => {
  expect(describeForeignContent(text)).toBe(description);
});

it.each([
  ['a state', STATE],
  ['a state in one line', JSON.stringify(JSON.parse(STATE))],
  ['a state of a later format', '{"format":2}'],
  ['a state with other members in front', '{ "notes": "", "format": 1, "lineage": "x" }'],
  ['a state behind zeros', `\0\0\0${STATE}`],
  ['a state whose end is zeros', `${STATE.slice(0, 40)}\0\0\0`],
  ['a state with a byte order mark', `\ufeff${STATE}`],
  ['a state that is there twice', STATE + STATE],
  ['nothing', ''],
  ['white space', ' \n'],
  ['zeros', '\0'.repeat(4096)],
])('takes %s for what is or was a state', (_name, text) => {
  expect(describeForeignContent(text)).toBeNull();
});

it('takes a state that was cut off anywhere for what was a state', () => {
  for (let length = 0; length < STATE.length; length++)
    expect(describeForeignContent(STATE.slice(0, length))).toBeNull();
});

it('looks at a megabyte of white space once', () => {
  const text = ' '.repeat(1024 * 1024);
  expect(isBlank(text)).toBe(true);
  expect(describeForeignContent(`${text}x`)).toBe('it is text, not JSON, nor just 1 or 0');
});
