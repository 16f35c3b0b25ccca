import { HANDWRITTEN_LINEAGE, type MaintenanceState } from './maintenance-state.js';
import { parseState, serializeState, StateFormatError } from './state-format.js';

const state: MaintenanceState = {
  format: 1,
  lineage: 'line',
  revision: 3,
  windows: [
    {
      id: 'a',
      scope: '*',
      mode: 'full',
      startsAt: '2026-12-01T02:00:00.000Z',
      endsAt: null,
      createdAt: '2026-12-01T02:00:00.000Z',
      unknown: [1, { two: 2 }],
    },
  ],
  history: [
    {
      revision: 3,
      at: '2026-12-01T02:00:00.000Z',
      action: 'on',
      windows: [{ id: 'a', scope: '*', mode: 'full', startsAt: '', endsAt: null }],
      more: 1,
    },
  ],
  later: { version: 'keeps' },
};

it('parses a serialized state with unknown members', () => {
  expect(parseState(serializeState(state))).toEqual(state);
});

it('rejects a state that could not be serialized', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const text = (depth: number): string => JSON.stringify({ ...state, later: 0 }).replace(/0}$/, `${nested(depth)}}`);
  expect(() => serializeState(parseState(text(50)))).not.toThrow();
  for (const depth of [200, 10_000]) {
    expect(() => parseState(text(depth))).toThrow(new StateFormatError('it is nested more than 100 levels deep'));
  }
});

it('adds little to the size of a large state when serializing it', () => {
  const large = { ...state, later: Array.from({ length: 10_000 }, () => [[[[[[0]]]]]]) };
  expect(serializeState(large).length).toBeLessThan(JSON.stringify(large).length + 10);
  expect(serializeState(state)).toContain('\n  ');
});

it.each([
  ['1', true],
  ['0', false],
  [' 1\n', true],
])('parses the handwritten state %j', (text, on) => {
  const read = parseState(text);
  expect(read).toMatchObject({
    lineage: HANDWRITTEN_LINEAGE,
    revision: 0,
    windows: on ? [{ scope: '*', mode: 'full', endsAt: null }] : [],
  });
});

it.each([
  ['an empty text', '', /empty/],
  ['words', 'on', /not JSON, nor just 1 or 0/],
  ['a truncated state', serializeState(state).slice(0, 90), /not JSON/],
  ['an array', '[]', /JSON, but not an object/],
  ['another number', '2', /JSON, but not an object/],
  ['null', 'null', /JSON, but not an object/],
  ['a later format', JSON.stringify({ ...state, format: 2 }), /^format/],
  ['an invalid revision', JSON.stringify({ ...state, revision: -1 }), /^revision/],
  ['no lineage', JSON.stringify({ ...state, lineage: '' }), /^lineage/],
  ['no windows', JSON.stringify({ ...state, windows: undefined }), /^windows/],
  [
    'a window of an unknown mode',
    JSON.stringify({ ...state, windows: [{ ...state.windows[0], mode: 'x' }] }),
    /^windows\.0\.mode/,
  ],
  [
    'a window with a bad start',
    JSON.stringify({ ...state, windows: [{ ...state.windows[0], startsAt: 'x' }] }),
    /^windows\.0\.startsAt/,
  ],
  [
    'a window with a bad address',
    JSON.stringify({ ...state, windows: [{ ...state.windows[0], allowIps: ['10.0.0.0/8', '10.0.0.300'] }] }),
    /^windows\.0\.allowIps\.1: must be an IP address or a CIDR block/,
  ],
  [
    'a window without an end',
    JSON.stringify({ ...state, windows: [{ ...state.windows[0], endsAt: undefined }] }),
    /^windows\.0\.endsAt/,
  ],
])('rejects %s', (_name, text, reason) => {
  expect(() => parseState(text)).toThrow(StateFormatError);
  expect(() => parseState(text)).toThrow(reason);
});

it.each([
  ['an invalid history', 7],
  ['invalid history entries', [7, { revision: 'x' }]],
])('parses a state with %s', (_name, history) => {
  expect(parseState(JSON.stringify({ ...state, history })).history).toEqual([]);
});
