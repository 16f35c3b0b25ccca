import type { CanActivate } from '@nestjs/common';
import { GUARDS_METADATA } from '../../nest-internals.js';
import type { Gateway } from './gateways.js';

type Class = Gateway['type'];

/**
 * Adds a guard to gateways as `@UseGuards()` does, because Nest 11 runs no global guards for them.
 *
 * Nest reads the metadata when it creates the handlers. If several applications in one process share a gateway class,
 * handlers of later ones also run the guards of earlier ones that are not closed.
 *
 * @param isFirst - `true` to run it before the gateway's own guards instead of after them
 * @returns a function that removes the guard
 */
export function guardGateways(types: readonly Class[], guard: CanActivate, isFirst: boolean): () => void {
  // A subclass inherits the guard that its base class already has.
  const guarded = types.filter((type) => {
    const others = getGuards(type);
    if (others.includes(guard)) return false;
    Reflect.defineMetadata(GUARDS_METADATA, isFirst ? [guard, ...others] : [...others, guard], type);
    return true;
  });
  return () => {
    for (const type of guarded) removeGuard(type, guard);
    for (const type of guarded) removeInheritedGuards(type);
  };
}

function removeGuard(type: Class, guard: CanActivate): void {
  Reflect.defineMetadata(
    GUARDS_METADATA,
    getGuards(type).filter((other) => other !== guard),
    type,
  );
}

/** Removes the metadata of a subclass that had no guards of its own, so that it inherits them again. */
function removeInheritedGuards(type: Class): void {
  const own = getGuards(type);
  const inherited = getGuards(Object.getPrototypeOf(type) as Class);
  const isSame = own.length === inherited.length && own.every((guard, index) => guard === inherited[index]);
  if (isSame) Reflect.deleteMetadata(GUARDS_METADATA, type);
}

function getGuards(type: Class): unknown[] {
  return (Reflect.getMetadata(GUARDS_METADATA, type) as unknown[] | undefined) ?? [];
}
