import type { ComponentChildren, JSX } from 'preact';
import type { HistoryEntry } from '../../../core/maintenance-state.js';
import { formatMoment, formatRelative } from './format.js';
import { useNow } from './model.js';

/** A moment in the zone of the browser and in UTC, with its distance from now. */
export function Moment({ at, isRelative = true }: { at: string | number; isRelative?: boolean }): JSX.Element {
  const now = useNow();
  const iso = typeof at === 'number' ? new Date(at).toISOString() : at;
  return (
    <>
      <time dateTime={iso}>{formatMoment(at, now)}</time>
      {isRelative && <span class="soft">, {formatRelative(at, now)}</span>}
    </>
  );
}

export type Tone = 'good' | 'busy' | 'bad' | 'neutral';

/** A word with a sign, so that its color is never the only difference. */
export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }): JSX.Element {
  return <span class={`badge ${tone}`}>{children}</span>;
}

/** A sentence about something that needs attention. */
export function Notice(props: { tone: Tone; title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <section class={`notice ${props.tone}`}>
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}

export function LinkButton(props: { to: string; kind?: string; children: ComponentChildren }): JSX.Element {
  return (
    <a class={`button ${props.kind ?? ''}`} href={`#${props.to}`}>
      {props.children}
    </a>
  );
}

/** Terms and their descriptions. */
export function Facts({ children }: { children: ComponentChildren }): JSX.Element {
  return <dl class="facts">{children}</dl>;
}

export function Fact({ term, children }: { term: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The heading of a screen, which gets the focus when the screen appears. */
export function Title({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <h1 id="title" tabIndex={-1}>
      {children}
    </h1>
  );
}

export function ByAndWhen({ entry }: { entry: HistoryEntry }): JSX.Element {
  return (
    <>
      by {entry.by ?? 'unknown'}, <Moment at={entry.at} />
    </>
  );
}
