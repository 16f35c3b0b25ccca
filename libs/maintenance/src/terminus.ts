import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { MaintenanceService } from './maintenance.service.js';

/** What the indicator reports beside up or down. */
export interface MaintenanceHealth extends Record<string, unknown> {
  /** Whether some window is active now, or maintenance is forced on. */
  active: boolean;
  source: string;
  /** Kind and place of the storage. */
  storage: string;
  /** When the storage last answered, ISO 8601 in UTC. */
  lastReadAt: string | null;
  /** Why the storage fails. */
  error?: string;
}

/**
 * Tells `@nestjs/terminus` whether the storage of the state works. That maintenance is on is no failure. From memory: a health
 * check never waits for the storage.
 *
 * A storage that fails does not keep the application from serving, so leave the indicator out of checks by which an orchestrator
 * restarts the application.
 *
 * @example
 * ```ts
 * @Module({ imports: [TerminusModule], providers: [MaintenanceHealthIndicator], controllers: [HealthController] })
 * export class HealthModule {}
 *
 * this.health.check([() => this.maintenance.isHealthy('maintenance')]);
 * ```
 */
@Injectable()
export class MaintenanceHealthIndicator {
  constructor(
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
    @Inject(MaintenanceService) private readonly maintenance: MaintenanceService,
  ) {}

  /**
   * Up while the storage answers, down while it fails.
   *
   * @param key - under which the result stands. Default: `'maintenance'`
   */
  isHealthy<const Key extends string = 'maintenance'>(
    key: Key = 'maintenance' as Key,
  ): HealthIndicatorResult<Key, 'up' | 'down', MaintenanceHealth> {
    const { active, source, storage } = this.maintenance.status();
    const health: MaintenanceHealth = {
      active,
      source,
      storage: `${storage.kind} ${storage.location}`,
      lastReadAt: storage.lastReadAt,
      ...(storage.error !== undefined && { error: storage.error }),
    };
    const indicator = this.indicators.check(key);
    return storage.healthy ? indicator.up(health) : indicator.down(health);
  }
}
