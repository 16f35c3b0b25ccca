import type { MaintenanceState } from '../maintenance-state.js';
import { HistoryNews } from './history-news.js';

function stateOf(revision: number, lineage = 'one'): MaintenanceState {
  const history = Array.from({ length: revision }, (_, index) => ({
    revision: revision - index,
    at: '2026-12-01T00:00:00.000Z',
    action: 'on' as const,
    windows: [],
  }));
  return { format: 1, lineage, revision, windows: [], history };
}

it.each([
  ['nothing that was there at the start', [stateOf(3)], [[]]],
  [
    'each change once, also several at once',
    [stateOf(1), stateOf(2), stateOf(2), stateOf(5)],
    [[], [2], [], [3, 4, 5]],
  ],
  ['the first write of all', [null, stateOf(1)], [[], [1]]],
  ['nothing that was there before a storage failed at the start', [null, stateOf(7), stateOf(8)], [[], [], [8]]],
  ['the last change of another lineage', [stateOf(3), stateOf(2, 'two'), stateOf(3, 'two')], [[], [2], [3]]],
  ['nothing where the state is gone', [stateOf(3), null], [[], []]],
])('tells %s', (_title, states, expected) => {
  const news = new HistoryNews();
  expect(states.map((state) => news.of(state).map(({ revision }) => revision))).toEqual(expected);
});
