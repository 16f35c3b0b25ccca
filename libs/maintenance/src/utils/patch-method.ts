/**
 * Replaces a method of one object.
 *
 * @returns a function that puts things back
 */
export function patchMethod<T extends object, K extends keyof T>(
  target: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const replacement = make((target[name] as (...args: unknown[]) => unknown).bind(target) as T[K]);
  target[name] = replacement;
  return () => {
    // What somebody else has put over it since stays theirs.
    if (target[name] !== replacement) return;
    if (own) Object.defineProperty(target, name, own);
    else delete target[name];
  };
}
