import type { CanActivate } from '@nestjs/common';
import type { Gateway } from './gateway-rules.js';

type Class = Gateway['type'];
/** What Nest keeps of `@UseGuards()`. */
const GUARDS = '__guards__';

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
    const others = guardsOf(type);
    if (others.includes(guard)) return false;
    Reflect.defineMetadata(GUARDS, isFirst ? [guard, ...others] : [...others, guard], type);
    return true;
  });
  return () => {
    for (const type of guarded) takeOff(type, guard);
    for (const type of guarded) forgetInherited(type);
  };
}

function takeOff(type: Class, guard: CanActivate): void {
  Reflect.defineMetadata(
    GUARDS,
    guardsOf(type).filter((other) => other !== guard),
    type,
  );
}

/** A subclass that had no guards of its own is left without. */
function forgetInherited(type: Class): void {
  const own = guardsOf(type);
  const inherited = guardsOf(Object.getPrototypeOf(type) as Class);
  const isSame = own.length === inherited.length && own.every((guard, index) => guard === inherited[index]);
  if (isSame) Reflect.deleteMetadata(GUARDS, type);
}

function guardsOf(type: Class): unknown[] {
  return (Reflect.getMetadata(GUARDS, type) as unknown[] | undefined) ?? [];
}
