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

/** Caches answers that are the same for all clients of a language, and may contain the time that is left. */
export class AnswerCache {
  readonly #byRefusal = new WeakMap<Refusal, Map<string, CachedAnswer>>();

  /**
   * Returns the cached answer, or `null`.
   *
   * @param language - the tag of the language
   * @param now - milliseconds since the epoch
   */
  find(refusal: Refusal, language: string, now: number): Answer | null {
    const cached = this.#byRefusal.get(refusal)?.get(language);
    return cached && now >= cached.from && now < cached.until ? cached.answer : null;
  }

  /**
   * Caches an answer for as long as the number of seconds until the end stays the same.
   *
   * @param end - the end that the answer contains, in milliseconds since the epoch; `Infinity` if it contains none
   * @param now - milliseconds since the epoch
   * @returns the answer
   */
  store(refusal: Refusal, language: string, answer: Answer, end: number, now: number): Answer {
    let byLanguage = this.#byRefusal.get(refusal);
    if (!byLanguage) this.#byRefusal.set(refusal, (byLanguage = new Map<string, CachedAnswer>()));
    byLanguage.set(language, { answer, ...getValidityPeriod(end, now) });
    return answer;
  }
}

function getValidityPeriod(end: number, now: number): ValidityPeriod {
  if (end === Infinity) return { from: -Infinity, until: Infinity };
  const seconds = Math.max(1, Math.ceil((end - now) / 1000));
  return { from: end - seconds * 1000, until: seconds === 1 ? Infinity : end - (seconds - 1) * 1000 };
}
