import fc, { type Arbitrary } from 'fast-check';

const FEW = 200;

/** Cases for each property; `npm run fuzz` has 10,000. */
export const CASES = Number(process.env.FUZZ_RUNS || FEW);

/** A few cases are the same ones each time, so that whether they reach everything is not left to chance; many are new ones. */
const SEED = process.env.FUZZ_SEED || (CASES <= FEW ? '1' : undefined);

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
  return fc.assert(
    fc.asyncProperty(made, async (value) => check(value)),
    { numRuns: Math.ceil(cases), ...(SEED && { seed: Number(SEED) }) },
  );
}

/** Fails if something has got into what all objects inherit. */
export function expectCleanPrototypes(): void {
  expect(
    [Object.prototype, Array.prototype, Function.prototype].flatMap((prototype) => Object.keys(prototype)),
  ).toEqual([]);
}
