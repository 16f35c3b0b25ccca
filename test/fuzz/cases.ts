import fc, { type Arbitrary } from 'fast-check';

const DEFAULT_CASES = 200;

/** Number of cases for each property; `npm run fuzz` runs 10,000. */
export const CASES = Number(process.env.FUZZ_RUNS || DEFAULT_CASES);

/** Short runs use a fixed seed, so that their coverage does not depend on chance; long runs use new seeds. */
const SEED = process.env.FUZZ_SEED || (CASES <= DEFAULT_CASES ? '1' : undefined);

/** Test timeout in milliseconds, long enough for the long form. */
export const PATIENCE = 600_000;

/**
 * Checks a property for arbitrary values. A failure names the smallest counterexample and the seed; `FUZZ_SEED` repeats
 * the same cases.
 */
export function holds<T>(
  values: Arbitrary<T>,
  check: (value: T) => Promise<void> | void,
  cases: number = CASES,
): Promise<void> {
  return fc.assert(
    fc.asyncProperty(values, async (value) => check(value)),
    { numRuns: Math.ceil(cases), ...(SEED && { seed: Number(SEED) }) },
  );
}

/** Fails if a built-in prototype was polluted. */
export function expectCleanPrototypes(): void {
  expect(
    [Object.prototype, Array.prototype, Function.prototype].flatMap((prototype) => Object.keys(prototype)),
  ).toEqual([]);
}
