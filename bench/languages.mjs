// Measures refusals in 20 languages beside refusals in one: at most 5 % apart beyond what Node's own server is.
import { ACCEPT_LANGUAGES, HTML_ACCEPT, JSON_ACCEPT } from './http/accept.mjs';
import { APPLICATION_CORE, ask, LOAD_CORE, start, stop, waitForMessage } from './tools/processes.mjs';
import { isShort, publish } from './tools/results.mjs';
import { getRatios, median, roundToDigits, shuffle, summarize } from './tools/statistics.mjs';

const ROUNDS = isShort ? 1 : Number(process.env.BENCH_ROUNDS ?? 12);
const SECONDS = 2;
/** The short form sends so many requests instead: each language on each connection. */
const AMOUNT = isShort ? 640 : undefined;
const CONNECTIONS = 32;
/** As in http.mjs. */
const YOUNG_GENERATION = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

/** Both send 20 requests in turn, so that the load costs the same. */
const VARIANTS = { one: ACCEPT_LANGUAGES.map(() => ACCEPT_LANGUAGES[0]), twenty: ACCEPT_LANGUAGES };
const FORMATS = { JSON: JSON_ACCEPT, HTML: HTML_ACCEPT };

const NODE_ALONE = 'Node alone';
/** First the same responses from Node's server, which show what 20 bodies cost without any code of ours. */
const SERVERS = {
  [NODE_ALONE]: ['fastify', 'on, Node alone'],
  express: ['express', 'on, ending'],
  fastify: ['fastify', 'on, ending'],
};

const load = start(new URL('programs/load.mjs', import.meta.url), { core: LOAD_CORE });
const rows = [];
const targets = [];
/** For each format, the ratio to reach. */
const limits = {};
const samples = {};
try {
  for (const server of Object.keys(SERVERS)) await measure(server);
} finally {
  await stop(load);
}
await publish('languages', { rows, targets, samples });

async function measure(server) {
  const cases = Object.keys(FORMATS).flatMap((format) => Object.keys(VARIANTS).map((variant) => ({ format, variant })));
  const found = new Map(cases.map(({ format, variant }) => [`${format}, ${variant}`, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const child = start(new URL('http/application.mjs', import.meta.url), {
      core: APPLICATION_CORE,
      args: SERVERS[server],
      execArgv: YOUNG_GENERATION,
    });
    try {
      const { port } = await waitForMessage(child);
      for (const one of cases) await run(child, port, one, 1);
      for (const one of shuffle(cases))
        found.get(`${one.format}, ${one.variant}`).push(await run(child, port, one, SECONDS));
    } finally {
      await stop(child);
    }
  }
  for (const [name, results] of found) samples[`${server}, ${name}`] = results;
  for (const format of Object.keys(FORMATS)) {
    const getValues = (variant, what) => found.get(`${format}, ${variant}`).map((result) => result[what]);
    const compare = (what) => getRatios(getValues('twenty', what), getValues('one', what));
    const describe = (variant, what) => Math.round(median(getValues(variant, what)));
    rows.push({
      server,
      format,
      'one, requests/s': describe('one', 'perSecond'),
      'twenty, requests/s': describe('twenty', 'perSecond'),
      throughput: formatRange(compare('perSecond')),
      'one, CPU µs': describe('one', 'cpu'),
      'twenty, CPU µs': describe('twenty', 'cpu'),
      CPU: formatRange(compare('cpu')),
      bytes: formatRange(compare('bytes')),
    });
    const throughput = summarize(compare('perSecond')).median;
    if (server === NODE_ALONE) limits[format] = roundToDigits(0.95 * Math.min(1, throughput));
    else
      targets.push({
        what: `${server}: ${format} in 20 languages against one, throughput`,
        value: throughput,
        atLeast: limits[format],
      });
  }
}

function formatRange(numbers) {
  const { median, min, max } = summarize(numbers);
  return `${roundToDigits(median)} (${roundToDigits(min)} to ${roundToDigits(max)})`;
}

async function run(child, port, { format, variant }, seconds) {
  const requests = VARIANTS[variant].map((language) => ({
    headers: { accept: FORMATS[format], 'accept-language': language },
  }));
  const url = `http://127.0.0.1:${port}/`;
  const before = await ask(child, 'cpu');
  const result = await ask(load, { url, requests, seconds, amount: AMOUNT, connections: CONNECTIONS });
  const after = await ask(child, 'cpu');
  if (result.failures > 0 || result.statuses.join() !== '503')
    throw new Error(`${format}, ${variant}: ${result.failures} failures, statuses ${result.statuses.join(', ')}`);
  const { perSecond, bytes } = result;
  return { perSecond, bytes, cpu: (after.cpu - before.cpu) / result.requests };
}
