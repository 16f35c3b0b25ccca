import type { Refusal } from '../policy/refusal.js';
import type { Answer } from './answer.js';

/** An answer and how long it says the truth, in milliseconds since the epoch. */
interface Kept {
  answer: Answer;
  from: number;
  until: number;
}

/** The answers that everybody gets who is refused for the same reason: each is made once. */
export class KeptAnswers {
  readonly #ofRefusal = new WeakMap<Refusal, Kept>();

  /** The answer to a refusal at `now` (milliseconds since the epoch); `null` if none is kept. */
  find(refusal: Refusal, now: number): Answer | null {
    const kept = this.#ofRefusal.get(refusal);
    return kept && now >= kept.from && now < kept.until ? kept.answer : null;
  }

  /** @param period - for how long the answer says the truth; always, if it says nothing of the time */
  keep(refusal: Refusal, answer: Answer, { from, until } = ALWAYS): Answer {
    this.#ofRefusal.set(refusal, { answer, from, until });
    return answer;
  }
}

const ALWAYS = { from: -Infinity, until: Infinity };

/** While the seconds that are left until an end are the same whole number. */
export function samePeriod(end: number, now: number): { from: number; until: number } {
  if (end === Infinity) return ALWAYS;
  const seconds = Math.max(1, Math.ceil((end - now) / 1000));
  return { from: end - seconds * 1000, until: seconds === 1 ? Infinity : end - (seconds - 1) * 1000 };
}
