import type { JSX } from 'preact';
import type { HistoryEntry } from '../../../core/maintenance-state.js';
import { formatAction, formatMoment, formatSource } from './format.js';
import { useNow } from './model.js';
import { ByAndWhen } from './parts.js';
import { describeRecurrence } from './recurrence-words.js';

type HistoryWindow = HistoryEntry['windows'][number];

/**
 * One change: who did what, when and from where, and with what difference.
 *
 * @param history - all entries, newest first, to compare with
 */
export function HistoryItem({ entry, history }: { entry: HistoryEntry; history: HistoryEntry[] }): JSX.Element {
  const now = useNow();
  const source = formatSource(entry);
  return (
    <li>
      <p>
        <strong class="sentence">{formatAction(entry)}</strong>, <ByAndWhen entry={entry} />
        <span class="soft">
          {source && ` ${source}`}, revision {entry.revision}
        </span>
      </p>
      <ul class="difference">
        {entry.windows.flatMap((window) =>
          describeDifference(window, findBefore(window, entry, history), now).map((text) => (
            <li key={`${window.id} ${text}`} dir="auto">
              {text}
            </li>
          )),
        )}
      </ul>
    </li>
  );
}

/** Changes that others made, for the sentence about a conflict. */
export function HistoryList({ entries, history }: { entries: HistoryEntry[]; history: HistoryEntry[] }): JSX.Element {
  return (
    <ul class="history">
      {entries.map((entry) => (
        <HistoryItem key={`${entry.revision} ${entry.action}`} entry={entry} history={history} />
      ))}
    </ul>
  );
}

function findBefore({ id }: HistoryWindow, entry: HistoryEntry, history: HistoryEntry[]): HistoryWindow | undefined {
  for (const older of history) {
    const found = older.revision < entry.revision && older.windows.find((window) => window.id === id);
    if (found) return found;
  }
  return undefined;
}

function describeDifference(window: HistoryWindow, before: HistoryWindow | undefined, now: number): string[] {
  const after = toTexts(window, now);
  const earlier = before ? toTexts(before, now) : {};
  return Object.keys({ ...after, ...earlier }).flatMap((name) => {
    const [from, to] = [earlier[name], after[name]];
    if (from === to) return [];
    if (!before || from === undefined) return [`${name}: ${to}`];
    return [`${name}: ${from} → ${to ?? 'none'}`];
  });
}

/** Stored entries are not checked: members may be missing. */
function toTexts(window: HistoryWindow, now: number): Record<string, string> {
  const { startsAt, endsAt, message, allowIps, recurrence } = window;
  return {
    ...(startsAt && { start: formatMoment(startsAt, now) }),
    end: endsAt ? formatMoment(endsAt, now) : 'until it is turned off',
    ...(message && { message: `“${message}”` }),
    ...(Array.isArray(allowIps) && allowIps.length > 0 && { admits: allowIps.join(', ') }),
    ...(recurrence && { repeats: describeRecurrence(recurrence) }),
  };
}
