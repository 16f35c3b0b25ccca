import type { ModulesContainer } from '@nestjs/core';

/** The instances of providers that have certain methods. A package is known by them: to import its classes would load it. */
export function findInstancesWith<T extends object>(modules: ModulesContainer, ...methods: (keyof T & string)[]): T[] {
  const found = new Set<T>();
  for (const { providers } of modules.values()) {
    for (const { instance, metatype } of providers.values()) {
      // Only what is a class's own: a value of the application's may be anything.
      const prototype = (metatype as { prototype?: Record<string, unknown> } | null)?.prototype;
      if (prototype && methods.every((name) => typeof prototype[name] === 'function')) found.add(instance as T);
    }
  }
  return [...found];
}
