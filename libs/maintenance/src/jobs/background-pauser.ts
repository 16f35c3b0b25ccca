import type { DiscoveryService } from '@nestjs/core';
import type { Subscription } from 'rxjs';
import {
  BULL_PROCESSOR_METADATA,
  BULLMQ_PROCESSOR_METADATA,
  SCHEDULE_OPTIONS,
  type BullExplorer,
  type BullMqExplorer,
} from '../nest-internals.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { findInstancesWith, findUsedKeys, hasProvider } from '../utils/discovery.js';
import { MaintenanceLogger } from '../utils/maintenance-logger.js';
import type { BackgroundDeps } from './background-deps.js';
import type { PausablePackage } from './pausable-package.interface.js';

/**
 * Pauses background work during full windows, if `background.pause` is set. Loads only packages that the application
 * uses.
 */
export class BackgroundPauser {
  readonly #logger = new MaintenanceLogger();
  readonly #packages: PausablePackage[] = [];
  #changes: Subscription | null = null;
  #lastLogged = '';

  constructor(
    private readonly options: ResolvedOptions,
    private readonly deps: BackgroundDeps,
  ) {}

  /**
   * Patches the packages. Call it when all providers exist, before the first `onModuleInit()` of the application.
   *
   * @throws MaintenanceOptionsError if an installed version of a package is not supported
   */
  async attach(): Promise<void> {
    const { deps } = this;
    if (!this.options.background.pause) return;
    if (hasProvider(deps.discovery, SCHEDULE_OPTIONS))
      this.#packages.push(new (await import('./schedules.js')).Schedules(deps));
    const keys = findUsedKeys(deps.discovery, [BULLMQ_PROCESSOR_METADATA, BULL_PROCESSOR_METADATA]);
    // Without the explorer, attach() reports that a module is missing.
    if (keys.has(BULLMQ_PROCESSOR_METADATA) || hasBullMqExplorer(deps.discovery))
      this.#packages.push(new (await import('./bullmq-workers.js')).BullMqWorkers(deps));
    if (keys.has(BULL_PROCESSOR_METADATA) || hasBullExplorer(deps.discovery))
      this.#packages.push(new (await import('./bull-queues.js')).BullQueues(deps));
    for (const pausable of this.#packages) pausable.attach();
  }

  /** Applies the current status, and each change from now on. */
  start(): void {
    if (!this.options.background.pause) return;
    this.#changes = this.deps.changes.subscribe(() => this.#update());
    this.#update();
  }

  /** Stops following changes, and removes the patches. */
  close(): void {
    this.#changes?.unsubscribe();
    for (const pausable of this.#packages) pausable.detach();
  }

  #update(): void {
    for (const pausable of this.#packages) pausable.update?.();
    const paused = this.#packages.flatMap((pausable) => describePaused(pausable) ?? []).join(', ');
    if (paused === this.#lastLogged) return;
    this.#lastLogged = paused;
    this.#logger.log(paused ? `Background work paused: ${paused}.` : 'Background work resumed.');
  }
}

function hasBullMqExplorer(discovery: DiscoveryService): boolean {
  return findInstancesWith<BullMqExplorer<unknown>>(discovery, 'registerWorkers', 'handleProcessor').length > 0;
}

function hasBullExplorer(discovery: DiscoveryService): boolean {
  return findInstancesWith<BullExplorer<unknown>>(discovery, 'handleProcessor', 'handleListener').length > 0;
}

function describePaused(pausable: PausablePackage): string | null {
  const count = pausable.countPaused();
  return count === 0 ? null : `${count} ${pausable.unit}${count === 1 ? '' : 's'}`;
}
