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
  ['nothing that was there at the start', [createState(3)], [[]]],
  [
    'each change once, also several at once',
    [createState(1), createState(2), createState(2), createState(5)],
    [[], [2], [], [3, 4, 5]],
  ],
  ['the first write of all', [null, createState(1)], [[], [1]]],
  [
    'nothing that was there before a storage failed at the start',
    [null, createState(7), createState(8)],
    [[], [], [8]],
  ],
  [
    'the last change of another lineage',
    [createState(3), createState(2, 'two'), createState(3, 'two')],
    [[], [2], [3]],
  ],
  ['nothing where the state is gone', [createState(3), null], [[], []]],
])('tells %s', (_title, states, expected) => {
  const news = new HistoryCursor();
  expect(states.map((state) => news.takeNew(state).map(({ revision }) => revision))).toEqual(expected);
});
