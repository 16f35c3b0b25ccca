// Measures the reports of instances on each storage. See README.md in this folder.
import { performance } from 'node:perf_hooks';
import { openFile, openMysql, openPostgres, openRedis, openS3 } from './tools/storage-backends.mjs';
import { isShort, publish } from './tools/results.mjs';
import { median } from './tools/statistics.mjs';

const SIZES = isShort ? [10] : [10, 100, 1000];
const ROUNDS = isShort ? 3 : 15;
/** Concurrent writes of reports while a storage is filled. */
const CONCURRENT_WRITES = 20;
/** The mean interval between two reports of an idle instance: 30 s, or up to a fifth earlier. */
const HEARTBEAT_SECONDS = 27;

const rows = [];
for (const open of [openFile, openRedis, openPostgres, openMysql, openS3]) {
  const backend = await open();
  if (backend === undefined) continue;
  try {
    for (const size of SIZES) rows.push({ storage: backend.name, instances: size, ...(await measure(backend, size)) });
  } finally {
    await backend.close();
  }
}
await publish('reports', { rows });

async function measure(backend, size) {
  await backend.empty();
  const storage = await backend.open();
  await fill(storage, size);
  const report = [];
  const first = [];
  const again = [];
  for (let round = 0; round < ROUNDS; round++) {
    report.push(await measureTime(() => storage.report(createReport(round % size))));
    // A command starts with nothing in memory, and polls while it waits.
    const command = await backend.open();
    await command.read();
    first.push(await measureTime(() => command.reports()));
    again.push(await measureTime(() => command.reports()));
    const { length } = await command.reports();
    if (length !== size) throw new Error(`${backend.name} has returned ${length} of ${size} reports`);
    await command.close?.();
  }
  await storage.close?.();
  const bytes = await backend.bytes();
  return {
    'report ms': median(report),
    'reports ms, first': median(first),
    'reports ms, again': median(again),
    'reports/h, idle': Math.round((size * 3600) / HEARTBEAT_SECONDS),
    'stored KiB': bytes / 1024,
  };
}

async function fill(storage, size) {
  let next = 0;
  const write = async () => {
    while (next < size) await storage.report(createReport(next++));
  };
  await Promise.all(Array.from({ length: CONCURRENT_WRITES }, write));
}

/** Creates a report as of a draining instance: some 500 bytes. */
function createReport(index) {
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

async function measureTime(work) {
  const before = performance.now();
  await work();
  return performance.now() - before;
}
