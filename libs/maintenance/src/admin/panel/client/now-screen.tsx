import type { JSX } from 'preact';
import type { MaintenanceWindow } from '../../../core/maintenance-window.js';
import type { PanelState } from '../panel-state.js';
import { countStates } from './fleet.js';
import { describeScopes, formatCount, formatMode, formatMoment, formatScope, formatTarget } from './format.js';
import { canChange, isForced, useModel, useNow } from './model.js';
import { Badge, ByAndWhen, Fact, Facts, LinkButton, Moment, Title } from './parts.js';
import { describeRecurrence } from './recurrence-words.js';
import { navigate } from './router.js';
import { createDraft, createDraftFrom, setDraft } from './window-draft.js';

/** Shows the present state in one sentence, with the one button that changes it. */
export function NowScreen(): JSX.Element {
  const model = useModel();
  const state = model.state!;
  const { active } = state.status;
  const mayChange = canChange(model);
  return (
    <>
      <section class={`headline ${active ? 'on' : 'off'}`}>
        <p class="state" aria-hidden="true">
          {active ? '● On' : '○ Off'}
        </p>
        <Title>{active ? `Maintenance is on: ${describeScopes(state.status)}` : 'Maintenance is off'}</Title>
        <Sentence {...state} />
        {mayChange && (
          <p class="actions">
            {active ? (
              <LinkButton to="off" kind="primary big">
                Turn off
              </LinkButton>
            ) : (
              <button type="button" class="button primary big" onClick={turnOn}>
                Turn on
              </button>
            )}
          </p>
        )}
      </section>
      {state.status.windows.active.map((window) => (
        <WindowCard key={window.id} window={window} state={state} mayChange={mayChange} />
      ))}
      {mayChange && active && (
        <p>
          <button type="button" class="button" onClick={turnOn}>
            Turn on another window
          </button>
        </p>
      )}
      <Surroundings {...state} />
    </>
  );
}

function turnOn(): void {
  setDraft('on', createDraft());
  navigate('on');
}

function Sentence(state: PanelState): JSX.Element {
  const now = useNow();
  const { windows, active } = state.status;
  const [first] = windows.active;
  const last = state.history.find(({ action }) => action === 'off');
  if (isForced(state)) return <p class="lead">By configuration, not by the stored state.</p>;
  if (active && !first) return <p class="lead">Because the storage fails: no stored window is known.</p>;
  if (first) {
    const until = first.endsAt === null ? 'until it is turned off' : `until ${formatMoment(first.endsAt, now)}`;
    const by = first.createdBy ? `, by ${first.createdBy}` : '';
    const others = windows.active.length - 1;
    return (
      <p class="lead">
        Since {formatMoment(first.startsAt, now)}
        {by}, {until}
        {others > 0 ? `, and ${formatCount(others, 'other window')}` : ''}.
      </p>
    );
  }
  return (
    <p class="lead">
      All calls are admitted.
      {last && (
        <>
          {' '}
          Turned off <ByAndWhen entry={last} />.
        </>
      )}
    </p>
  );
}

/** The end of a window without a time, by its owner. */
const UNTIL = {
  operator: 'it is turned off',
  during: 'its program is done',
  run: 'its command has succeeded, or it is turned off',
};

function WindowCard(props: { window: MaintenanceWindow; state: PanelState; mayChange: boolean }): JSX.Element {
  const { window, state, mayChange } = props;
  const { id, endsAt, message, allowIps = [], createdBy, recurrence } = window;
  const program = state.programWindows[id];
  return (
    <section class="card" aria-labelledby={`window-${id}`}>
      <h2 id={`window-${id}`} class="sentence">
        {formatTarget(window)}
      </h2>
      {message && (
        <p class="message" dir="auto">
          {message}
        </p>
      )}
      <Facts>
        <Fact term="Covers">
          {formatScope(window.scope)}, {formatMode(window.mode)}
        </Fact>
        <Fact term="Since">
          <Moment at={window.startsAt} />
        </Fact>
        <Fact term="Until">{endsAt !== null ? <Moment at={endsAt} /> : UNTIL[program ?? 'operator']}</Fact>
        {createdBy && <Fact term="By">{createdBy}</Fact>}
        {recurrence && <Fact term="Repeats">{describeRecurrence(recurrence)}</Fact>}
        {allowIps.length > 0 && <Fact term="Admits">{allowIps.join(', ')}</Fact>}
        {program === 'during' && <Fact term="Belongs to">a running program, which ends it</Fact>}
        {program === 'run' && (
          <Fact term="Belongs to">
            a command of <code>run</code>, which ends it, unless <code>run</code> was killed
          </Fact>
        )}
      </Facts>
      {mayChange && (
        <p class="actions">
          {program === undefined && !recurrence && (
            <button
              type="button"
              class="button"
              onClick={() => {
                setDraft('on', createDraftFrom(window, state.scopes, false));
                navigate('on');
              }}
            >
              Change<span class="sr"> {formatTarget(window)}</span>
            </button>
          )}
          {state.status.windows.active.length > 1 && (
            <LinkButton to={`off/${encodeURIComponent(id)}`}>
              Turn off only this<span class="sr"> ({formatTarget(window)})</span>
            </LinkButton>
          )}
        </p>
      )}
    </section>
  );
}

function Surroundings(state: PanelState): JSX.Element {
  const { status, application, fleet } = state;
  const { storage } = status;
  const [next] = status.windows.planned;
  const { instances, error } = fleet;
  return (
    <section class="card" aria-labelledby="surroundings">
      <h2 id="surroundings">Application and storage</h2>
      <Facts>
        <Fact term="Application">
          {[application.name, application.version].filter(Boolean).join(' ') || 'without a name'}
          {application.environment && `, ${application.environment}`}, answered by {application.host}
        </Fact>
        <Fact term="Instances">
          {error !== undefined ? (
            <Badge tone="bad">Unknown</Badge>
          ) : instances.length === 0 ? (
            <Badge tone="bad">No instance reports</Badge>
          ) : (
            <>{countStates(state)} </>
          )}{' '}
          <a href={status.active ? '#drain' : '#instances'}>{status.active ? 'See the drain' : 'See the instances'}</a>
        </Fact>
        <Fact term="Storage">
          <Badge tone={storage.healthy ? 'good' : 'bad'}>{storage.healthy ? 'Healthy' : 'Failing'}</Badge>{' '}
          {storage.kind} {storage.location}, revision {status.revision}
          {storage.lastReadAt && (
            <>
              , read <Moment at={storage.lastReadAt} />
            </>
          )}
        </Fact>
        <Fact term="Next window">
          {next ? (
            <>
              {formatTarget(next)}, <Moment at={next.startsAt} />
            </>
          ) : (
            'none is planned'
          )}
        </Fact>
      </Facts>
    </section>
  );
}
