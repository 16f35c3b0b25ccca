/** The cache is emptied when it has as many entries. */
const MAX_ENTRIES = 10_000;

/**
 * Caches the results of a function of strings that repeat, such as the addresses of clients. The cache is bounded, so
 * that a client which makes up strings can't fill the memory.
 *
 * @param compute - a pure function
 * @param maxLength - the length in characters up to which results are cached
 * @returns the function with a cache
 */
export function memoize<Result extends string | boolean>(
  compute: (text: string) => Result,
  maxLength: number,
): (text: string) => Result {
  const cache = new Map<string, Result>();
  return (text) => {
    const cached = cache.get(text);
    if (cached !== undefined) return cached;
    const result = compute(text);
    if (text.length > maxLength) return result;
    if (cache.size === MAX_ENTRIES) cache.clear();
    cache.set(copyString(text), result);
    return result;
  };
}

/** Copies a string: V8 keeps the whole text of a substring in memory, such as the query of a path. */
function copyString(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}
