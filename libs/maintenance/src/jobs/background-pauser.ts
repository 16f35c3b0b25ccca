import type { Subscription } from 'rxjs';
import { MaintenanceLogger } from '../utils/maintenance-logger.js';
import type { BackgroundDeps, PausablePackage } from './background.interfaces.js';
import { detectBackgroundPackages } from './detect-background-packages.js';

/** Work that nobody calls: it rests while a full window covers it. What the application does not use is not loaded. */
export class BackgroundPauser {
  readonly #logger = new MaintenanceLogger();
  readonly #packages: PausablePackage[] = [];
  #changes: Subscription | null = null;
  #lastLogged = '';

  /** @param deps - `null`: nothing is to rest */
  constructor(private readonly deps: BackgroundDeps | null) {}

  /** Hooks in. To be called when all providers are there and none of them has been told so. */
  async attach(): Promise<void> {
    const { deps: parts } = this;
    if (!parts) return;
    const usage = detectBackgroundPackages(parts.modules);
    if (usage.hasSchedules) this.#packages.push(new (await import('./schedules.js')).Schedules(parts));
    if (usage.hasBullMq) this.#packages.push(new (await import('./bullmq-workers.js')).BullMqWorkers(parts));
    if (usage.hasBull) this.#packages.push(new (await import('./bull-queues.js')).BullQueues(parts));
    for (const used of this.#packages) used.attach();
  }

  /** Begins to follow what holds. */
  start(): void {
    if (!this.deps) return;
    this.#changes = this.deps.changes.subscribe(() => this.#update());
    this.#update();
  }

  close(): void {
    this.#changes?.unsubscribe();
    for (const used of this.#packages) used.close();
  }

  #update(): void {
    for (const used of this.#packages) used.update?.();
    const resting = this.#packages.flatMap(({ pausedSummary: resting }) => resting ?? []).join(', ');
    if (resting === this.#lastLogged) return;
    this.#lastLogged = resting;
    this.#logger.log(resting ? `Background work rests: ${resting}.` : 'Background work goes on.');
  }
}
