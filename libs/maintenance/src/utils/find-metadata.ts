import { MetadataScanner, type ModulesContainer } from '@nestjs/core';

/** Returns the values that a decorator has left on the controllers, providers and methods of the application. */
export function findMetadata<T>(modules: ModulesContainer, key: symbol): T[] {
  const scanner = new MetadataScanner();
  const classes = [...modules.values()].flatMap(({ controllers, providers }) =>
    [...controllers.values(), ...providers.values()].map(({ metatype }) => metatype),
  );
  return classes.flatMap((metatype) => {
    const prototype = (metatype as { prototype?: Record<string, unknown> } | null)?.prototype;
    if (typeof metatype !== 'function' || !prototype) return [];
    return [metatype, ...scanner.getAllMethodNames(prototype).map((name) => prototype[name])]
      .map((target) => (typeof target === 'function' ? (Reflect.getMetadata(key, target) as T | undefined) : undefined))
      .filter((value) => value !== undefined);
  });
}
