import type { JSX } from 'preact';
import { HistoryList } from './history-item.js';
import { useModel } from './model.js';
import { Title } from './parts.js';

/** The last changes, newest first. */
export function HistoryScreen(): JSX.Element {
  const { history } = useModel().state!;
  return (
    <>
      <Title>History</Title>
      {history.length === 0 ? (
        <p class="lead">Nothing was changed yet.</p>
      ) : (
        <HistoryList entries={history} history={history} />
      )}
    </>
  );
}
