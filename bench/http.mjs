// What a request costs with the module and without. See README.md beside this file.
import { HTML_ACCEPT, JSON_ACCEPT } from './http/accept.mjs';
import { ask, APPLICATION, heard, LOAD, start, stop } from './tools/pinned.mjs';
import { openRedis } from './tools/places.mjs';
import { isShort, publish } from './tools/results.mjs';
import { median, ratios, rounded, shuffled, summary } from './tools/statistics.mjs';

/** In each, everything is started anew: what V8 has made of the code differs from one process to the next. */
const ROUNDS = isShort ? 1 : 8;
const SECONDS = isShort ? 1 : 2;
const WARM_UP = isShort ? 1 : 2;
const CONNECTIONS = 32;
/** Of one size from the beginning: how far it has grown is chance, and shifts everything by up to a fifth. */
const YOUNG_GENERATION = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

const AS_JSON = { headers: { accept: JSON_ACCEPT }, status: 503, type: 'application/problem+json' };
const AS_HTML = { headers: { accept: HTML_ACCEPT }, status: 503, type: 'text/html; charset=utf-8' };

/** What is measured: an application, and what it is asked. */
const CASES = [
  { name: 'without', app: 'without' },
  { name: 'off', app: 'off' },
  // What Nest takes for any guard.
  { name: 'empty guard', app: 'empty guard' },
  { name: '503 as JSON', app: 'on', ...AS_JSON },
  { name: '503 as HTML', app: 'on', ...AS_HTML },
  // The same answers from Node's server, without a framework.
  { name: 'same JSON, Node alone', app: 'on, Node alone', ...AS_JSON },
  { name: 'same HTML, Node alone', app: 'on, Node alone', ...AS_HTML },
  { name: '503, exempting many', app: 'on, exempting many', ...AS_JSON },
  { name: 'own guard, file', app: 'own guard, file' },
  { name: 'own guard, Redis', app: 'own guard, Redis' },
  { name: '@nestjs/throttler', app: 'throttler' },
];

/** Which is compared with which. `atLeast`: of the throughput, `atMost`: of the 99th percentile of latency. */
const COMPARISONS = {
  express: [
    { name: 'off', to: 'without', atLeast: 0.98, atMost: 1.05 },
    { name: '503 as JSON', to: 'off', atLeast: 1.5 },
    { name: '503 as HTML', to: 'off', atLeast: 1.5 },
    { name: '503, exempting many', to: '503 as JSON', atLeast: 0.95 },
  ],
  fastify: [
    { name: 'off', to: 'without', atLeast: 0.98, atMost: 1.05 },
    { name: '503 as JSON', to: 'off', atLeast: 1 },
    { name: '503 as HTML', to: 'off', atLeast: 1 },
    { name: '503, exempting many', to: '503 as JSON', atLeast: 0.95 },
  ],
};
/** What is only printed, and with what it is compared. */
const OTHERS = {
  'empty guard': 'without',
  'same JSON, Node alone': 'off',
  'same HTML, Node alone': 'off',
  'own guard, file': 'off',
  'own guard, Redis': 'off',
  '@nestjs/throttler': 'off',
};

const redis = await openRedis();
const load = start(new URL('tools/load.mjs', import.meta.url), { core: LOAD });
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
      for (const tried of cases) await run(apps.get(tried.app), tried, WARM_UP);
      for (const tried of shuffled(cases)) found.get(tried.name).push(await run(apps.get(tried.app), tried, SECONDS));
    } finally {
      await Promise.all([...apps.values()].map(({ child }) => stop(child)));
    }
  }
  tell(adapter, found);
}

async function startApp(adapter, app) {
  const child = start(new URL('http/application.mjs', import.meta.url), {
    core: APPLICATION,
    args: [adapter, app],
    execArgv: YOUNG_GENERATION,
    env: { BENCH_REDIS: redis?.url ?? '' },
  });
  const { port } = await heard(child);
  return { child, url: `http://127.0.0.1:${port}/` };
}

async function run({ child, url }, { name, headers = {}, status = 200, type }, seconds) {
  const one = await fetch(url, { headers });
  await one.text();
  if (one.status !== status || (type && one.headers.get('content-type') !== type))
    throw new Error(`${name} answered ${one.status} ${one.headers.get('content-type')}`);
  const before = await ask(child, 'cpu');
  const result = await ask(load, { url, headers, seconds, connections: CONNECTIONS });
  const after = await ask(child, 'cpu');
  if (result.failures > 0 || result.statuses.join() !== String(status))
    throw new Error(`${name}: ${result.failures} failures, statuses ${result.statuses.join(', ')}`);
  const cpu = (after.cpu - before.cpu) / result.requests;
  return { ...result, cpu, busy: (cpu * result.perSecond) / 1e6 };
}

function tell(adapter, found) {
  const of = (name, what) => found.get(name).map((result) => result[what]);
  for (const name of found.keys()) {
    const compared = COMPARISONS[adapter].find((comparison) => comparison.name === name);
    const to = compared?.to ?? OTHERS[name];
    const throughput = to && ratios(of(name, 'perSecond'), of(to, 'perSecond'));
    const latency = to && ratios(of(name, 'p99'), of(to, 'p99'));
    samples[`${adapter}, ${name}`] = found.get(name);
    rows.push({
      adapter,
      what: name,
      'requests/s': Math.round(median(of(name, 'perSecond'))),
      'p99 ms': median(of(name, 'p99')),
      'CPU µs': median(of(name, 'cpu')),
      busy: median(of(name, 'busy')),
      against: to ?? '',
      throughput: to ? spread(throughput) : '',
      p99: to ? spread(latency) : '',
    });
    if (!compared) continue;
    const what = `${adapter}: ${name} against ${to}`;
    targets.push({ what: `${what}, throughput`, value: median(throughput), atLeast: compared.atLeast });
    if (compared.atMost) targets.push({ what: `${what}, p99`, value: median(latency), atMost: compared.atMost });
  }
}

function spread(numbers) {
  const { median, min, max } = summary(numbers);
  return `${rounded(median)} (${rounded(min)} to ${rounded(max)})`;
}
