import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { patchMethod } from '../utils/patch-method.js';
import { MaintenanceGuard } from './maintenance.guard.js';
import type { RoutedHandlers } from './routed-handlers.js';

type Activate = CanActivate['canActivate'];

/**
 * Answers with the refusal where a global guard that runs before the {@link MaintenanceGuard} rejects a call that a window covers.
 * An anonymous client learns of the maintenance then. To "log in", many a client would answer by ending its session.
 */
export class EarlierGuards {
  readonly #restoreCallbacks: (() => void)[] = [];

  constructor(
    private readonly policy: MaintenancePolicy,
    private readonly guard: MaintenanceGuard,
    private readonly handlers: RoutedHandlers,
  ) {}

  /** Follows the guards that run before the maintenance guard: all global ones where handlers name that guard themselves. */
  wrapGuards(config: ApplicationConfig): void {
    const guards = config.getGlobalGuards();
    const index = guards.findIndex((guard) => guard instanceof MaintenanceGuard);
    const own = index === -1 ? null : (guards[index] as MaintenanceGuard);
    // The method is replaced, not the guard: the application may look for that very object. Request-scoped guards need nothing,
    // since Nest runs them after all others.
    for (const guard of own ? guards.slice(0, index) : guards) this.#wrapGuard(guard, own);
  }

  /** Puts the guards back as they were. */
  unwrapGuards(): void {
    for (const restore of this.#restoreCallbacks.splice(0).reverse()) restore();
  }

  #wrapGuard(guard: CanActivate, own: MaintenanceGuard | null): void {
    const declared: unknown = Reflect.get(guard, 'canActivate');
    try {
      const restore = patchMethod(guard, 'canActivate', (activate) => {
        const followed: Activate = (context) => this.#activate(activate, context, own);
        // A mock of a test stays one.
        return Object.setPrototypeOf(followed, declared as object) as Activate;
      });
      this.#restoreCallbacks.push(restore);
    } catch {
      // It is frozen, or has a getter: its answers stand.
    }
  }

  #activate(activate: Activate, context: ExecutionContext, own: MaintenanceGuard | null): ReturnType<Activate> {
    if (this.policy.isIdle && !this.handlers.hasForcedHandlers) return activate(context);
    return this.#activateOrRefuse(activate, context, own);
  }

  async #activateOrRefuse(
    activate: Activate,
    context: ExecutionContext,
    own: MaintenanceGuard | null,
  ): Promise<boolean> {
    let failure: { error: unknown } | null = null;
    try {
      const result = await activate(context);
      if (isObservable(result) ? await lastValueFrom(result) : result) return true;
    } catch (error) {
      failure = { error };
    }
    const isGuarded =
      own !== null ||
      this.handlers.isGuarded({ controller: context.getClass(), handler: context.getHandler() as never });
    if (isGuarded) await (own ?? this.guard).refuseRejectedCall(context);
    if (failure) throw failure.error;
    return false;
  }
}
