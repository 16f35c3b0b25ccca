/**
 * Replaces a method of one object.
 *
 * @param target - the object
 * @param name - the method's name
 * @param make - creates the replacement; gets the original, bound to the object
 * @returns a function that restores the original
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
    // Another package has replaced the method since; its replacement stays.
    if (target[name] !== replacement) return;
    if (own) Object.defineProperty(target, name, own);
    else delete target[name];
  };
}
