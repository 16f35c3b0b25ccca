import type { INestApplication } from '@nestjs/common';
import { parseSettings, type Settings } from './settings.js';
import { formatWelcome } from './welcome.js';

async function main(): Promise<void> {
  const { adapter, port, host } = parseSettings(process.env);
  const app = await createShop(adapter);
  app.enableShutdownHooks();
  await app.listen(port, host);
  process.stdout.write(formatWelcome(app, adapter));
}

// Loads only the adapter in use.
async function createShop(adapter: Settings['adapter']): Promise<INestApplication> {
  if (adapter === 'fastify') return (await import('./adapters/fastify-shop.js')).createFastifyShop();
  return (await import('./adapters/express-shop.js')).createExpressShop();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
