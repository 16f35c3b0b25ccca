import type { CanActivate } from '@nestjs/common';
import { GUARDS_METADATA } from '../../nest-internals.js';
import type { Gateway } from './gateway-rules.js';

type Class = Gateway['type'];

/**
 * Puts a guard on gateways as `@UseGuards()` does: Nest 11 runs no global guard for them. Nest reads this when it creates the
 * handlers, so whichever application comes later with the same class meets the guards of those that are still running.
 *
 * @param isFirst - before the gateway's own guards, instead of after them
 * @returns a function that takes it off
 */
export function guardGateways(types: readonly Class[], guard: CanActivate, isFirst: boolean): () => void {
  // A subclass inherits what its base has been given already.
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

/** A subclass that had no guards of its own is left without. */
function removeInheritedGuards(type: Class): void {
  const own = getGuards(type);
  const inherited = getGuards(Object.getPrototypeOf(type) as Class);
  const isSame = own.length === inherited.length && own.every((guard, index) => guard === inherited[index]);
  if (isSame) Reflect.deleteMetadata(GUARDS_METADATA, type);
}

function getGuards(type: Class): unknown[] {
  return (Reflect.getMetadata(GUARDS_METADATA, type) as unknown[] | undefined) ?? [];
}
