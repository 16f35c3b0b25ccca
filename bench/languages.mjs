// Measures refusals in 20 languages beside refusals in one, at most 5 % apart.
import { HTML_ACCEPT, JSON_ACCEPT } from './http/accept.mjs';
import { APPLICATION_CORE, ask, LOAD_CORE, start, stop, waitForMessage } from './tools/processes.mjs';
import { isShort, publish } from './tools/results.mjs';
import { getRatios, median, roundToDigits, shuffle, summarize } from './tools/statistics.mjs';

const ROUNDS = isShort ? 1 : 12;
const SECONDS = isShort ? 1 : 2;
const CONNECTIONS = 32;
/** As in http.mjs. */
const YOUNG_GENERATION = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

const LANGUAGES = [
  ...['en', 'de', 'fr', 'es', 'pt', 'it', 'nl', 'pl', 'cs', 'ru'],
  ...['uk', 'tr', 'ar', 'he', 'hi', 'id', 'vi', 'ja', 'ko', 'zh'],
];
/** Both send 20 requests in turn, so that the load costs the same. */
const VARIANTS = { one: LANGUAGES.map(() => 'en'), twenty: LANGUAGES };
const FORMATS = { JSON: JSON_ACCEPT, HTML: HTML_ACCEPT };

const load = start(new URL('programs/load.mjs', import.meta.url), { core: LOAD_CORE });
const rows = [];
const targets = [];
const samples = {};
try {
  for (const adapter of ['express', 'fastify']) await measure(adapter);
} finally {
  await stop(load);
}
await publish('languages', { rows, targets, samples });

async function measure(adapter) {
  const cases = Object.keys(FORMATS).flatMap((format) => Object.keys(VARIANTS).map((variant) => ({ format, variant })));
  const found = new Map(cases.map(({ format, variant }) => [`${format}, ${variant}`, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const child = start(new URL('http/application.mjs', import.meta.url), {
      core: APPLICATION_CORE,
      args: [adapter, 'on, ending'],
      execArgv: YOUNG_GENERATION,
    });
    try {
      const { port } = await waitForMessage(child);
      for (const one of cases) await run(port, one, 1);
      for (const one of shuffle(cases)) found.get(`${one.format}, ${one.variant}`).push(await run(port, one, SECONDS));
    } finally {
      await stop(child);
    }
  }
  for (const [name, results] of found) samples[`${adapter}, ${name}`] = results;
  for (const format of Object.keys(FORMATS)) {
    const [twenty, one] = ['twenty', 'one'].map((variant) => found.get(`${format}, ${variant}`));
    const ratios = summarize(getRatios(twenty, one));
    rows.push({
      adapter,
      format,
      'one, requests/s': Math.round(median(one)),
      'twenty, requests/s': Math.round(median(twenty)),
      ratio: `${roundToDigits(ratios.median)} (${roundToDigits(ratios.min)} to ${roundToDigits(ratios.max)})`,
    });
    targets.push({
      what: `${adapter}: ${format} in 20 languages against one, throughput`,
      value: ratios.median,
      atLeast: 0.95,
    });
  }
}

async function run(port, { format, variant }, seconds) {
  const requests = VARIANTS[variant].map((language) => ({
    headers: { accept: FORMATS[format], 'accept-language': `${language},en;q=0.5` },
  }));
  const url = `http://127.0.0.1:${port}/`;
  const result = await ask(load, { url, requests, seconds, connections: CONNECTIONS });
  if (result.failures > 0 || result.statuses.join() !== '503')
    throw new Error(`${format}, ${variant}: ${result.failures} failures, statuses ${result.statuses.join(', ')}`);
  return result.perSecond;
}
