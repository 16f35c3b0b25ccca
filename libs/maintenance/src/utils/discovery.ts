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
  const found: T[] = [];
  for (const target of listDecorated(discovery)) {
    const value = Reflect.getMetadata(key, target) as T | undefined;
    if (value !== undefined) found.push(value);
  }
  return found;
}

/**
 * Finds the keys under which decorators have left metadata on controllers, providers and methods of the application.
 *
 * @param keys - the keys to look for; an application may have thousands of methods, so look for all in one call
 */
export function findUsedKeys<Key extends string | symbol>(discovery: DiscoveryService, keys: Key[]): Set<Key> {
  const unused = new Set(keys);
  const used = new Set<Key>();
  for (const target of listDecorated(discovery)) {
    for (const key of unused) {
      if (!hasMetadata(key, target)) continue;
      used.add(key);
      unused.delete(key);
    }
  }
  return used;
}

/** Does the same as `Reflect.hasMetadata()`, without the prototypes of all functions: several times as fast. */
function hasMetadata(key: string | symbol, target: object): boolean {
  for (let owner: unknown = target; owner && owner !== Function.prototype; owner = Object.getPrototypeOf(owner)) {
    if (Reflect.hasOwnMetadata(key, owner)) return true;
  }
  return false;
}

/** Lists what a decorator can have left metadata on: the classes of controllers and providers, and their methods. */
function* listDecorated(discovery: DiscoveryService): Generator<object> {
  const scanner = new MetadataScanner();
  for (const { metatype } of [...discovery.getControllers(), ...discovery.getProviders()]) {
    const prototype = getPrototype(metatype);
    if (!prototype) continue;
    yield metatype as object;
    for (const name of scanner.getAllMethodNames(prototype)) yield prototype[name] as object;
  }
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
