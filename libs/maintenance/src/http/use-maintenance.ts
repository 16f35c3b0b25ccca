import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { HttpIntegration } from './http-integration.js';

/**
 * Moves the edge to this place of `main.ts` on Express, for applications that register static files, sessions or parsers of their
 * own before Nest's body parsers. Put it after CORS, so that refused answers keep their CORS headers. On Fastify, where the edge
 * comes before all plugins and middleware anyway, it changes nothing.
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
  findHttpIntegration(app).installMiddleware();
}

// Not app.get(HttpMount): where a provider is missing, Nest ends the process before anybody can say what to do.
function findHttpIntegration(app: INestApplication): HttpIntegration {
  for (const { providers } of app.get(ModulesContainer).values()) {
    const mount: unknown = providers.get(HttpIntegration)?.instance;
    if (mount instanceof HttpIntegration) return mount;
  }
  throw new Error('useMaintenance(app): add MaintenanceModule.forRoot() to the imports of the root module first.');
}
