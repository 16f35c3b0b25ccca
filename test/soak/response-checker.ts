import type { Span } from '../fleet/instance.js';
import type { Answer, Fault, History, InstanceRun, Write } from './history.js';

export interface CheckLimits {
  /** Milliseconds after which every instance must apply a confirmed write while there is no fault. */
  maxDelayMs: number;
  /** Milliseconds added to every time limit. */
  slackMs: number;
}

export interface CheckResult {
  /** Wrong answers and writes, oldest first. */
  violations: string[];
  answers: number;
  /** Answers given while no fault was active or recent. */
  healthy: number;
  /** Answers that were not based on the storage. */
  failing: number;
  /** For each kind of fault, the latest answer after its end that still showed it, in milliseconds after the end. */
  recoveryMs: Record<string, number>;
  /** The longest time without a fault during which answers missed a confirmed write, without stalls of the machine. */
  worstDelayMs: number;
}

/** A state that the storage may contain. States are ordered by their writes. */
interface State {
  message: string | null;
  /** `null` if unknown. */
  revision: number | null;
  /** The empty storage. An instance that has seen a write must not decide by it. */
  isEmpty: boolean;
  from: number;
  /** When the write was confirmed. */
  confirmedAt: number;
}

/**
 * Checks each answer against the confirmed writes and the faults of that time.
 *
 * An answer is based on a state or, while the storage fails, on `onStorageFailure`. The state is not always certain:
 * an admission fits every state that is off. So the checker keeps the set of possible states, none older than a state
 * that the same instance has certainly known. The answer is wrong if that set is empty. Without a fault, one of the
 * states must also be current, and the source must be the storage.
 */
export function checkResponses(history: History, limits: CheckLimits): CheckResult {
  const states = listStates(history);
  const result: CheckResult = { violations: [], answers: 0, healthy: 0, failing: 0, recoveryMs: {}, worstDelayMs: 0 };
  const found: { at: number; text: string }[] = [];
  for (const run of history.runs) {
    const checker = new ResponseChecker(history, limits, states, run);
    for (const answer of [...run.answers].sort((a, b) => a.sentAt - b.sentAt)) {
      result.answers++;
      const violation = checker.check(answer, result);
      if (violation) found.push({ at: answer.sentAt, text: formatViolation(run, answer, violation) });
    }
  }
  for (const write of history.writes) {
    const violation = checkWrite(write, history, limits);
    if (violation) found.push({ at: write.sentAt, text: `${new Date(write.sentAt).toISOString()} ${violation}` });
  }
  result.violations = found.sort((a, b) => a.at - b.at).map(({ text }) => text);
  return result;
}

/** Checks the answers of one instance in the order in which they were sent. */
class ResponseChecker {
  readonly #stalls: StallClock;
  readonly #known: { at: number; floor: number }[];
  #floor = -1;

  constructor(
    private readonly history: History,
    private readonly limits: CheckLimits,
    private readonly states: State[],
    private readonly run: InstanceRun,
  ) {
    this.#stalls = new StallClock([...run.stalls, ...history.stalls]);
    // The instance that made a write knows of it.
    this.#known = history.writes
      .filter(({ by, revision }) => by === run.number && revision !== null)
      .map(({ endedAt, revision, sentAt }) => ({
        at: endedAt,
        floor: states.findIndex((state) => state.from === sentAt && state.revision === revision),
      }));
  }

  /** Describes what is wrong with an answer; `null` if it is right. */
  check(answer: Answer, result: CheckResult): string | null {
    const { run } = this;
    if (answer.status === null)
      return answer.receivedAt >= run.signalledAt
        ? null
        : `no answer (${answer.error}), although the test had sent no signal`;
    if (answer.status !== 200 && answer.status !== 503) return 'neither an admission nor a refusal';
    // Fastify sends its own 503 while it closes.
    if (answer.applied === null)
      return answer.status === 503 && answer.receivedAt >= run.signalledAt
        ? null
        : 'the answer does not name its state';
    if (answer.applied.source !== 'storage') result.failing++;
    this.#raiseFloor(answer.sentAt);
    const possible = this.#findPossibleStates(answer);
    const isFallback = this.#mayBeFallback(answer);
    const [oldest] = possible;
    if (!isFallback && oldest !== undefined && !possible.some((index) => this.states[index]!.isEmpty))
      this.#known.push({ at: answer.receivedAt, floor: oldest });
    const isCurrent =
      (answer.applied.source === 'storage' || isInconsistent(answer)) &&
      possible.some(
        (index) => this.#getStalenessMs(index, answer.sentAt) <= this.limits.maxDelayMs + this.limits.slackMs,
      );
    const fault = this.#findExcuse(answer);
    if (!fault && answer.receivedAt < run.signalledAt) {
      result.healthy++;
      if (!isCurrent) return `there was no fault, and ${this.#describeExpected(answer)} was current`;
      const delayMs = Math.min(...possible.map((index) => this.#getStalenessMs(index, answer.sentAt)));
      result.worstDelayMs = Math.max(result.worstDelayMs, delayMs);
      return null;
    }
    if (possible.length === 0 && !isFallback)
      return `no state that the instance may know fits; ${this.#describeExpected(answer)} was current`;
    if (fault && !isCurrent && answer.sentAt > fault.to && answer.receivedAt < run.signalledAt)
      result.recoveryMs[fault.kind] = Math.max(result.recoveryMs[fault.kind] ?? 0, answer.sentAt - fault.to);
    return null;
  }

  /** Raises the floor to the newest state that the instance certainly knew before `at`. */
  #raiseFloor(at: number): void {
    for (let index = this.#known.length - 1; index >= 0; index--) {
      if (this.#known[index]!.at > at) continue;
      this.#floor = Math.max(this.#floor, this.#known[index]!.floor);
      this.#known.splice(index, 1);
    }
  }

  /** Returns the indices of the states on which the answer may be based. */
  #findPossibleStates(answer: Answer): number[] {
    const { status, message, receivedAt } = answer;
    const applied = answer.applied!;
    if (applied.source === 'fallback' && !isInconsistent(answer)) return [];
    return this.states.flatMap((state, index) => {
      const isRecentEnough = state.isEmpty ? this.#floor < 0 : index >= this.#floor;
      const fits = status === 503 ? message !== null && message === state.message : state.message === null;
      const isSame = state.revision === null ? applied.revision > 0 : state.revision === applied.revision;
      return isRecentEnough && fits && (isSame || isInconsistent(answer)) && state.from <= receivedAt ? [index] : [];
    });
  }

  /** Whether the answer may follow `onStorageFailure` instead of a state. */
  #mayBeFallback(answer: Answer): boolean {
    if (answer.applied!.source !== 'fallback' && !isInconsistent(answer)) return false;
    const { policy } = this.run;
    if (policy === 'on') return answer.status === 503 && answer.message === null;
    if (policy === 'off') return answer.status === 200;
    return answer.status === 200 && this.#floor < 0;
  }

  /** Returns the fault that may explain a stale answer: of those active or recent, the one that ended last. */
  #findExcuse({ sentAt, receivedAt }: Answer): Fault | null {
    const excuses = this.history.faults.filter(
      ({ breaks, from, to, recoveryMs }) =>
        breaks === 'reads' &&
        from <= receivedAt &&
        sentAt <= to + recoveryMs + this.limits.slackMs + this.#stalls.measure(to, sentAt),
    );
    return excuses.sort((a, b) => b.to - a.to)[0] ?? null;
  }

  /** Returns for how long a state was certainly out of date at a moment, excluding stalls of the machine. */
  #getStalenessMs(index: number, at: number): number {
    const { confirmedAt } = this.states.slice(index + 1).find((next) => next.confirmedAt < Infinity) ?? {};
    if (confirmedAt === undefined || confirmedAt >= at) return 0;
    return at - confirmedAt - this.#stalls.measure(confirmedAt, at);
  }

  #describeExpected({ sentAt }: Answer): string {
    const index = this.states.findLastIndex(({ confirmedAt }) => confirmedAt <= sentAt);
    return `${describeState(this.states[index])} (floor: ${describeState(this.states[this.#floor])})`;
  }
}

/** Tells for how long the machine did not run a process. A run on a busy machine has thousands of stalls. */
class StallClock {
  readonly #spans: { from: number; to: number; stalledBeforeMs: number }[] = [];

  constructor(spans: Span[]) {
    let stalledBeforeMs = 0;
    for (const { from, to } of mergeSpans(spans)) {
      this.#spans.push({ from, to, stalledBeforeMs });
      stalledBeforeMs += to - from;
    }
  }

  /** Returns the milliseconds of stalls between two moments. */
  measure(from: number, to: number): number {
    return from < to ? this.#measureUntil(to) - this.#measureUntil(from) : 0;
  }

  #measureUntil(moment: number): number {
    let [low, high] = [0, this.#spans.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#spans[middle]!.from < moment) low = middle + 1;
      else high = middle;
    }
    const last = this.#spans[low - 1];
    return last ? last.stalledBeforeMs + Math.min(last.to, moment) - last.from : 0;
  }
}

/** Whether the state changed between the decision and the writing of the response. */
function isInconsistent({ status, message, applied }: Answer): boolean {
  return applied!.isOn !== (status === 503) || applied!.message !== message;
}

function listStates({ writes, faults }: History): State[] {
  const empty: State = { message: null, revision: 0, isEmpty: true, from: -Infinity, confirmedAt: -Infinity };
  const lost = faults
    .filter(({ losesData }) => losesData)
    .map(({ from }) => ({ ...empty, from, confirmedAt: Infinity }));
  const written = writes.map(({ message, revision, sentAt, endedAt }) => ({
    message,
    revision,
    isEmpty: false,
    from: sentAt,
    confirmedAt: revision === null ? Infinity : endedAt,
  }));
  return [empty, ...lost, ...written].sort((a, b) => a.from - b.from);
}

function checkWrite(write: Write, { faults, runs }: History, { slackMs }: CheckLimits): string | null {
  const label = write.message ?? 'off';
  if (write.status === 200) return null;
  const { name: by, signalledAt } = runs.find(({ number }) => number === write.by)!;
  if (write.status === null)
    return write.endedAt >= signalledAt
      ? null
      : `"${label}" got no answer from ${by}, although the test had sent no signal`;
  if (write.status !== 502) return `"${label}" was answered with ${write.status} by ${by}`;
  const isExcused = faults.some(
    ({ from, to, recoveryMs }) => from <= write.endedAt && write.sentAt <= to + recoveryMs + slackMs,
  );
  return isExcused || write.endedAt >= signalledAt ? null : `"${label}" was rejected with 502 by ${by} without a fault`;
}

function mergeSpans(spans: Span[]): Span[] {
  const merged: Span[] = [];
  for (const { from, to } of spans.sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

function describeState(state: State | undefined): string {
  if (!state) return 'unknown';
  if (state.isEmpty) return 'an empty storage';
  return `"${state.message ?? 'off'}" at revision ${state.revision ?? 'unknown'}`;
}

function formatViolation({ name, policy }: InstanceRun, answer: Answer, violation: string): string {
  const { status, message, applied, sentAt, receivedAt } = answer;
  const response = `${status} ${message ? `"${message}" ` : ''}after ${receivedAt - sentAt} ms`;
  const decidedBy = applied
    ? `, based on revision ${applied.revision} (${applied.source}, ${applied.message ?? applied.isOn})`
    : '';
  return `${new Date(sentAt).toISOString()} ${name} (${policy}): ${response}${decidedBy}: ${violation}`;
}
