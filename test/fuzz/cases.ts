import fc, { type Arbitrary } from 'fast-check';

/** Cases for each property; `npm run fuzz` has 10,000. */
export const CASES = Number(process.env.FUZZ_RUNS || 200);

/** Fits the long form too, in milliseconds. */
export const PATIENCE = 600_000;

/**
 * Checks that something holds for whatever is made. A failure names the smallest case that was found, and the seed: `FUZZ_SEED`
 * makes the same cases again.
 */
export function holds<T>(
  made: Arbitrary<T>,
  check: (value: T) => Promise<void> | void,
  cases: number = CASES,
): Promise<void> {
  const seed = process.env.FUZZ_SEED;
  return fc.assert(
    fc.asyncProperty(made, async (value) => check(value)),
    { numRuns: Math.ceil(cases), ...(seed && { seed: Number(seed) }) },
  );
}

/** Fails if something has got into what all objects inherit. */
export function expectCleanPrototypes(): void {
  expect(
    [Object.prototype, Array.prototype, Function.prototype].flatMap((prototype) => Object.keys(prototype)),
  ).toEqual([]);
}
