// What the module adds to the start of an application. See README.md beside this file.
import { APPLICATION, heard, start, stop } from './tools/pinned.mjs';
import { isShort, publish } from './tools/results.mjs';
import { median, shuffled, summary } from './tools/statistics.mjs';

const ROUNDS = isShort ? 2 : 31;
const VARIANTS = { without: 'without', config: 'with @nestjs/config alone', with: 'with the module' };

const found = new Map(Object.keys(VARIANTS).map((variant) => [variant, []]));
for (const variant of found.keys()) await boot(variant);
for (let round = 0; round < ROUNDS; round++) {
  for (const variant of shuffled(Object.keys(VARIANTS))) found.get(variant).push(await boot(variant));
}
// Nest itself loads some, if they are installed.
const byNest = new Set(found.get('without').flatMap((started) => started.loaded));
const loaded = [...new Set(found.get('with').flatMap((started) => started.loaded))].filter((name) => !byNest.has(name));
// The page is made with Handlebars: who looks for it has to find it there.
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
    'ms added by the module': summary(added('with', 'time')),
    'MiB added by the module': summary(added('with', 'memory')),
  },
});
if (loaded.length > 0) throw new Error(`loaded, though nobody uses it: ${loaded.join(', ')}`);
if (!used.loaded.includes('handlebars'))
  throw new Error('the page was made, and nobody saw Handlebars: look at OPTIONAL');

async function boot(variant) {
  const child = start(new URL('programs/boot.mjs', import.meta.url), {
    core: APPLICATION,
    args: [variant],
    execArgv: ['--expose-gc'],
  });
  const told = await heard(child);
  await stop(child);
  return told;
}
