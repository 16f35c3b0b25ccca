import type { Refusal } from '../policy/refusal.js';
import type { Answer } from './answer.js';

/** How long an answer says the truth, in milliseconds since the epoch. */
interface ValidityPeriod {
  from: number;
  until: number;
}
interface CachedAnswer extends ValidityPeriod {
  answer: Answer;
}

/** The answers that everybody gets who is refused for the same reason, where they say how much time is left. */
export class AnswerCache {
  readonly #byRefusal = new WeakMap<Refusal, CachedAnswer>();

  /** The answer to a refusal at `now` (milliseconds since the epoch); `null` if none is kept. */
  find(refusal: Refusal, now: number): Answer | null {
    const kept = this.#byRefusal.get(refusal);
    return kept && now >= kept.from && now < kept.until ? kept.answer : null;
  }

  /** @param period - for how long the answer says the truth */
  store(refusal: Refusal, answer: Answer, { from, until }: ValidityPeriod): Answer {
    this.#byRefusal.set(refusal, { answer, from, until });
    return answer;
  }
}

/** While the seconds that are left until an end are the same whole number. */
export function getValidityPeriod(end: number, now: number): ValidityPeriod {
  if (end === Infinity) return { from: -Infinity, until: Infinity };
  const seconds = Math.max(1, Math.ceil((end - now) / 1000));
  return { from: end - seconds * 1000, until: seconds === 1 ? Infinity : end - (seconds - 1) * 1000 };
}
