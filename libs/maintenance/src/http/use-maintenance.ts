import type { INestApplication } from '@nestjs/common';
import { DiscoveryService, ModulesContainer } from '@nestjs/core';
import { findProviders } from '../utils/discovery.js';
import { HttpIntegration } from './http-integration.js';

/**
 * Installs the maintenance middleware at this place of `main.ts`, for applications on Express that register static
 * files, sessions or parsers of their own before Nest's body parsers. Call it after CORS, so that refusals keep their
 * CORS headers. On Fastify, the middleware runs before all plugins anyway, and this call changes nothing.
 *
 * @throws Error if the application does not import `MaintenanceModule`
 *
 * @example
 * ```ts
 * const app = await NestFactory.create<NestExpressApplication>(AppModule, { bodyParser: false });
 * app.enableCors();
 * useMaintenance(app);
 * app.useStaticAssets('public');
 * ```
 */
export function useMaintenance(app: INestApplication): void {
  // Not app.get(): where a provider is missing, Nest ends the process without a message that says what to do.
  const [provider] = findProviders(new DiscoveryService(app.get(ModulesContainer)), HttpIntegration);
  if (!provider)
    throw new Error('useMaintenance(app): add MaintenanceModule.forRoot() to the imports of the root module first.');
  (provider.instance as HttpIntegration).installMiddleware();
}
