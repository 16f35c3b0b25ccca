import { settingsFrom, type Settings } from './settings.js';
import { welcome } from './welcome.js';

async function main(): Promise<void> {
  const { adapter, port, host } = settingsFrom(process.env);
  const app = await createShop(adapter);
  app.enableShutdownHooks();
  await app.listen(port, host);
  console.log(welcome(app, adapter));
}

// Only the adapter in use is loaded.
async function createShop(adapter: Settings['adapter']) {
  if (adapter === 'fastify') return (await import('./adapters/fastify-shop.js')).createFastifyShop();
  return (await import('./adapters/express-shop.js')).createExpressShop();
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
