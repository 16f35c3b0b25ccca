import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { patchMethod } from '../utils/patch-method.js';
import type { HttpIntegration } from './http-integration.js';
import { MaintenanceGuard } from './maintenance.guard.js';

type Activate = CanActivate['canActivate'];

/**
 * Replaces the rejection of a global guard that runs before the {@link MaintenanceGuard} by the refusal, where a
 * window covers the call. Many clients end their session when they get 401 during maintenance.
 */
export class EarlierGuards {
  readonly #restoreCallbacks: (() => void)[] = [];

  constructor(
    private readonly policy: MaintenancePolicy,
    private readonly guard: MaintenanceGuard,
    private readonly httpIntegration: HttpIntegration,
  ) {}

  /**
   * Wraps the guards that run before the maintenance guard: all global ones where only handlers use the maintenance
   * guard.
   */
  wrapGuards(config: ApplicationConfig): void {
    const guards = config.getGlobalGuards();
    const index = guards.findIndex((guard) => guard instanceof MaintenanceGuard);
    const own = index === -1 ? null : (guards[index] as MaintenanceGuard);
    // Only the method is replaced: the application may compare the guard itself. Nest runs request-scoped guards
    // after all others, so they need no wrapper.
    for (const guard of own ? guards.slice(0, index) : guards) this.#wrapGuard(guard, own);
  }

  /** Restores the guards. */
  unwrapGuards(): void {
    for (const restore of this.#restoreCallbacks.splice(0).reverse()) restore();
  }

  #wrapGuard(guard: CanActivate, own: MaintenanceGuard | null): void {
    const declared: unknown = Reflect.get(guard, 'canActivate');
    try {
      const restore = patchMethod(guard, 'canActivate', (activate) => {
        const wrapped: Activate = (context) => this.#activate(activate, context, own);
        // A mock function of a test keeps its methods.
        return Object.setPrototypeOf(wrapped, declared as object) as Activate;
      });
      this.#restoreCallbacks.push(restore);
    } catch {
      // The guard is frozen or has a getter: its rejections stay.
    }
  }

  #activate(activate: Activate, context: ExecutionContext, own: MaintenanceGuard | null): ReturnType<Activate> {
    if (this.policy.isIdle && !this.httpIntegration.handlers.hasForcedHandlers) return activate(context);
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
      this.httpIntegration.handlers.isGuarded({
        controller: context.getClass(),
        handler: context.getHandler() as never,
      });
    if (isGuarded) await (own ?? this.guard).refuseRejectedCall(context);
    if (failure) throw failure.error;
    return false;
  }
}
