import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, HealthIndicatorService, type HealthCheckResult } from '@nestjs/terminus';
import { MaintenanceHealthIndicator } from 'nestjs-maintenance/terminus';
import { Database } from './database.js';

/** These paths are exempt by default, so a pod stays alive and ready during maintenance, and tells clients about it. */
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly maintenance: MaintenanceHealthIndicator,
    private readonly database: Database,
  ) {}

  /** Checks no other server: a restart of the pod would not repair it. */
  @Get('livez')
  live(): string {
    return 'ok';
  }

  @Get('readyz')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.pingDatabase()]);
  }

  /** For monitoring: also tells whether the state of maintenance can be read. */
  @Get('health')
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.pingDatabase(), () => this.maintenance.isHealthy('maintenance')]);
  }

  private async pingDatabase() {
    const check = this.indicators.check('database');
    return this.database.query('SELECT 1').then(
      () => check.up(),
      (error: Error) => check.down(error.message),
    );
  }
}
