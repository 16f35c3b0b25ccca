import type { MaintenanceState } from '../maintenance-state.js';
import { HistoryCursor } from './history-cursor.js';

function createState(revision: number, lineage = 'one'): MaintenanceState {
  const history = Array.from({ length: revision }, (_, index) => ({
    revision: revision - index,
    at: '2026-12-01T00:00:00.000Z',
    action: 'on' as const,
    windows: [],
  }));
  return { format: 1, lineage, revision, windows: [], history };
}

it.each([
  ['no entries from before the start', [createState(3)], [[]]],
  [
    'each entry once, also several at a time',
    [createState(1), createState(2), createState(2), createState(5)],
    [[], [2], [], [3, 4, 5]],
  ],
  ['the entry of the very first write', [null, createState(1)], [[], [1]]],
  ['no entries from before a storage failure at the start', [null, createState(7), createState(8)], [[], [], [8]]],
  ['the last entry of a new lineage', [createState(3), createState(2, 'two'), createState(3, 'two')], [[], [2], [3]]],
  ['no entries if the state is missing', [createState(3), null], [[], []]],
])('HistoryCursor returns %s', (_title, states, expected) => {
  const news = new HistoryCursor();
  expect(states.map((state) => news.takeNew(state).map(({ revision }) => revision))).toEqual(expected);
});
