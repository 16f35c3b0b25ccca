import { max, median, min, shuffle as shuffleInPlace } from 'd3-array';

export { median, quantile } from 'd3-array';

/** Returns the median of repeated measurements, and their range. */
export function summarize(numbers) {
  return { median: median(numbers), min: min(numbers), max: max(numbers), n: numbers.length };
}

/** Returns the quotients of two variants, measured in the same rounds. */
export function getRatios(numbers, others) {
  return numbers.map((number, round) => number / others[round]);
}

/** Rounds to significant digits, without an exponent in what people read. */
export function roundToDigits(number, digits = 3) {
  return Number(number.toPrecision(digits));
}

/** Returns a copy in random order, so that no variant always follows the same other one. */
export function shuffle(items) {
  return shuffleInPlace([...items]);
}
