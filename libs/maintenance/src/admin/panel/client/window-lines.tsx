import type { JSX } from 'preact';
import type { MaintenanceWindow } from '../../../core/maintenance-window.js';
import type { PanelOccurrence } from '../panel-state.js';
import { formatTarget } from './format.js';
import { Moment } from './parts.js';
import { describeRecurrence } from './recurrence-words.js';

/** A window in a line or two. */
export function WindowLines({ window }: { window: MaintenanceWindow }): JSX.Element {
  const { startsAt, endsAt, recurrence, message } = window;
  return (
    <>
      <strong class="sentence">{formatTarget(window)}</strong>: from <Moment at={startsAt} />{' '}
      {endsAt === null ? (
        'until it is turned off'
      ) : (
        <>
          until <Moment at={endsAt} isRelative={false} />
        </>
      )}
      {recurrence && <>, repeats {describeRecurrence(recurrence)}</>}
      {message && (
        <span class="quote" dir="auto">
          {' '}
          “{message}”
        </span>
      )}
    </>
  );
}

/** The next occurrences of a window that repeats. */
export function Occurrences({ occurrences }: { occurrences: PanelOccurrence[] }): JSX.Element | null {
  if (occurrences.length < 2) return null;
  return (
    <section class="occurrences">
      <h3>Next occurrences</h3>
      <ol>
        {occurrences.map(({ startsAt }) => (
          <li key={startsAt}>
            <Moment at={startsAt} />
          </li>
        ))}
      </ol>
    </section>
  );
}
