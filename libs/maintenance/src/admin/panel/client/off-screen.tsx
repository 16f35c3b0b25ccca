import type { JSX } from 'preact';
import { formatCount, formatTarget } from './format.js';
import { useModel, useNow } from './model.js';
import { LinkButton, Moment, Notice, Title } from './parts.js';
import { navigate } from './router.js';
import { useWrite } from './use-write.js';
import { WindowLines } from './window-lines.js';
import { WriteForm } from './write-form.js';

const SOON_MS = 3_600_000;

/**
 * Names what ends, before it ends.
 *
 * @param id - the one window to end; all active ones without it
 */
export function OffScreen({ id }: { id?: string }): JSX.Element {
  const write = useWrite();
  const { state } = useModel();
  const { status, programWindows } = state!;
  const now = useNow();
  const ending = status.windows.active.filter((window) => id === undefined || window.id === id);
  const remaining = status.windows.active.length - ending.length;
  const soon = status.windows.planned.filter(({ startsAt }) => Date.parse(startsAt) - now < SOON_MS);

  if (ending.length === 0 && (id !== undefined || !status.active || status.source === 'configuration')) {
    return (
      <>
        <Title>{status.active ? 'This can’t be turned off here' : 'Nothing to turn off'}</Title>
        <p>{id === undefined ? 'No window is active.' : 'This window has ended already.'}</p>
        <LinkButton to="now">Back</LinkButton>
      </>
    );
  }

  const submit = async (): Promise<void> => {
    if (await write.send('/off', id === undefined ? {} : { id })) navigate('now');
  };
  return (
    <>
      <Title>{id === undefined ? 'Turn off' : 'Turn off one window'}</Title>
      <p class="lead">
        {ending.length === 0 ? 'No stored window is known; this stores that maintenance is off.' : 'This ends:'}
      </p>
      <ul class="cards">
        {ending.map((window) => (
          <li class="card" key={window.id}>
            <WindowLines window={window} />
            {programWindows[window.id] === 'during' && (
              <p>A running program has this window: it is told to stop its work.</p>
            )}
            {programWindows[window.id] === 'run' && (
              <p>
                The command line has started this window for a command (<code>run</code>). The command is not stopped:
                it may continue while calls are admitted.
              </p>
            )}
            {window.recurrence && (
              <p>
                {id === undefined
                  ? 'Only this occurrence ends; the next ones stay planned.'
                  : 'Its next occurrences are cancelled too.'}
              </p>
            )}
          </li>
        ))}
      </ul>
      <div class="notices">
        {soon.map((window) => (
          <Notice key={window.id} tone="busy" title="A planned window starts within the hour">
            <p>
              {formatTarget(window)} starts <Moment at={window.startsAt} />, also if you turn maintenance off now.
            </p>
          </Notice>
        ))}
        {remaining > 0 && (
          <Notice
            tone="neutral"
            title={`${formatCount(remaining, 'other window')} ${remaining === 1 ? 'stays' : 'stay'} on`}
          />
        )}
      </div>
      <WriteForm
        write={write}
        label="Turn off now"
        kind="primary big"
        back="now"
        backLabel="Back"
        onSubmit={() => void submit()}
      />
    </>
  );
}
