import type { ComponentChildren, JSX } from 'preact';
import { HistoryList } from './history-item.js';
import { canChange, isForced, useModel } from './model.js';
import { formatAction, formatRelative } from './format.js';
import { getServerNow } from './model.js';
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
      {write.changes.length > 0 && <Conflict write={write} />}
      <p class="problem" role="alert">
        {write.problem}
      </p>
      <p class="actions">
        {canChange(model) ? (
          write.changes.length === 0 && (
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

function Conflict({ write }: { write: Write }): JSX.Element {
  const { state } = useModel();
  const [latest] = write.changes;
  const now = getServerNow();
  return (
    <Notice
      tone="busy"
      id="conflict"
      title={`Changed by ${latest?.by ?? 'unknown'} ${formatRelative(latest?.at ?? now, now)}: ${latest ? formatAction(latest) : ''}`}
    >
      <p>Nothing of yours was stored since. What you typed is kept. Look at the difference, then continue.</p>
      <HistoryList entries={write.changes} history={state!.history} />
      <p class="actions">
        <button type="button" class="button primary" onClick={write.acceptChanges}>
          Continue with the new state
        </button>
      </p>
    </Notice>
  );
}
