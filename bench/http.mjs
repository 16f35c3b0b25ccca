// Measures requests with and without the module. See README.md in this folder.
import { HTML_ACCEPT, JSON_ACCEPT } from './http/accept.mjs';
import { ask, APPLICATION_CORE, waitForMessage, LOAD_CORE, start, stop } from './tools/processes.mjs';
import { openRedis } from './tools/storage-backends.mjs';
import { isShort, publish, readResults } from './tools/results.mjs';
import { median, getRatios, roundToDigits, shuffle, summarize } from './tools/statistics.mjs';

/** Each round starts new processes, since V8 compiles the same code differently from one to the next. */
const ROUNDS = isShort ? 1 : Number(process.env.BENCH_ROUNDS ?? 12);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 2);
const WARM_UP = Number(process.env.BENCH_WARM_UP ?? SECONDS);
/** The short form sends so many requests instead: on a busy machine, a second may be over before the first response. */
const AMOUNT = isShort ? 320 : undefined;
/** Adds the rounds to those in the results, for a machine that is quiet for some minutes at a time. */
const isAddedToResults = process.argv.includes('--add');
/** Leaves out what people write by hand. */
const isModuleOnly = process.argv.includes('--module-only');
const CONNECTIONS = 32;
/** A constant size of the young generation: its random growth shifts all figures by up to a fifth. */
const YOUNG_GENERATION = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

const AS_JSON = { headers: { accept: JSON_ACCEPT }, status: 503, type: 'application/problem+json' };
const AS_HTML = { headers: { accept: HTML_ACCEPT }, status: 503, type: 'text/html; charset=utf-8' };

/** The variants: an application, and the request to it. */
const CASES = [
  { name: 'without', app: 'without' },
  { name: 'off', app: 'off' },
  // The cost of any guard in Nest.
  { name: 'empty guard', app: 'empty guard' },
  { name: '503 as JSON', app: 'on', ...AS_JSON },
  { name: '503 as HTML', app: 'on', ...AS_HTML },
  // The same responses from Node's server, without a framework.
  { name: 'same JSON, Node alone', app: 'on, Node alone', ...AS_JSON },
  { name: 'same HTML, Node alone', app: 'on, Node alone', ...AS_HTML },
  { name: '503, exempting many', app: 'on, exempting many', ...AS_JSON },
  // A middleware in front of all others that only writes the same JSON.
  { name: 'bare middleware', app: 'bare middleware', ...AS_JSON, adapters: ['express'] },
  { name: 'own guard, file', app: 'own guard, file', isByHand: true },
  { name: 'own guard, Redis', app: 'own guard, Redis', isByHand: true },
  { name: '@nestjs/throttler', app: 'throttler', isByHand: true },
];

/** The comparisons. `atLeast`: the target for throughput, `atMost`: for the 99th percentile of latency. */
const COMPARISONS = {
  express: [
    { name: 'off', to: 'without', atLeast: 0.98, atMost: 1.05 },
    { name: 'off', to: 'empty guard', atLeast: 0.99 },
    // The smallest route, without the module.
    { name: '503 as JSON', to: 'without', atLeast: 1.5 },
    { name: '503 as HTML', to: 'without', atLeast: 1.5 },
    { name: '503 as JSON', to: 'off' },
    { name: '503 as HTML', to: 'off' },
    { name: '503 as JSON', to: 'bare middleware' },
    { name: '503, exempting many', to: '503 as JSON', atLeast: 0.95 },
    { name: 'bare middleware', to: 'without' },
  ],
  fastify: [
    { name: 'off', to: 'without', atLeast: 0.98, atMost: 1.05 },
    { name: 'off', to: 'empty guard', atLeast: 0.99 },
    { name: '503 as JSON', to: 'off', atLeast: 1 },
    { name: '503 as HTML', to: 'off', atLeast: 1 },
    { name: '503, exempting many', to: '503 as JSON', atLeast: 0.95 },
  ],
};
/** The comparisons without a target, on both. */
const UNTARGETED_COMPARISONS = [
  { name: 'empty guard', to: 'without' },
  { name: 'same JSON, Node alone', to: 'off' },
  { name: 'same HTML, Node alone', to: 'off' },
  { name: 'own guard, file', to: 'off' },
  { name: 'own guard, Redis', to: 'off' },
  { name: '@nestjs/throttler', to: 'off' },
];

const redis = await openRedis();
const load = start(new URL('programs/load.mjs', import.meta.url), { core: LOAD_CORE });
const rows = [];
const targets = [];
const samples = isAddedToResults ? (await readResults('http')).samples : {};
try {
  for (const adapter of ['express', 'fastify']) await measure(adapter);
} finally {
  await stop(load);
  await redis?.close();
}
await publish('http', { rows, targets, samples });

async function measure(adapter) {
  const cases = CASES.filter(
    ({ app, adapters, isByHand }) =>
      (redis || app !== 'own guard, Redis') && (adapters?.includes(adapter) ?? true) && !(isByHand && isModuleOnly),
  );
  const found = new Map(cases.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const apps = new Map();
    try {
      for (const { app } of cases) if (!apps.has(app)) apps.set(app, await startApp(adapter, app));
      for (const variant of cases) await run(apps.get(variant.app), variant, WARM_UP);
      for (const variant of shuffle(cases))
        found.get(variant.name).push(await run(apps.get(variant.app), variant, SECONDS));
    } finally {
      await Promise.all([...apps.values()].map(({ child }) => stop(child)));
    }
  }
  addResults(adapter, found);
}

async function startApp(adapter, app) {
  const child = start(new URL('http/application.mjs', import.meta.url), {
    core: APPLICATION_CORE,
    args: [adapter, app],
    execArgv: YOUNG_GENERATION,
    env: { BENCH_REDIS: redis?.url ?? '' },
  });
  const { port } = await waitForMessage(child);
  return { child, url: `http://127.0.0.1:${port}/` };
}

async function run({ child, url }, { name, headers = {}, status = 200, type }, seconds) {
  const response = await fetch(url, { headers });
  await response.text();
  if (response.status !== status || (type && response.headers.get('content-type') !== type))
    throw new Error(`${name} responded with ${response.status} ${response.headers.get('content-type')}`);
  const before = await ask(child, 'cpu');
  const result = await ask(load, { url, headers, seconds, amount: AMOUNT, connections: CONNECTIONS });
  const after = await ask(child, 'cpu');
  if (result.failures > 0 || result.statuses.join() !== String(status))
    throw new Error(`${name}: ${result.failures} failures, statuses ${result.statuses.join(', ')}`);
  const cpu = (after.cpu - before.cpu) / result.requests;
  return { ...result, cpu, busy: (cpu * result.perSecond) / 1e6 };
}

function addResults(adapter, measured) {
  const getSamples = (name) => samples[`${adapter}, ${name}`];
  for (const [name, results] of measured) samples[`${adapter}, ${name}`] = [...(getSamples(name) ?? []), ...results];
  const getValues = (name, what) => getSamples(name).map((result) => result[what]);
  for (const name of measured.keys()) {
    const row = {
      adapter,
      what: name,
      'requests/s': Math.round(median(getValues(name, 'perSecond'))),
      'p99 ms': median(getValues(name, 'p99')),
      'CPU µs': median(getValues(name, 'cpu')),
      busy: median(getValues(name, 'busy')),
    };
    const comparisons = [...COMPARISONS[adapter], ...UNTARGETED_COMPARISONS].filter((one) => one.name === name);
    if (comparisons.length === 0) rows.push(row);
    for (const { to, atLeast, atMost } of comparisons) {
      const [throughput, latency, cpu] = ['perSecond', 'p99', 'cpu'].map((what) =>
        getRatios(getValues(name, what), getValues(to, what)),
      );
      rows.push({
        ...row,
        against: to,
        throughput: formatRange(throughput),
        CPU: formatRange(cpu),
        p99: formatRange(latency),
      });
      const what = `${adapter}: ${name} against ${to}`;
      if (atLeast) targets.push({ what: `${what}, throughput`, value: median(throughput), atLeast });
      if (atMost) targets.push({ what: `${what}, p99`, value: median(latency), atMost });
    }
  }
}

function formatRange(numbers) {
  const { median, min, max } = summarize(numbers);
  return `${roundToDigits(median)} (${roundToDigits(min)} to ${roundToDigits(max)})`;
}
