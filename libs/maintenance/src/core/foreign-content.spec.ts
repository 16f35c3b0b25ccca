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
  ['a truncated object of another kind', '{ "name": "shop",', 'it is text, not JSON, nor just 1 or 0'],
  ['bytes', '\u007fELF\0\0', 'it is binary data'],
  ['bytes that are not UTF-8', '\ufffd\ufffd', 'it is binary data'],
])('describes %s as foreign content', (_name, text, description) => {
  expect(describeForeignContent(text)).toBe(description);
});

it.each([
  ['a state', STATE],
  ['a state in one line', JSON.stringify(JSON.parse(STATE))],
  ['a state of a later format', '{"format":2}'],
  ['a state with other members in front', '{ "notes": "", "format": 1, "lineage": "x" }'],
  ['a state after zero bytes', `\0\0\0${STATE}`],
  ['a state that ends in zero bytes', `${STATE.slice(0, 40)}\0\0\0`],
  ['a state with a byte order mark', `\ufeff${STATE}`],
  ['a state written twice', STATE + STATE],
  ['an empty text', ''],
  ['white space', ' \n'],
  ['zeros', '\0'.repeat(4096)],
])('does not treat %s as foreign content', (_name, text) => {
  expect(describeForeignContent(text)).toBeNull();
});

it('does not treat a state truncated at any position as foreign content', () => {
  for (let length = 0; length < STATE.length; length++)
    expect(describeForeignContent(STATE.slice(0, length))).toBeNull();
});

it('scans a megabyte of white space in linear time', () => {
  const text = ' '.repeat(1024 * 1024);
  expect(isBlank(text)).toBe(true);
  expect(describeForeignContent(`${text}x`)).toBe('it is text, not JSON, nor just 1 or 0');
});
