// Measures what the module adds to the start of an application. See README.md in this folder.
import { listLoadedPackages } from './tools/loaded-packages.mjs';
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

const of = (variant, what) => found.get(variant).map((started) => started[what]);
const added = (variant, what, base = 'without') =>
  of(variant, what).map((value, round) => value - of(base, what)[round]);
const quotients = of('with', 'total').map((value, round) => value / of('config', 'total')[round]);
const rows = Object.entries(VARIANTS).map(([variant, application]) => ({
  application,
  'ms, median': median(of(variant, 'time')),
  'ms, added': median(added(variant, 'time')),
  'CPU ms, added': median(added(variant, 'cpu')),
  'MiB, median': median(of(variant, 'memory')),
  'MiB, added': median(added(variant, 'memory')),
}));

// Without measurement, since the search for loaded modules takes time itself.
const packages = await listLoadedPackages();
for (const { options, loaded } of packages)
  rows.push({ application: `options: ${options}`, 'packages loaded': loaded.join(', ') || 'none' });
const isUnexpected = ({ needed, loaded }) => needed.join() !== loaded.join();
await publish('boot', {
  rows,
  targets: [
    { what: 'ms beyond @nestjs/config', value: median(added('with', 'time', 'config')), atMost: 20 },
    { what: 'the start as a multiple of that with @nestjs/config', value: median(quotients), atMost: 1.06 },
    { what: 'MiB beyond @nestjs/config', value: median(added('with', 'memory', 'config')), atMost: 1.5 },
    {
      what: 'options with which other packages than needed are loaded',
      value: packages.filter(isUnexpected).length,
      atMost: 0,
    },
  ],
  samples: {
    'ms beyond @nestjs/config': summarize(added('with', 'time', 'config')),
    'CPU ms beyond @nestjs/config': summarize(added('with', 'cpu', 'config')),
    'start as a multiple of that with @nestjs/config': summarize(quotients),
    'MiB beyond @nestjs/config': summarize(added('with', 'memory', 'config')),
  },
});

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
