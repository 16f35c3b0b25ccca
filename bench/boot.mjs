// Measures what the module adds to the start of an application. See README.md in this folder.
import { APPLICATION_CORE, waitForMessage, start, stop } from './tools/processes.mjs';
import { isShort, publish } from './tools/results.mjs';
import { median, shuffle, summarize } from './tools/statistics.mjs';

const ROUNDS = isShort ? 2 : 31;
const VARIANTS = { without: 'without', config: 'with @nestjs/config alone', with: 'with the module' };

const found = new Map(Object.keys(VARIANTS).map((variant) => [variant, []]));
for (const variant of found.keys()) await boot(variant);
for (let round = 0; round < ROUNDS; round++) {
  for (const variant of shuffle(Object.keys(VARIANTS))) found.get(variant).push(await boot(variant));
}
// Nest itself loads some of them, if they are installed.
const byNest = new Set(found.get('without').flatMap((started) => started.loaded));
const loaded = [...new Set(found.get('with').flatMap((started) => started.loaded))].filter((name) => !byNest.has(name));
// Handlebars renders the page: a search that works has to find it.
const used = await boot('used');

const of = (variant, what) => found.get(variant).map((started) => started[what]);
const added = (variant, what) => of(variant, what).map((value, round) => value - of('without', what)[round]);
const rows = Object.entries(VARIANTS).map(([variant, application]) => ({
  application,
  'ms, median': median(of(variant, 'time')),
  'ms, added': median(added(variant, 'time')),
  'MiB, median': median(of(variant, 'memory')),
  'MiB, added': median(added(variant, 'memory')),
}));
await publish('boot', {
  rows,
  targets: [
    { what: 'ms that the module adds to the start', value: rows[2]['ms, added'], atMost: 15 },
    { what: 'MiB that the module adds', value: rows[2]['MiB, added'], atMost: 5 },
    { what: 'optional packages loaded, though none is used', value: loaded.length, atMost: 0 },
  ],
  samples: {
    'ms added by the module': summarize(added('with', 'time')),
    'MiB added by the module': summarize(added('with', 'memory')),
  },
});
if (loaded.length > 0) throw new Error(`Optional packages were loaded without being used: ${loaded.join(', ')}`);
if (!used.loaded.includes('handlebars'))
  throw new Error(
    'Handlebars was not found among the loaded packages, though it has rendered the page: check OPTIONAL',
  );

async function boot(variant) {
  const child = start(new URL('programs/boot.mjs', import.meta.url), {
    core: APPLICATION_CORE,
    args: [variant],
    execArgv: ['--expose-gc'],
  });
  const result = await waitForMessage(child);
  await stop(child);
  return result;
}
