import type { Span } from '../fleet/instance.js';
import type { Answer, Fault, History, Life, Write } from './history.js';

export interface Rules {
  /** Milliseconds within which a confirmed write is seen everywhere while all is well. */
  bound: number;
  /** Milliseconds more for everything that takes time. */
  slack: number;
}

export interface Verdict {
  /** What must not be, in the order of time. */
  violations: string[];
  answers: number;
  /** Answers given while all was well and everybody had had the time to know it. */
  settled: number;
  /** Answers that show that the storage failed. */
  failing: number;
  /** Milliseconds after a fault was put right after which an answer still showed it: the most, for each kind. */
  agreement: Record<string, number>;
  /** The latest answer that showed a confirmed write not yet, while all was well: milliseconds, without those that were lost to the machine. */
  worstDelay: number;
}

/** What the storage may hold. They follow one another in the order of their writes. */
interface State {
  message: string | null;
  /** `null`: not known. */
  revision: number | null;
  /** Nobody has written anything: only whoever never knew of a write can go by that. */
  isNothing: boolean;
  from: number;
  /** The write is certain since then. */
  confirmedAt: number;
}

/**
 * Holds each answer against what was confirmed, and against what was broken at that time.
 *
 * An answer goes by a state or, while the storage fails, by `onStorageFailure`. Which state that was is not always certain: an
 * admission fits each state that is off. So there is a set of states that it may have gone by, never one older than what the same
 * process has certainly known before. The answer is wrong if that set is empty. While all is well one of them must also be
 * current, and the source the storage.
 */
export function judge(history: History, rules: Rules): Verdict {
  const states = statesOf(history);
  const verdict: Verdict = { violations: [], answers: 0, settled: 0, failing: 0, agreement: {}, worstDelay: 0 };
  const found: { at: number; text: string }[] = [];
  for (const life of history.lives) {
    const court = new Court(history, rules, states, life);
    for (const answer of [...life.answers].sort((a, b) => a.sentAt - b.sentAt)) {
      verdict.answers++;
      const complaint = court.hear(answer, verdict);
      if (complaint) found.push({ at: answer.sentAt, text: describe(life, answer, complaint) });
    }
  }
  for (const write of history.writes) {
    const complaint = complaintAbout(write, history, rules);
    if (complaint) found.push({ at: write.sentAt, text: `${new Date(write.sentAt).toISOString()} ${complaint}` });
  }
  verdict.violations = found.sort((a, b) => a.at - b.at).map(({ text }) => text);
  return verdict;
}

/** Tries the answers of one process in the order in which they were sent. */
class Court {
  readonly #lost: Span[];
  readonly #known: { at: number; floor: number }[];
  #floor = -1;

  constructor(
    private readonly history: History,
    private readonly rules: Rules,
    private readonly states: State[],
    private readonly life: Life,
  ) {
    this.#lost = union([...life.stalls, ...history.stalls]);
    // Whoever has made a write knows of it.
    this.#known = history.writes
      .filter(({ by, revision }) => by === life.number && revision !== null)
      .map(({ endedAt, revision, sentAt }) => ({
        at: endedAt,
        floor: states.findIndex((state) => state.from === sentAt && state.revision === revision),
      }));
  }

  /** What is wrong with an answer; `null`: nothing. */
  hear(answer: Answer, verdict: Verdict): string | null {
    const { life } = this;
    if (answer.status === null)
      return answer.heardAt >= life.signalledAt ? null : `no answer (${answer.error}), and nobody had ended it`;
    if (answer.status !== 200 && answer.status !== 503) return 'neither an admission nor a refusal';
    // Fastify answers 503 of its own while it closes.
    if (answer.basis === null)
      return answer.status === 503 && answer.heardAt >= life.signalledAt ? null : 'it does not say what it goes by';
    if (answer.basis.source !== 'storage') verdict.failing++;
    this.#remember(answer.sentAt);
    const possible = this.#possible(answer);
    const isFallback = this.#isFallback(answer);
    const [oldest] = possible;
    if (!isFallback && oldest !== undefined && !possible.some((index) => this.states[index]!.isNothing))
      this.#known.push({ at: answer.heardAt, floor: oldest });
    const isCurrent =
      (answer.basis.source === 'storage' || spans(answer)) &&
      possible.some((index) => this.#lateness(index, answer.sentAt) <= this.rules.bound + this.rules.slack);
    const fault = this.#faultAt(answer);
    if (!fault && answer.heardAt < life.signalledAt) {
      verdict.settled++;
      if (!isCurrent) return `all was well, and ${this.#expected(answer)} was current`;
      const lateness = Math.min(...possible.map((index) => this.#lateness(index, answer.sentAt)));
      verdict.worstDelay = Math.max(verdict.worstDelay, lateness);
      return null;
    }
    if (possible.length === 0 && !isFallback)
      return `no state that it may know fits; ${this.#expected(answer)} was current`;
    if (fault && !isCurrent && answer.sentAt > fault.to && answer.heardAt < life.signalledAt)
      verdict.agreement[fault.kind] = Math.max(verdict.agreement[fault.kind] ?? 0, answer.sentAt - fault.to);
    return null;
  }

  /** What the process certainly knew before `at`. */
  #remember(at: number): void {
    for (let index = this.#known.length - 1; index >= 0; index--) {
      if (this.#known[index]!.at > at) continue;
      this.#floor = Math.max(this.#floor, this.#known[index]!.floor);
      this.#known.splice(index, 1);
    }
  }

  /** The states that the answer may have gone by. */
  #possible(answer: Answer): number[] {
    const { status, message, heardAt } = answer;
    const basis = answer.basis!;
    if (basis.source === 'fallback' && !spans(answer)) return [];
    return this.states.flatMap((state, index) => {
      const isNew = state.isNothing ? this.#floor < 0 : index >= this.#floor;
      const fits = status === 503 ? message !== null && message === state.message : state.message === null;
      const isSame = state.revision === null ? basis.revision > 0 : state.revision === basis.revision;
      return isNew && fits && (isSame || spans(answer)) && state.from <= heardAt ? [index] : [];
    });
  }

  /** Whether it may be the answer of `onStorageFailure`, and not that of a state. */
  #isFallback(answer: Answer): boolean {
    if (answer.basis!.source !== 'fallback' && !spans(answer)) return false;
    const { policy } = this.life;
    if (policy === 'on') return answer.status === 503 && answer.message === null;
    if (policy === 'off') return answer.status === 200;
    return answer.status === 200 && this.#floor < 0;
  }

  /** The fault that excuses an answer: one under way or just over, the one that was put right last. */
  #faultAt({ sentAt, heardAt }: Answer): Fault | null {
    const excuses = this.history.faults.filter(
      ({ breaks, from, to, recovery }) =>
        breaks === 'reads' &&
        from <= heardAt &&
        sentAt <= to + recovery + this.rules.slack + this.#lostBetween(to, sentAt),
    );
    return excuses.sort((a, b) => b.to - a.to)[0] ?? null;
  }

  /** For how long a state was certainly out of date at a moment, without the time that the machine has lost. */
  #lateness(index: number, at: number): number {
    const { confirmedAt } = this.states.slice(index + 1).find((next) => next.confirmedAt < Infinity) ?? {};
    if (confirmedAt === undefined || confirmedAt >= at) return 0;
    return at - confirmedAt - this.#lostBetween(confirmedAt, at);
  }

  #lostBetween(from: number, to: number): number {
    let sum = 0;
    for (const span of this.#lost) {
      if (span.from >= to) break;
      sum += Math.max(0, Math.min(span.to, to) - Math.max(span.from, from));
    }
    return sum;
  }

  #expected({ sentAt }: Answer): string {
    const index = this.states.findLastIndex(({ confirmedAt }) => confirmedAt <= sentAt);
    return `${name(this.states[index])} (floor: ${name(this.states[this.#floor])})`;
  }
}

/** Whether something else held when the answer was made than when it was decided. */
function spans({ status, message, basis }: Answer): boolean {
  return basis!.isOn !== (status === 503) || basis!.message !== message;
}

function statesOf({ writes, faults }: History): State[] {
  const nothing: State = { message: null, revision: 0, isNothing: true, from: -Infinity, confirmedAt: -Infinity };
  const lost = faults.filter(({ forgets }) => forgets).map(({ from }) => ({ ...nothing, from, confirmedAt: Infinity }));
  const written = writes.map(({ message, revision, sentAt, endedAt }) => ({
    message,
    revision,
    isNothing: false,
    from: sentAt,
    confirmedAt: revision === null ? Infinity : endedAt,
  }));
  return [nothing, ...lost, ...written].sort((a, b) => a.from - b.from);
}

function complaintAbout(write: Write, { faults, lives }: History, { slack }: Rules): string | null {
  const what = write.message ?? 'off';
  if (write.status === 200) return null;
  const { name: by, signalledAt } = lives.find(({ number }) => number === write.by)!;
  if (write.status === null)
    return write.endedAt >= signalledAt ? null : `"${what}" got no answer from ${by}, and nobody had ended it`;
  if (write.status !== 502) return `"${what}" was answered with ${write.status} by ${by}`;
  const isExcused = faults.some(
    ({ from, to, recovery }) => from <= write.endedAt && write.sentAt <= to + recovery + slack,
  );
  return isExcused || write.endedAt >= signalledAt
    ? null
    : `"${what}" was refused with 502 by ${by} while all was well`;
}

function union(spans: Span[]): Span[] {
  const merged: Span[] = [];
  for (const { from, to } of spans.sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

function name(state: State | undefined): string {
  if (!state) return 'nothing known';
  if (state.isNothing) return 'nothing stored';
  return `"${state.message ?? 'off'}" of revision ${state.revision ?? 'unknown'}`;
}

function describe({ name: by, policy }: Life, answer: Answer, complaint: string): string {
  const { status, message, basis, sentAt, heardAt } = answer;
  const said = `${status} ${message ? `"${message}" ` : ''}after ${heardAt - sentAt} ms`;
  const went = basis ? `, by revision ${basis.revision} (${basis.source}, ${basis.message ?? basis.isOn})` : '';
  return `${new Date(sentAt).toISOString()} ${by} (${policy}): ${said}${went}: ${complaint}`;
}
