import type { Subscription } from 'rxjs';
import { MaintenanceLogger } from '../utils/maintenance-logger.js';
import type { BackgroundParts, RestingPackage } from './background-parts.js';
import { usageOf } from './usage.js';

/** Work that nobody calls: it rests while a full window covers it. What the application does not use is not loaded. */
export class Background {
  readonly #logger = new MaintenanceLogger();
  readonly #packages: RestingPackage[] = [];
  #changes: Subscription | null = null;
  #said = '';

  /** @param parts - `null`: nothing is to rest */
  constructor(private readonly parts: BackgroundParts | null) {}

  /** Hooks in. To be called when all providers are there and none of them has been told so. */
  async attach(): Promise<void> {
    const { parts } = this;
    if (!parts) return;
    const usage = usageOf(parts.modules);
    if (usage.schedules) this.#packages.push(new (await import('./schedules.js')).Schedules(parts));
    if (usage.queues) this.#packages.push(new (await import('./queues.js')).Queues(parts));
    if (usage.bullQueues) this.#packages.push(new (await import('./bull-queues.js')).BullQueues(parts));
    for (const used of this.#packages) used.attach();
  }

  /** Begins to follow what holds. */
  started(): void {
    if (!this.parts) return;
    this.#changes = this.parts.changes.subscribe(() => this.#review());
    this.#review();
  }

  close(): void {
    this.#changes?.unsubscribe();
    for (const used of this.#packages) used.close();
  }

  #review(): void {
    for (const used of this.#packages) used.review?.();
    const resting = this.#packages.flatMap(({ resting }) => resting ?? []).join(', ');
    if (resting === this.#said) return;
    this.#said = resting;
    this.#logger.log(resting ? `Background work rests: ${resting}.` : 'Background work goes on.');
  }
}
