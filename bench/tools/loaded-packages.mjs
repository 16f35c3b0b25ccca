// Lists the packages that the module loads with different options. As a program, it prints them as JSON.
import { APPLICATION_CORE, start, stop, waitForMessage } from './processes.mjs';

const NONE = [];
const REFUSALS = ['content-type', 'negotiator', 'on-headers', 'vary'];
/** Variants of `programs/boot.mjs`, and what each may load besides Fastify, Nest and `@nestjs/config`. */
const VARIANTS = [
  { variant: 'with', options: 'none', needed: NONE },
  { variant: 'addresses', options: 'exempt.ips', needed: NONE },
  { variant: 'paths', options: 'exempt.urls', needed: NONE },
  { variant: 'recurring', options: 'none, with a recurring window in the storage', needed: ['croner'] },
  { variant: 'template', options: 'response.template', needed: ['handlebars', 'source-map'] },
  { variant: 'refusing', options: 'none, after a refusal', needed: REFUSALS },
];

/** Starts an application for each variant, and returns the packages that it has loaded. */
export async function listLoadedPackages() {
  const base = new Set(await boot('config'));
  const found = [];
  for (const { variant, options, needed } of VARIANTS) {
    const files = (await boot(variant)).filter((file) => !base.has(file));
    const names = files.map((file) => /.*node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file)?.[1]);
    found.push({ options, needed, loaded: [...new Set(names.filter(Boolean))].sort() });
  }
  return found;
}

async function boot(variant) {
  const child = start(new URL('../programs/boot.mjs', import.meta.url), {
    core: APPLICATION_CORE,
    args: [variant, 'fastify'],
    execArgv: ['--import', new URL('record-modules.mjs', import.meta.url).href],
  });
  const { loaded } = await waitForMessage(child);
  await stop(child);
  return loaded;
}

if (process.argv[1] === import.meta.filename) console.log(JSON.stringify(await listLoadedPackages()));
