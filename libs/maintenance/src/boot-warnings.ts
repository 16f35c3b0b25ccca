import type { OnApplicationBootstrap } from '@nestjs/common';
import type { DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import { CLI_ONLY, SKIP_METADATA } from './maintenance.constants.js';
import { KNOWN_VARIABLES, type EnvironmentOptions } from './options/environment.js';
import type { MaintenanceModuleExtras, MaintenanceModuleOptions } from './options/maintenance-options.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import { findUnknownVariables } from './options/unknown-variables.js';
import { findMetadata, hasProvider } from './utils/discovery.js';
import { MaintenanceLogger } from './utils/maintenance-logger.js';

/** Warns, once the application has started, of settings that have no effect or an unexpected one. */
export class BootWarnings implements OnApplicationBootstrap {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly host: HttpAdapterHost,
    private readonly options: ResolvedOptions,
    private readonly given: MaintenanceModuleOptions | undefined,
    private readonly fromEnvironment: EnvironmentOptions,
    private readonly extras: MaintenanceModuleExtras,
  ) {}

  onApplicationBootstrap(): void {
    // A command-line program serves no requests, and other programs may parse its output.
    if (hasProvider(this.discovery, CLI_ONLY)) return;
    const logger = new MaintenanceLogger();
    for (const warning of [...this.#getVariableWarnings(), ...this.#getHttpWarnings()]) logger.warn(warning);
  }

  #getVariableWarnings(): string[] {
    return findUnknownVariables(process.env, KNOWN_VARIABLES).map(({ name, suggestion }) => {
      const guess = suggestion === undefined ? '' : ` Did you mean ${suggestion}?`;
      return `The environment variable ${JSON.stringify(name)} has no effect: there is no such option.${guess}`;
    });
  }

  #getHttpWarnings(): string[] {
    // A worker without HTTP may share the environment of the application.
    if (!this.host.httpAdapter) return [];
    const warnings: string[] = [];
    const { adminToken, exempt } = this.options;
    if (adminToken !== undefined && !this.extras.admin)
      warnings.push(
        '`adminToken` (environment: MAINTENANCE_ADMIN_TOKEN) has no effect: there are no admin endpoints. ' +
          'Set `admin: true` beside the options of MaintenanceModule, or remove the token.',
      );
    const urls = this.given?.exempt?.urls ?? this.fromEnvironment.exempt?.urls ?? [];
    const hasSkippedHandler = (): boolean => findMetadata(this.discovery, SKIP_METADATA).includes(true);
    if (exempt.roles.size > 0 && urls.length === 0 && !hasSkippedHandler())
      warnings.push(
        '`exempt.roles` is set, but nothing is exempt through which users could log in while maintenance is on. ' +
          'Put @SkipMaintenance() on the handler of the login, or name its path in `exempt.urls`.',
      );
    return warnings;
  }
}
