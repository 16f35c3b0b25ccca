import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { StateFormatError, parseState } from './state-format.js';
import { openWindow } from './window-changes.js';
import { parseEnableOptions } from './window-options.js';
import type { StoredWindow } from './maintenance-window.js';

const NOW = Date.parse('2026-12-01T02:00Z');
const ACTIVE: StoredWindow = {
  id: 'a',
  scope: '*',
  mode: 'full',
  startsAt: new Date(NOW).toISOString(),
  endsAt: null,
  message: 'Back soon',
  messages: { de: 'Gleich', fr: 'Bientôt' },
  createdAt: new Date(NOW).toISOString(),
};

function change(messages: Record<string, string> | null | undefined): StoredWindow | undefined {
  const options = { ...(messages !== undefined && { messages }), retryAfter: 5 };
  return openWindow([ACTIVE], parseEnableOptions(options, NOW), NOW, 'new')?.windows[0];
}

describe('the messages of a window by language', () => {
  it('have canonical tags and are not empty', () => {
    const { messages } = parseEnableOptions({ messages: { 'PT-br': 'Já voltamos', de: '' } }, NOW);
    expect(messages).toEqual({ 'pt-BR': 'Já voltamos' });
    const [opened] = openWindow([], parseEnableOptions({ messages: { de: '' } }, NOW), NOW, 'new')!.windows;
    expect(opened).not.toHaveProperty('messages');
  });

  it.each<[string, unknown, RegExp]>([
    ['no tag', { de_DE: 'x' }, /`messages`: "de_DE" is no language tag/],
    ['a text that is none', { de: 1 }, /`messages\.de` must be a string/],
    ['a language twice', { de: 'x', DE: 'y' }, /has the language de twice/],
    ['an array', ['x'], /must be an object of messages by language/],
    ['text', 'x', /must be an object of messages by language/],
    [
      'too many languages',
      Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`de-x-a${index}`, 'x'])),
      /has 101 languages/,
    ],
  ])('are refused with %s', (_name, messages, expected) => {
    const options = { messages } as never;
    expect(() => parseEnableOptions(options, NOW)).toThrow(InvalidWindowError);
    expect(() => parseEnableOptions(options, NOW)).toThrow(expected);
  });

  it('replace those before, which are kept if none are given', () => {
    expect(change(undefined)?.messages).toBe(ACTIVE.messages);
    expect(change({ de: 'Später' })?.messages).toEqual({ de: 'Später' });
    expect(change(null)).not.toHaveProperty('messages');
    expect(change({})).not.toHaveProperty('messages');
  });

  it('change nothing if they are the same', () => {
    const options = parseEnableOptions({ messages: { fr: 'Bientôt', de: 'Gleich' } }, NOW);
    expect(openWindow([ACTIVE], options, NOW, 'new')).toBeNull();
  });

  it('are checked in a stored state', () => {
    const store = (messages: unknown): string =>
      JSON.stringify({
        format: 1,
        lineage: 'l',
        revision: 1,
        windows: [{ ...ACTIVE, messages }],
        history: [],
      });
    expect(parseState(store(ACTIVE.messages)).windows[0]?.messages).toEqual(ACTIVE.messages);
    for (const messages of [{ 'de\r\n': 'x' }, { de: 5 }, 'x', null])
      expect(() => parseState(store(messages))).toThrow(StateFormatError);
  });
});
