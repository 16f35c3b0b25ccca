import type { InstanceReport } from '../../../core/instance-report.js';
import type { PanelState } from '../panel-state.js';
import { formatCount, formatDuration } from './format.js';
import type { Tone } from './parts.js';

/** An instance that has not reported for this time is called silent: more than one heartbeat is missing. */
const SILENT_MS = 45_000;

/** The part of an instance in the drain. */
export interface InstanceState {
  label: string;
  tone: Tone;
  /** The meaning of the label, as a sentence. */
  detail: string;
}

/** Describes whether an instance applies the state, and what it still does. */
export function describeInstance(report: InstanceReport, state: PanelState, now: number): InstanceState {
  const pending = state.fleet.drain?.pending.find(({ instance }) => instance.id === report.id);
  const silence = now - Date.parse(report.seenAt);
  if (report.stopped) return { label: 'Stopped', tone: 'neutral', detail: 'It has shut down in good order.' };
  if (silence > SILENT_MS) {
    const detail = `No report for ${formatDuration(silence)}: it may be cut off, and still admit calls.`;
    return { label: 'Silent', tone: 'bad', detail };
  }
  switch (pending?.reason) {
    case 'behind':
      return { label: 'Behind', tone: 'busy', detail: `It applies revision ${report.revision} so far.` };
    case 'in-flight':
      return { label: 'In flight', tone: 'busy', detail: `It applies the state, and finishes ${countCalls(report)}.` };
    case 'uncounted':
      return {
        label: 'Can’t count',
        tone: 'bad',
        detail: `It may run work that it can’t count: ${listUncounted(report)}.`,
      };
    case 'forced-off':
      return {
        label: 'Admits calls',
        tone: 'bad',
        detail: 'Its configuration, or its failing storage, forces it off.',
      };
  }
  if (report.storageError !== undefined) {
    return { label: 'Can’t read', tone: 'bad', detail: `It can’t read the storage: ${report.storageError}` };
  }
  // The renewal of a lease makes a revision that need not be applied.
  const target = Math.min(state.history[0]?.revision ?? Infinity, state.status.revision);
  const isBehind = report.lineage !== null && report.revision < target;
  if (isBehind) return { label: 'Behind', tone: 'busy', detail: `It applies revision ${report.revision} so far.` };
  return { label: 'Applied', tone: 'good', detail: state.fleet.drain ? 'It applies the state and is drained.' : '' };
}

function countCalls({ inFlight }: InstanceReport): string {
  return formatCount(inFlight, 'call');
}

function listUncounted({ uncounted = [] }: InstanceReport): string {
  return uncounted.join(', ') || 'unknown work';
}

/** Counts the instances that apply the state. */
export function countStates(state: PanelState): string {
  const { instances } = state.fleet;
  const now = Date.parse(state.now);
  const running = instances.filter(({ stopped }) => !stopped);
  const described = running.map((report) => describeInstance(report, state, now));
  const applied = described.filter(({ label }) => ['Applied', 'In flight', 'Can’t count'].includes(label));
  if (running.length === 1) {
    if (applied.length === 1) return 'The only instance applies this state.';
    const { label, detail } = described[0]!;
    // A silent instance may have applied it after its last report.
    const verb = label === 'Silent' ? 'may not apply' : 'does not apply';
    return `The only instance ${verb} this state: ${detail[0]!.toLowerCase()}${detail.slice(1)}`;
  }
  const all = formatCount(running.length, 'instance');
  if (applied.length < running.length) return `${applied.length} of ${all} apply this state so far.`;
  return `All ${all} apply this state.`;
}

/** Names what a drain waits for. */
export function describePending({ fleet }: PanelState): string {
  const pending = fleet.drain?.pending ?? [];
  const count = (reason: string): number => pending.filter((found) => found.reason === reason).length;
  const calls = pending.reduce(
    (sum, { reason, instance }) => sum + (reason === 'in-flight' ? instance.inFlight : 0),
    0,
  );
  return [
    calls > 0 && `${formatCount(calls, 'call')} in flight`,
    count('behind') > 0 &&
      `${formatCount(count('behind'), 'instance')} that ${count('behind') === 1 ? 'does' : 'do'} not apply the state yet`,
    count('uncounted') > 0 && `${formatCount(count('uncounted'), 'instance')} with work that can’t be counted`,
    count('forced-off') > 0 && `${formatCount(count('forced-off'), 'instance')} that still admits calls`,
  ]
    .filter(Boolean)
    .join(', ');
}
