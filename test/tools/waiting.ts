/** Ends a test that would never pass, in milliseconds: less than the timeout of Jest, which says less. */
export const TIMEOUT_MS = 25_000;

/**
 * Checks a condition repeatedly, until it holds. The limit only ends a test that would never pass.
 *
 * @param expected - the condition in words, for the error
 * @throws after `timeoutMs`
 */
export async function until(
  expected: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Timed out after ${timeoutMs} ms waiting until ${expected}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Returns the duration of some work in milliseconds. */
export async function measureTime(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
