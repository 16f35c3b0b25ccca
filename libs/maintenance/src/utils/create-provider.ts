import type { FactoryProvider, InjectionToken } from '@nestjs/common';

/** A class that is created with these arguments. */
type ClassWith<T, Args extends unknown[]> = new (...args: Args) => T;

/**
 * Provides a class by a factory. Of a class that is given to Nest as it is, Nest reads the decorators of each method
 * when the application starts, five times.
 *
 * @param type - the class, which is its own token
 * @param inject - the tokens of the arguments of its constructor
 */
export function createProvider<T, Args extends unknown[]>(
  type: ClassWith<T, Args>,
  inject: { [Index in keyof Args]: InjectionToken } | readonly [] = [],
): FactoryProvider<T> {
  return { provide: type, inject: [...inject], useFactory: (...args: Args) => new type(...args) };
}
