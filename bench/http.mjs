// Measures requests with and without the module. See README.md in this folder.
import { HTML_ACCEPT, JSON_ACCEPT } from './http/accept.mjs';
import { ask, APPLICATION_CORE, waitForMessage, LOAD_CORE, start, stop } from './tools/processes.mjs';
import { openRedis } from './tools/storage-backends.mjs';
import { isShort, publish } from './tools/results.mjs';
import { median, getRatios, roundToDigits, shuffle, summarize } from './tools/statistics.mjs';

/** Each round starts new processes, since V8 compiles the same code differently from one to the next. */
const ROUNDS = isShort ? 1 : 12;
const SECONDS = isShort ? 1 : 2;
const WARM_UP = isShort ? 1 : 2;
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
  { name: 'own guard, file', app: 'own guard, file' },
  { name: 'own guard, Redis', app: 'own guard, Redis' },
  { name: '@nestjs/throttler', app: 'throttler' },
];

/** The comparisons with a target. `atLeast`: throughput, `atMost`: 99th percentile of latency. */
const COMPARISONS = {
  express: [
    { name: 'off', to: 'without', atLeast: 0.98, atMost: 1.05 },
    // Any middleware that only writes this answer reaches 1.55.
    { name: '503 as JSON', to: 'off', atLeast: 1.15 },
    { name: '503 as HTML', to: 'off', atLeast: 1.15 },
    { name: '503, exempting many', to: '503 as JSON', atLeast: 0.95 },
  ],
  fastify: [
    { name: 'off', to: 'without', atLeast: 0.98, atMost: 1.05 },
    { name: '503 as JSON', to: 'off', atLeast: 1 },
    { name: '503 as HTML', to: 'off', atLeast: 1 },
    { name: '503, exempting many', to: '503 as JSON', atLeast: 0.95 },
  ],
};
/** The comparisons without a target. */
const UNTARGETED_COMPARISONS = {
  'empty guard': 'without',
  'same JSON, Node alone': 'off',
  'same HTML, Node alone': 'off',
  'own guard, file': 'off',
  'own guard, Redis': 'off',
  '@nestjs/throttler': 'off',
};

const redis = await openRedis();
const load = start(new URL('programs/load.mjs', import.meta.url), { core: LOAD_CORE });
const rows = [];
const targets = [];
const samples = {};
try {
  for (const adapter of ['express', 'fastify']) await measure(adapter);
} finally {
  await stop(load);
  await redis?.close();
}
await publish('http', { rows, targets, samples });

async function measure(adapter) {
  const cases = CASES.filter(({ app }) => redis || app !== 'own guard, Redis');
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
  const result = await ask(load, { url, headers, seconds, connections: CONNECTIONS });
  const after = await ask(child, 'cpu');
  if (result.failures > 0 || result.statuses.join() !== String(status))
    throw new Error(`${name}: ${result.failures} failures, statuses ${result.statuses.join(', ')}`);
  const cpu = (after.cpu - before.cpu) / result.requests;
  return { ...result, cpu, busy: (cpu * result.perSecond) / 1e6 };
}

function addResults(adapter, found) {
  const of = (name, what) => found.get(name).map((result) => result[what]);
  for (const name of found.keys()) {
    const compared = COMPARISONS[adapter].find((comparison) => comparison.name === name);
    const to = compared?.to ?? UNTARGETED_COMPARISONS[name];
    const throughput = to && getRatios(of(name, 'perSecond'), of(to, 'perSecond'));
    const latency = to && getRatios(of(name, 'p99'), of(to, 'p99'));
    const cpu = to && getRatios(of(name, 'cpu'), of(to, 'cpu'));
    samples[`${adapter}, ${name}`] = found.get(name);
    rows.push({
      adapter,
      what: name,
      'requests/s': Math.round(median(of(name, 'perSecond'))),
      'p99 ms': median(of(name, 'p99')),
      'CPU µs': median(of(name, 'cpu')),
      busy: median(of(name, 'busy')),
      against: to ?? '',
      throughput: to ? formatRange(throughput) : '',
      CPU: to ? formatRange(cpu) : '',
      p99: to ? formatRange(latency) : '',
    });
    if (!compared) continue;
    const what = `${adapter}: ${name} against ${to}`;
    targets.push({ what: `${what}, throughput`, value: median(throughput), atLeast: compared.atLeast });
    if (compared.atMost) targets.push({ what: `${what}, p99`, value: median(latency), atMost: compared.atMost });
  }
}

function formatRange(numbers) {
  const { median, min, max } = summarize(numbers);
  return `${roundToDigits(median)} (${roundToDigits(min)} to ${roundToDigits(max)})`;
}
