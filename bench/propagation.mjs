// Measures the time from a write until the last of 50 instances refuses. See README.md in this folder.
import { setTimeout as pause } from 'node:timers/promises';
import { Fleet } from './tools/fleet.mjs';
import { openS3OrLocal, openFile, openMysql, openPostgres, openRedis } from './tools/storage-backends.mjs';
import { isShort, publish } from './tools/results.mjs';
import { median, quantile, summarize } from './tools/statistics.mjs';
import { openWriter } from './tools/writer.mjs';

const INSTANCES = isShort ? 4 : 50;
const PROCESSES = isShort ? 1 : 5;
/** Seconds of turning maintenance on and off, at least once. */
const NOTIFIED_SECONDS = isShort ? 0 : 30;
const POLLED_SECONDS = isShort ? 0 : 225;
/** The default in a full run. */
const REFRESH_INTERVAL_MS = isShort ? 300 : 5_000;
/** No poll may help where the storage notifies. */
const NO_REFRESH_MS = 600_000;
/** The TTL of the cache that the writer bypasses. With the default of a minute, there would be three rounds. */
const SHORT_TTL_MS = isShort ? 300 : 5_000;
/** Time for all instances to apply a notified change; the tests require it of fewer instances. */
const NOTIFIED_LIMIT_MS = 100;
/** Time after the bound until an instance without the change is an error. */
const GRACE_PERIOD_MS = 10_000;

const rows = [];
const targets = [];
const samples = {};

for (const open of [openFile, openRedis, openPostgres]) {
  const backend = await open();
  if (backend === undefined) continue;
  try {
    await measure([{ name: backend.name, storage: backend.settings, notifies: true }]);
  } finally {
    await backend.close();
  }
}
await measurePolled();
await publish('propagation', { rows, targets, samples });

async function measurePolled() {
  const cache = await openRedis();
  const mysql = await openMysql();
  const backends = [];
  try {
    for (let count = 0; count < (cache ? 3 : 1); count++) backends.push(await openS3OrLocal());
    const [plain, cached, bypassed] = backends.map(({ settings: storage }) => ({
      storage,
      bound: REFRESH_INTERVAL_MS,
    }));
    const cases = [{ ...plain, name: 'S3' }];
    if (mysql) cases.push({ name: mysql.name, storage: mysql.settings, bound: REFRESH_INTERVAL_MS });
    if (cache) {
      const cacheUrl = cache.settings.url;
      cases.push({ ...cached, name: 'S3, Redis cache', cacheUrl, options: { cache: true } });
      const options = { cache: { key: 'past', ttl: SHORT_TTL_MS } };
      const bound = REFRESH_INTERVAL_MS + SHORT_TTL_MS;
      cases.push({
        ...bypassed,
        name: 'S3, Redis cache, written past it',
        cacheUrl,
        options,
        bound,
        bypassesCache: true,
      });
    }
    samples.s3 = backends[0].server;
    await measure(cases);
  } finally {
    for (const backend of [cache, mysql, ...backends]) await backend?.close();
  }
}

/** Starts the fleets one after the other, and measures them at the same time: most of that is waiting. */
async function measure(cases) {
  const fleets = [];
  const writers = [];
  try {
    for (const { storage, options, cacheUrl, bypassesCache, notifies } of cases) {
      const refreshInterval = notifies ? NO_REFRESH_MS : REFRESH_INTERVAL_MS;
      const settings = { storage, cacheUrl, options: { ...options, refreshInterval } };
      fleets.push(await Fleet.start({ ...settings, size: INSTANCES, processes: PROCESSES }));
      // Like the command line, has no cache.
      writers.push(await openWriter(bypassesCache ? { storage } : settings));
    }
    const found = await Promise.all(cases.map((one, index) => measureChanges(one, fleets[index], writers[index])));
    cases.forEach((one, index) => addResults(one, found[index]));
  } finally {
    await Promise.all([...fleets.map((fleet) => fleet.stop()), ...writers.map((writer) => writer.close())]);
  }
}

/** Turns maintenance on and off repeatedly. */
async function measureChanges({ name, notifies, bound = NOTIFIED_LIMIT_MS }, fleet, writer) {
  const changes = [];
  const roundTrips = [];
  const end = Date.now() + 1_000 * (notifies ? NOTIFIED_SECONDS : POLLED_SECONDS);
  do {
    // Not in step with the polls that have just read the last change.
    if (!notifies) await pause(Math.random() * REFRESH_INTERVAL_MS);
    for (const where of ['on', 'off']) {
      const message = `change ${changes.length}`;
      const { revision, writeStartedAt, writtenAt } = await writer.turn(where, message);
      const applied = await fleet.waitForRevision(revision, bound + GRACE_PERIOD_MS);
      const responses = await fleet.requestAll();
      expectAll(name, [...applied, ...responses], (one) => isExpected(one, where, message));
      changes.push({ where, write: writtenAt - writeStartedAt, delays: applied.map(({ at }) => at - writtenAt) });
      if (notifies) await waitForReports(writer, revision);
      else roundTrips.push(await writer.measureRoundTrip());
    }
  } while (Date.now() < end);
  return { changes, roundTrips };
}

function isExpected({ isActive, status, detail }, where, message) {
  if (isActive !== undefined) return isActive === (where === 'on');
  return where === 'on' ? status === 503 && detail === message : status === 200;
}

function expectAll(name, found, predicate) {
  const wrong = found.filter((one) => !predicate(one));
  if (wrong.length > 0)
    throw new Error(`${name}: ${wrong.length} instances or responses are wrong, such as ${JSON.stringify(wrong[0])}`);
}

/** Waits until every instance and the writer have reported this revision. */
async function waitForReports(writer, revision) {
  const isDone = async () => {
    const reports = await writer.reports();
    return reports.filter((report) => report.revision === revision).length === INSTANCES + 1;
  };
  for (const deadline = Date.now() + GRACE_PERIOD_MS; !(await isDone()); await pause(20)) {
    if (Date.now() > deadline) throw new Error(`Not all instances have reported revision ${revision}`);
  }
}

function addResults({ name, bound, notifies }, { changes, roundTrips }) {
  const getSlowest = (where) =>
    changes.filter((change) => change.where === where).map(({ delays }) => Math.max(...delays));
  const refusing = getSlowest('on');
  const each = changes.filter(({ where }) => where === 'on').flatMap(({ delays }) => delays);
  rows.push({
    storage: name,
    times: refusing.length,
    'last ms, p50': quantile(refusing, 0.5),
    'last, p99': quantile(refusing, 0.99),
    'last, max': Math.max(...refusing),
    'any ms, p50': quantile(each, 0.5),
    'any, p99': quantile(each, 0.99),
    'off, last ms, p50': median(getSlowest('off')),
    'write ms, p50': median(changes.map(({ write }) => write)),
  });
  samples[name] = { refusing: summarize(refusing), lastRefuses: refusing, lastIsOpen: getSlowest('off'), roundTrips };
  targets.push({
    what: `${name}: ms from a write to the last of ${INSTANCES} refusing, p99`,
    value: quantile(refusing, 0.99),
    atMost: notifies ? NOTIFIED_LIMIT_MS : bound + Math.max(...roundTrips),
  });
}
