import type { ModulesContainer } from '@nestjs/core';

/** Finds providers by their methods, because importing the classes of a package would load it. */
export function findInstancesWith<T extends object>(modules: ModulesContainer, ...methods: (keyof T & string)[]): T[] {
  const found = new Set<T>();
  for (const { providers } of modules.values()) {
    for (const { instance, metatype } of providers.values()) {
      // Only methods of a class count: a `useValue` of the application may be any object.
      const prototype = (metatype as { prototype?: Record<string, unknown> } | null)?.prototype;
      if (prototype && methods.every((name) => typeof prototype[name] === 'function')) found.add(instance as T);
    }
  }
  return [...found];
}
