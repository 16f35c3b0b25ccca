import type { Refusal } from '../policy/refusal.js';
import type { Answer } from './answer.js';

/** The time in which an answer is correct, in milliseconds since the epoch. */
interface ValidityPeriod {
  from: number;
  until: number;
}
interface CachedAnswer extends ValidityPeriod {
  answer: Answer;
}

/** Caches answers that are the same for all clients and contain the time that is left. */
export class AnswerCache {
  readonly #byRefusal = new WeakMap<Refusal, CachedAnswer>();

  /** Returns the cached answer to a refusal at `now` (milliseconds since the epoch), or `null`. */
  find(refusal: Refusal, now: number): Answer | null {
    const cached = this.#byRefusal.get(refusal);
    return cached && now >= cached.from && now < cached.until ? cached.answer : null;
  }

  /**
   * Caches an answer.
   *
   * @param period - the time in which the answer is correct
   * @returns the answer
   */
  store(refusal: Refusal, answer: Answer, { from, until }: ValidityPeriod): Answer {
    this.#byRefusal.set(refusal, { answer, from, until });
    return answer;
  }
}

/** Returns the period in which the time left until `end` is the same number of seconds. */
export function getValidityPeriod(end: number, now: number): ValidityPeriod {
  if (end === Infinity) return { from: -Infinity, until: Infinity };
  const seconds = Math.max(1, Math.ceil((end - now) / 1000));
  return { from: end - seconds * 1000, until: seconds === 1 ? Infinity : end - (seconds - 1) * 1000 };
}
