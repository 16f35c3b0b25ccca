// What the reports of instances cost on each storage. See README.md beside this file.
import { performance } from 'node:perf_hooks';
import { openFile, openRedis, openS3 } from './tools/places.mjs';
import { isShort, publish } from './tools/results.mjs';
import { median } from './tools/statistics.mjs';

const SIZES = isShort ? [10] : [10, 100, 1000];
const ROUNDS = isShort ? 3 : 15;
/** Reports that are written at the same time while a storage is filled. */
const WRITERS = 20;
/** Seconds between two reports of an instance to which nothing happens: 30 s, and up to a fifth earlier. */
const HEARTBEAT = 27;

const rows = [];
for (const open of [openFile, openRedis, openS3]) {
  const place = await open();
  if (place === undefined) continue;
  try {
    for (const size of SIZES) rows.push({ storage: place.name, instances: size, ...(await measure(place, size)) });
  } finally {
    await place.close();
  }
}
await publish('reports', { rows });

async function measure(place, size) {
  await place.empty();
  const storage = await place.open();
  await fill(storage, size);
  const report = [];
  const first = [];
  const again = [];
  for (let round = 0; round < ROUNDS; round++) {
    report.push(await timed(() => storage.report(recordOf(round % size))));
    // A command begins with nothing in memory, and looks again and again while it waits.
    const command = await place.open();
    await command.read();
    first.push(await timed(() => command.reports()));
    again.push(await timed(() => command.reports()));
    const { length } = await command.reports();
    if (length !== size) throw new Error(`${place.name} gave ${length} of ${size} records`);
    await command.close?.();
  }
  await storage.close?.();
  const bytes = await place.bytes();
  return {
    'report ms': median(report),
    'reports ms, first': median(first),
    'reports ms, again': median(again),
    'reports/h, idle': Math.round((size * 3600) / HEARTBEAT),
    'stored KiB': bytes / 1024,
  };
}

async function fill(storage, size) {
  let next = 0;
  const write = async () => {
    while (next < size) await storage.report(recordOf(next++));
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

/** A report as an instance writes it while it drains: some 500 bytes. */
function recordOf(index) {
  return {
    id: index.toString(16).padStart(8, '0'),
    host: `shop-6d5f9c7b44-${index.toString(36).padStart(5, '0')}`,
    pid: 1 + index,
    appVersion: '4.12.0',
    lineage: '0b9b9e0a-5d0f-4c07-9a2f-0c3f6f0f3c8e',
    revision: 41,
    windows: [{ id: '4f0c2b1e', startsAt: '2026-12-01T02:00:00.000Z' }],
    inFlight: 3,
    streams: 1,
    longest: [
      { name: 'POST /api/orders', count: 2, oldest: 3140 },
      { name: 'GET /api/reports/:year', count: 1, oldest: 871 },
    ],
    seenAt: new Date().toISOString(),
  };
}

async function timed(work) {
  const before = performance.now();
  await work();
  return performance.now() - before;
}
