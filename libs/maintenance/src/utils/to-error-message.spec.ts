import { toErrorMessage } from './to-error-message.js';

const silent = Object.create(null) as unknown;
const refused = (address: string): Error => new Error(`connect ECONNREFUSED ${address}`);

it.each([
  ['the message of an error', new Error('the disk is full'), 'the disk is full'],
  ['a thrown string', 'no', 'no'],
  ['no credentials', new Error('redis://user:secret@host is gone'), 'redis://***@host is gone'],
  [
    'what each of several says',
    new AggregateError([refused('::1:1'), refused('127.0.0.1:1')]),
    'connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1',
  ],
  ['each message of an AggregateError once', new AggregateError([new Error('gone'), new Error('gone')]), 'gone'],
  [
    'the own message of an AggregateError first',
    new AggregateError([new Error('gone')], 'both are gone'),
    'both are gone',
  ],
  ['one line', new Error('gone\r\n\u001b[31mERROR'), 'gone\\u000d\\n\\u001b[31mERROR'],
  ['the name of one that says nothing', new TypeError(), 'TypeError'],
  ['something of what says nothing at all', silent, 'a value without a message was thrown'],
])('gives %s', (_title, thrown, reason) => expect(toErrorMessage(thrown)).toBe(reason));
