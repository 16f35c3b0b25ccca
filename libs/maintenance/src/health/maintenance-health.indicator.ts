import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { MaintenanceService } from '../maintenance.service.js';

/** The details that the indicator reports beside up or down. */
export interface MaintenanceHealth extends Record<string, unknown> {
  /** Whether maintenance is on. */
  active: boolean;
  /** The origin of the answer: `StatusSource`. */
  source: string;
  /** Kind and location of the storage. */
  storage: string;
  /** The time of the last successful read, ISO 8601 in UTC. */
  lastReadAt: string | null;
  /** The error of the storage, while it fails. */
  error?: string;
}

/**
 * Reports to `@nestjs/terminus` whether the storage works. Active maintenance is reported as healthy. The indicator
 * answers from memory: a health check never waits for the storage.
 *
 * The application keeps serving while the storage fails. Leave the indicator out of checks whose failure restarts it.
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
   * Reports up while the storage answers, and down while it fails.
   *
   * @param key - the key of the result. Default: `'maintenance'`
   * @returns the result, for `HealthCheckService.check()`
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
