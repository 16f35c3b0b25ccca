/** The middle one; of two, the mean. */
export function median(numbers) {
  return quantile(numbers, 0.5);
}

/** Linear between the two nearest of the sorted numbers. `at`: 0 is the least, 1 the greatest. */
export function quantile(numbers, at) {
  const sorted = Float64Array.from(numbers).sort();
  const place = (sorted.length - 1) * at;
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/** What was measured more than once, as it is kept: the median, and what lies around it. */
export function summary(numbers) {
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers), n: numbers.length };
}

/** The quotients of what was measured in the same rounds. */
export function ratios(numbers, others) {
  return numbers.map((number, round) => number / others[round]);
}

/** With so many significant digits, and no exponent for what people read. */
export function rounded(number, digits = 3) {
  return Number(number.toPrecision(digits));
}

/** In an order of its own for each call, so that no variant always follows the same other one. */
export function shuffled(items) {
  const left = [...items];
  return Array.from(items, () => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
}
