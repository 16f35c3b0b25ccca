// Measures the stream of the public status with 10,000 readers on one process: memory, and the time of a change.
import { APPLICATION_CORE, ask, LOAD_CORE, start, stop, waitForMessage } from './tools/processes.mjs';
import { isShort, publish } from './tools/results.mjs';
import { median, summarize } from './tools/statistics.mjs';

const READERS = isShort ? 200 : 10_000;
const CHANGES = isShort ? 2 : 20;

const rows = [];
const targets = [];
const samples = {};
for (const adapter of ['express', 'fastify']) await measure(adapter);
await publish('streams', { rows, targets, samples });

async function measure(adapter) {
  const application = start(new URL('programs/status-streams.mjs', import.meta.url), {
    core: APPLICATION_CORE,
    args: [adapter],
    execArgv: ['--expose-gc'],
  });
  let readers;
  try {
    const { port } = await waitForMessage(application);
    const before = await ask(application, 'memory');
    const openedAt = performance.now();
    readers = start(new URL('programs/status-readers.mjs', import.meta.url), {
      core: LOAD_CORE,
      args: [port, READERS],
    });
    await waitForMessage(readers);
    const opening = performance.now() - openedAt;
    const after = await ask(application, 'memory');
    const busy = [];
    const last = [];
    for (let change = 0; change < CHANGES; change++) {
      const arrived = waitForMessage(readers);
      const sent = await ask(application, change % 2 === 0 ? 'on' : 'off');
      busy.push(sent.busy);
      last.push((await arrived).at - sent.at);
    }
    const { closed } = await ask(application, 'close');
    const heap = ((after.heap - before.heap) * 1024) / READERS;
    const rss = ((after.rss - before.rss) * 1024) / READERS;
    rows.push({
      adapter,
      readers: READERS,
      'KiB of heap each': heap,
      'KiB of RSS each': rss,
      'busy ms a change': median(busy),
      'ms to the last reader': median(last),
      'ms to open all': opening,
      'ms to close': closed,
    });
    targets.push(
      { what: `${adapter}: KiB of RSS for each reader`, value: rss, atMost: 50 },
      {
        what: `${adapter}: ms until the last of ${READERS} readers knows of a change`,
        value: median(last),
        atMost: 1_000,
      },
    );
    samples[adapter] = { before, after, busy, last, spread: summarize(last) };
  } finally {
    if (readers) await stop(readers);
    await stop(application);
  }
}
