import type { INestApplication } from '@nestjs/common';
import { settingsFrom, type Settings } from './settings.js';
import { welcome } from './welcome.js';

async function main(): Promise<void> {
  const { adapter, port, host } = settingsFrom(process.env);
  const app = await createShop(adapter);
  app.enableShutdownHooks();
  await app.listen(port, host);
  process.stdout.write(welcome(app, adapter));
}

// Only the adapter in use is loaded.
async function createShop(adapter: Settings['adapter']): Promise<INestApplication> {
  if (adapter === 'fastify') return (await import('./adapters/fastify-shop.js')).createFastifyShop();
  return (await import('./adapters/express-shop.js')).createExpressShop();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
