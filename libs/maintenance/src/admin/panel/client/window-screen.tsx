import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { MaintenanceWindow } from '../../../core/maintenance-window.js';
import type { PanelState } from '../panel-state.js';
import { canChange, getServerNow, isForced, useModel, useNow } from './model.js';
import { PagePreview } from './page-preview.js';
import { LinkButton, Title } from './parts.js';
import { ReviewScreen } from './review-screen.js';
import { navigate } from './router.js';
import { createBody, findErrors, getDraft, setDraft, type DraftErrors, type WindowDraft } from './window-draft.js';
import { AddressField, EndField, MessageField, ModeField, ScopeField } from './window-fields.js';
import { ScheduleFields } from './schedule-fields.js';
import { usePreview } from './use-preview.js';

/** The form that turns maintenance on or plans it, and the review before it counts. */
export function WindowScreen({ kind, isReview }: { kind: 'on' | 'plan'; isReview: boolean }): JSX.Element {
  const model = useModel();
  const state = model.state!;
  const [draft, update] = useState(getDraft(kind));
  const [shownErrors, setShownErrors] = useState<DraftErrors>({});
  const now = useNow();
  const errors = findErrors(draft, kind, now);
  const isValid = Object.keys(errors).length === 0;
  // To the minute: the preview need not be asked for every second.
  const minute = Math.floor(now / 60_000) * 60_000 + 60_000;
  const changed = kind === 'on' ? findChanged(draft, state) : undefined;
  const { preview, problem } = usePreview(isValid ? createBody(draft, kind, minute, changed) : null);

  useEffect(() => {
    if (isReview && !isValid) navigate(kind === 'on' ? 'on' : 'plan/new');
  }, []);

  if (isForced(state) || state.access === 'view') return <Obstacle kind={kind} />;
  if (isReview && isValid) {
    return <ReviewScreen kind={kind} draft={draft} changed={changed} preview={preview} problem={problem} />;
  }

  const change = (fields: Partial<WindowDraft>): void => {
    const next = { ...draft, ...fields };
    setDraft(kind, next);
    update(next);
    setShownErrors({});
  };
  const review = (event: Event): void => {
    event.preventDefault();
    const found = findErrors(draft, kind, getServerNow());
    setShownErrors(found);
    const [first] = Object.keys(found);
    if (first) document.getElementById(first)?.focus();
    else navigate(kind === 'on' ? 'on/review' : 'plan/new/review');
  };
  const fields = { draft, state, errors: shownErrors, change, now };
  return (
    <>
      <Title>{kind === 'on' ? 'Turn on' : draft.replaces ? 'Edit a planned window' : 'Plan a window'}</Title>
      {changed && (
        <p class="lead">This changes the window that is on for this scope and mode. Leave out what stays the same.</p>
      )}
      <div class="columns">
        <form onSubmit={review} noValidate>
          <ScopeField {...fields} />
          <ModeField {...fields} />
          <MessageField {...fields} />
          {kind === 'plan' && <ScheduleFields {...fields} />}
          {(kind === 'on' || draft.repeat === 'once') && <EndField {...fields} kind={kind} />}
          <AddressField {...fields} />
          {kind === 'on' && (
            <div class="field">
              <label class="choice">
                <input
                  type="checkbox"
                  checked={draft.bypass}
                  onChange={({ currentTarget }) => change({ bypass: currentTarget.checked })}
                />
                Create a bypass link for testers
              </label>
              <p class="hint">It is shown once, after the change was stored.</p>
            </div>
          )}
          <p class="actions">
            <button class="button primary big">Review</button>
            <LinkButton to={kind === 'on' ? 'now' : 'plan'}>Back</LinkButton>
          </p>
          {!canChange(model) && (
            <p class="hint">You can prepare this now; it can be stored when the notice above is gone.</p>
          )}
        </form>
        <PagePreview preview={preview} problem={problem} />
      </div>
    </>
  );
}

function Obstacle({ kind }: { kind: 'on' | 'plan' }): JSX.Element {
  return (
    <>
      <Title>{kind === 'on' ? 'Turn on' : 'Plan a window'}</Title>
      <p>This can’t be done now; the notice above tells why.</p>
      <LinkButton to="now">Back</LinkButton>
    </>
  );
}

/** Finds the active window that `on` would change, by its rule: same scope and mode, not of a program or a series. */
function findChanged({ scope, mode }: WindowDraft, state: PanelState): MaintenanceWindow | undefined {
  return state.status.windows.active.find(
    (window) =>
      window.scope === scope.trim() &&
      window.mode === mode &&
      state.programWindows[window.id] === undefined &&
      !window.recurrence,
  );
}
