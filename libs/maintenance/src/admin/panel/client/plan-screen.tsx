import type { JSX } from 'preact';
import type { MaintenanceWindow } from '../../../core/maintenance-window.js';
import { formatTarget } from './format.js';
import { canChange, useModel } from './model.js';
import { Fact, Facts, LinkButton, Moment, Title } from './parts.js';
import { describeRecurrence } from './recurrence-words.js';
import { navigate } from './router.js';
import { createDraft, createDraftFrom, setDraft } from './window-draft.js';
import { Occurrences } from './window-lines.js';

/** The planned windows. */
export function PlanScreen(): JSX.Element {
  const model = useModel();
  const { status } = model.state!;
  const { planned } = status.windows;
  const mayChange = canChange(model);
  return (
    <>
      <Title>Planned windows</Title>
      {planned.length === 0 && <p class="lead">No window is planned.</p>}
      <ul class="cards">
        {planned.map((window) => (
          <li class="card" key={window.id}>
            <PlannedWindow window={window} mayChange={mayChange} />
          </li>
        ))}
      </ul>
      {mayChange && (
        <p class="actions">
          <button
            type="button"
            class="button primary big"
            onClick={() => {
              setDraft('plan', createDraft());
              navigate('plan/new');
            }}
          >
            Plan a window
          </button>
        </p>
      )}
    </>
  );
}

function PlannedWindow({ window, mayChange }: { window: MaintenanceWindow; mayChange: boolean }): JSX.Element {
  const state = useModel().state!;
  const { active, planned } = state.status.windows;
  const overlaps = [...active, ...planned].filter((other) => other.id !== window.id && isOverlapping(other, window));
  const target = formatTarget(window);
  return (
    <>
      <h2 class="sentence">{target}</h2>
      {window.message && (
        <p class="message" dir="auto">
          {window.message}
        </p>
      )}
      <Facts>
        <Fact term={window.recurrence ? 'Next start' : 'Start'}>
          <Moment at={window.startsAt} />
        </Fact>
        <Fact term="End">{window.endsAt === null ? 'when it is turned off' : <Moment at={window.endsAt} />}</Fact>
        {window.recurrence && <Fact term="Repeats">{describeRecurrence(window.recurrence)}</Fact>}
        {window.createdBy && <Fact term="By">{window.createdBy}</Fact>}
        {overlaps.length > 0 && <Fact term="Overlaps with">{overlaps.map(formatTarget).join(', ')}</Fact>}
      </Facts>
      <Occurrences occurrences={state.occurrences[window.id] ?? []} />
      {mayChange && (
        <p class="actions">
          <button
            type="button"
            class="button"
            onClick={() => {
              setDraft('plan', createDraftFrom(window, state.scopes, true));
              navigate('plan/new');
            }}
          >
            Edit<span class="sr"> {target}</span>
          </button>
          <LinkButton to={`plan/${encodeURIComponent(window.id)}/cancel`}>
            Cancel<span class="sr"> {target}</span>
          </LinkButton>
        </p>
      )}
    </>
  );
}

function isOverlapping(one: MaintenanceWindow, other: MaintenanceWindow): boolean {
  const isSameScope = one.scope === other.scope || one.scope === '*' || other.scope === '*';
  const startsBeforeEnd = (a: MaintenanceWindow, b: MaintenanceWindow): boolean =>
    b.endsAt === null || Date.parse(a.startsAt) < Date.parse(b.endsAt);
  return isSameScope && startsBeforeEnd(one, other) && startsBeforeEnd(other, one);
}
