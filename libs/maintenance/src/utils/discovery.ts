import type { InjectionToken } from '@nestjs/common';
import { MetadataScanner, type DiscoveryService } from '@nestjs/core';

/** The class of a controller or provider. */
export type Class = abstract new (...args: never[]) => unknown;
/** A method of such a class. */
export type Method = (...args: never[]) => unknown;

/** A provider of the application as Nest keeps it. */
export type ProviderWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** Returns the providers that the modules of the application declare for a token. */
export function findProviders(discovery: DiscoveryService, token: InjectionToken): ProviderWrapper[] {
  return discovery.getProviders().filter((wrapper) => wrapper.token === token);
}

/** Whether a module of the application declares a provider for a token. */
export function hasProvider(discovery: DiscoveryService, token: InjectionToken): boolean {
  return findProviders(discovery, token).length > 0;
}

/** Finds providers by the methods of their classes, because importing the classes of a package would load it. */
export function findInstancesWith<T extends object>(
  discovery: DiscoveryService,
  ...methods: (keyof T & string)[]
): T[] {
  const found = discovery.getProviders().filter(({ metatype }) => {
    // Only methods of a class count: a `useValue` of the application may be any object.
    const prototype = getPrototype(metatype);
    return prototype && methods.every((name) => typeof prototype[name] === 'function');
  });
  return [...new Set(found.map(({ instance }) => instance as T))];
}

/**
 * Returns the values that a decorator has left on the controllers, providers and methods of the application. Classes
 * are read, not instances: while providers are created, most instances do not exist yet.
 */
export function findMetadata<T>(discovery: DiscoveryService, key: string | symbol): T[] {
  return [...discovery.getControllers(), ...discovery.getProviders()].flatMap(({ metatype }) => {
    const prototype = getPrototype(metatype);
    if (!prototype) return [];
    const targets = [metatype as object, ...getMethods(prototype).map(([, method]) => method)];
    return targets
      .map((target) => Reflect.getMetadata(key, target) as T | undefined)
      .filter((value) => value !== undefined);
  });
}

/** Whether a decorator has left metadata on a controller, a provider or a method of the application. */
export function hasMetadata(discovery: DiscoveryService, key: string | symbol): boolean {
  return findMetadata(discovery, key).length > 0;
}

/** Returns the methods of a prototype, inherited ones included, with their names. */
export function getMethods(prototype: object | null): [name: string, method: Method][] {
  return new MetadataScanner()
    .getAllMethodNames(prototype)
    .map((name) => [name, (prototype as Record<string, Method>)[name]!]);
}

/** Returns the prototype of a class; `undefined` for the function of a factory and for `null`. */
function getPrototype(metatype: unknown): Record<string, unknown> | undefined {
  return (metatype as { prototype?: Record<string, unknown> } | null)?.prototype;
}
