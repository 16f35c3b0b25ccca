import type { ComponentChildren, JSX } from 'preact';
import type { HistoryEntry } from '../../../core/maintenance-state.js';
import { HistoryList } from './history-item.js';
import { canChange, isForced, useModel, useNow } from './model.js';
import { formatAction, formatRelative } from './format.js';
import { Notice } from './parts.js';
import type { Write } from './use-write.js';

/** The end of a screen that changes something: what stands in the way, or the button that does it. */
export function WriteForm(props: {
  write: Write;
  label: string;
  kind?: string;
  back: string;
  backLabel: string;
  onSubmit: () => void;
  children?: ComponentChildren;
}): JSX.Element {
  const { write, label, kind = 'primary', back, backLabel, onSubmit } = props;
  const model = useModel();
  const { state } = model;
  return (
    <div class="write">
      {write.changes && <Conflict changes={write.changes} onAccept={write.acceptChanges} />}
      <p class="problem" role="alert">
        {write.problem}
      </p>
      <p class="actions">
        {canChange(model) ? (
          !write.changes && (
            <button type="button" class={`button ${kind}`} aria-disabled={write.isBusy} onClick={onSubmit}>
              {write.isBusy ? 'Waiting for the storage' : label}
            </button>
          )
        ) : (
          <span>{state && describeObstacle(model)}</span>
        )}
        <a class="button" href={`#${back}`}>
          {backLabel}
        </a>
      </p>
    </div>
  );
}

function describeObstacle(model: ReturnType<typeof useModel>): string {
  if (model.link === 'offline') return 'This waits for the connection.';
  if (model.state?.access === 'view') return 'You may look, but not change.';
  if (model.state && isForced(model.state)) return 'Configuration decides, so this can’t be changed here.';
  return 'This waits for the storage.';
}

function Conflict({ changes, onAccept }: { changes: HistoryEntry[]; onAccept: () => void }): JSX.Element {
  const { history } = useModel().state!;
  const [latest] = changes;
  const now = useNow();
  // Another state may have been put in place of the one that was seen, such as a backup: it has another history.
  const title = latest
    ? `Changed by ${latest.by ?? 'unknown'} ${formatRelative(latest.at, now)}: ${formatAction(latest)}`
    : 'Another state is stored now';
  return (
    <Notice tone="busy" title={title}>
      <p>Nothing of yours was stored since. What you typed is kept. Look at the difference, then continue.</p>
      <HistoryList entries={changes} history={history} />
      <p class="actions">
        <button type="button" class="button primary" onClick={onAccept}>
          Continue with the new state
        </button>
      </p>
    </Notice>
  );
}
