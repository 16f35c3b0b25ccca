// How long it takes from a write until the last of 50 instances refuses. See README.md beside this file.
import { setTimeout as pause } from 'node:timers/promises';
import { Fleet } from './tools/fleet.mjs';
import { openAnyS3, openFile, openRedis } from './tools/places.mjs';
import { isShort, publish } from './tools/results.mjs';
import { median, quantile, summary } from './tools/statistics.mjs';
import { openWriter } from './tools/writer.mjs';

const INSTANCES = isShort ? 4 : 50;
const PROCESSES = isShort ? 1 : 5;
/** Seconds for which the switch is used; on and off once in any case. */
const NOTIFIED = isShort ? 0 : 30;
const POLLED = isShort ? 0 : 225;
/** Milliseconds; where figures are made, the default. */
const REFRESH_INTERVAL = isShort ? 300 : 5_000;
/** Milliseconds. Where the storage notifies, no poll may help. */
const NEVER = 600_000;
/** Of the cache that is written past. With the default, a minute, there would be three rounds. */
const SHORT_TTL = isShort ? 300 : 5_000;
/** Milliseconds after which all have followed where the storage notifies; the tests hold it with fewer instances. */
const AT_ONCE = 100;
/** Milliseconds more than the bound before an instance counts as one that does not follow. */
const GRACE = 10_000;

const rows = [];
const targets = [];
const samples = {};

for (const open of [openFile, openRedis]) {
  const place = await open();
  if (place === undefined) continue;
  try {
    await measure([{ name: place.name, storage: place.settings, notifies: true }]);
  } finally {
    await place.close();
  }
}
await measurePolled();
await publish('propagation', { rows, targets, samples });

async function measurePolled() {
  const cache = await openRedis();
  const places = [];
  try {
    for (let count = 0; count < (cache ? 3 : 1); count++) places.push(await openAnyS3());
    const [plain, through, past] = places.map(({ settings: storage }) => ({ storage, bound: REFRESH_INTERVAL }));
    const cases = [{ ...plain, name: 'S3' }];
    if (cache) {
      const cacheUrl = cache.settings.url;
      cases.push({ ...through, name: 'S3, Redis cache', cacheUrl, options: { cache: true } });
      const options = { cache: { key: 'past', ttl: SHORT_TTL } };
      const bound = REFRESH_INTERVAL + SHORT_TTL;
      cases.push({ ...past, name: 'S3, Redis cache, written past it', cacheUrl, options, bound, writesPast: true });
    }
    samples.s3 = places[0].serves;
    await measure(cases);
  } finally {
    for (const place of [cache, ...places]) await place?.close();
  }
}

/** Starts the fleets one after the other, and uses their switches at the same time: most of that is waiting. */
async function measure(cases) {
  const fleets = [];
  const writers = [];
  try {
    for (const { storage, options, cacheUrl, writesPast, notifies } of cases) {
      const refreshInterval = notifies ? NEVER : REFRESH_INTERVAL;
      const given = { storage, cacheUrl, options: { ...options, refreshInterval } };
      fleets.push(await Fleet.start({ ...given, size: INSTANCES, processes: PROCESSES }));
      // Without the cache, as the command line.
      writers.push(await openWriter(writesPast ? { storage } : given));
    }
    const found = await Promise.all(cases.map((one, index) => use(one, fleets[index], writers[index])));
    cases.forEach((one, index) => tell(one, found[index]));
  } finally {
    await Promise.all([...fleets.map((fleet) => fleet.stop()), ...writers.map((writer) => writer.close())]);
  }
}

/** Turns maintenance on and off again and again. */
async function use({ name, notifies, bound = AT_ONCE }, fleet, writer) {
  const changes = [];
  const roundTrips = [];
  const end = Date.now() + 1_000 * (notifies ? NOTIFIED : POLLED);
  do {
    // Not in step with the polls that have just brought the last change.
    if (!notifies) await pause(Math.random() * REFRESH_INTERVAL);
    for (const where of ['on', 'off']) {
      const message = `change ${changes.length}`;
      const { revision, begun, done } = await writer.turn(where, message);
      const seen = await fleet.follows(revision, bound + GRACE);
      const answers = await fleet.answers();
      expectAll(name, [...seen, ...answers], (one) => isRight(one, where, message));
      changes.push({ where, write: done - begun, delays: seen.map(({ at }) => at - done) });
      if (notifies) await settled(writer, revision);
      else roundTrips.push(await writer.roundTrip());
    }
  } while (Date.now() < end);
  return { changes, roundTrips };
}

function isRight({ isActive, status, detail }, where, message) {
  if (isActive !== undefined) return isActive === (where === 'on');
  return where === 'on' ? status === 503 && detail === message : status === 200;
}

function expectAll(name, found, holds) {
  const wrong = found.filter((one) => !holds(one));
  if (wrong.length > 0)
    throw new Error(`${name}: ${wrong.length} answers are wrong, as this: ${JSON.stringify(wrong[0])}`);
}

/** Waits until every instance, and the writer, has reported that it goes by this revision. */
async function settled(writer, revision) {
  const isDone = async () => {
    const reports = await writer.reports();
    return reports.filter((report) => report.revision === revision).length === INSTANCES + 1;
  };
  for (const deadline = Date.now() + GRACE; !(await isDone()); await pause(20)) {
    if (Date.now() > deadline) throw new Error(`not all instances have reported revision ${revision}`);
  }
}

function tell({ name, bound, notifies }, { changes, roundTrips }) {
  const lastOf = (where) => changes.filter((change) => change.where === where).map(({ delays }) => Math.max(...delays));
  const refusing = lastOf('on');
  const each = changes.filter(({ where }) => where === 'on').flatMap(({ delays }) => delays);
  rows.push({
    storage: name,
    times: refusing.length,
    'last ms, p50': quantile(refusing, 0.5),
    'last, p99': quantile(refusing, 0.99),
    'last, max': Math.max(...refusing),
    'any ms, p50': quantile(each, 0.5),
    'any, p99': quantile(each, 0.99),
    'off, last ms, p50': median(lastOf('off')),
    'write ms, p50': median(changes.map(({ write }) => write)),
  });
  samples[name] = { refusing: summary(refusing), lastRefuses: refusing, lastIsOpen: lastOf('off'), roundTrips };
  targets.push({
    what: `${name}: ms from a write to the last of ${INSTANCES} refusing, p99`,
    value: quantile(refusing, 0.99),
    atMost: notifies ? AT_ONCE : bound + Math.max(...roundTrips),
  });
}
