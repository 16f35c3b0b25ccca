// How often an instance calls its storage, idle and under full load. See README.md beside this file.
import { setTimeout as pause } from 'node:timers/promises';
import { moment } from './tools/moment.mjs';
import { APPLICATION, ask, heard, LOAD, QUIET, start, stop } from './tools/pinned.mjs';
import { openAnyS3, openFile, openRedis } from './tools/places.mjs';
import { isShort, publish } from './tools/results.mjs';

const INSTANCES = isShort ? 2 : 20;
/** Of each of idle and loaded, once while maintenance is off and once while it is on. */
const SECONDS = isShort ? 1 : 90;
/** Of visitors, for each instance. */
const CONNECTIONS = isShort ? 8 : 1;
/** The short form has no polls, so that a single call on behalf of a request is found. */
const OPTIONS = isShort ? { refreshInterval: 600_000 } : {};
/** Milliseconds between two reports of an instance to which nothing happens, at least. */
const HEARTBEAT = 0.8 * 30_000;
/** Milliseconds until all instances go by a change, and then until they have reported that. */
const PATIENCE = 15_000;
const REPORTING = isShort ? 500 : 3_000;
/** How far the rates may be apart: several times what the random pauses between so many calls make of it. */
const TOLERANCE = 0.04;

const fleets = [];
const visitors = start(new URL('programs/visitors.mjs', import.meta.url), { core: LOAD });
const windows = [];
try {
  for (const open of [openFile, openRedis, openAnyS3]) {
    const place = await open();
    if (place) fleets.push(await startFleet(place));
  }
  for (const turn of ['on', 'off']) {
    const turnedAt = moment();
    await Promise.all(fleets.map((fleet) => use(fleet, turn)));
    for (const work of [idle, load]) windows.push(await count(turn, turnedAt, work));
  }
} finally {
  await stop(visitors);
  for (const { child, place } of fleets) {
    if (child) await stop(child);
    await place.close();
  }
}

const rows = fleets.flatMap(({ place }) => ['on', 'off'].map((turn) => rowOf(place.name, turn)));
const targets = fleets.flatMap(({ place }) => ['read', 'report'].map((method) => targetOf(place.name, method)));
const samples = { s3: fleets.find(({ place }) => place.serves)?.place.serves, windows };
await publish('calls', { rows, targets: isShort ? [] : targets, samples });

async function startFleet(place) {
  const settings = { storage: place.settings, options: OPTIONS, count: INSTANCES, refreshes: isShort };
  const child = start(new URL('programs/instances.mjs', import.meta.url), {
    core: APPLICATION,
    env: QUIET,
    args: [JSON.stringify(settings)],
  });
  const { ports } = await heard(child);
  return { place, child, ports };
}

/** Turns maintenance on or off, and waits until all instances go by that. */
async function use({ place, child }, turn) {
  const isRight = (isActive) => isActive === (turn === 'on');
  let { active } = await ask(child, { turn });
  for (const deadline = Date.now() + PATIENCE; !active.every(isRight); await pause(50)) {
    if (Date.now() > deadline) throw new Error(`${place.name}: after ${PATIENCE} ms not all instances are ${turn}`);
    ({ active } = await ask(child, {}));
  }
  await pause(REPORTING);
}

async function idle() {
  await pause(1_000 * SECONDS);
  return 0;
}

/** @returns how many requests were answered, each as it must be */
async function load(turn) {
  const ports = fleets.flatMap((fleet) => fleet.ports);
  const answers = await ask(visitors, { ports, seconds: SECONDS, connections: CONNECTIONS });
  const { [turn === 'on' ? 503 : 200]: requests = 0, ...others } = answers;
  if (requests === 0 || Object.keys(others).length > 0) {
    throw new Error(`while maintenance is ${turn}, requests were answered with ${JSON.stringify(answers)}`);
  }
  return requests;
}

/** What is called while some work is done: by the instances, and as the servers see it. */
async function count(turn, turnedAt, work) {
  const before = await Promise.all(fleets.map(({ place }) => place.calls?.()));
  const from = moment();
  const requests = await work(turn);
  const to = moment();
  const storages = await Promise.all(
    fleets.map(async ({ place, child }, index) => {
      const served = place.calls && difference(await place.calls(), before[index]);
      const { calls } = await ask(child, {});
      const within = calls.map((methods) => timesWithin(methods, from, to));
      const counts = countsOf(within);
      expectNoOthers(place.name, counts, (to - turnedAt) / HEARTBEAT);
      expectSame(place.name, counts, served);
      return [
        place.name,
        { counts, served, perHour: { read: rateOf(within, 'read'), report: rateOf(within, 'report') } },
      ];
    }),
  );
  return { turn, work: work.name, seconds: (to - from) / 1_000, requests, storages: Object.fromEntries(storages) };
}

function timesWithin(methods, from, to) {
  const within = ([name, times]) => [name, times.filter((time) => time >= from && time < to)];
  return Object.fromEntries(Object.entries(methods).map(within));
}

function countsOf(instances) {
  const totalOf = (name) => instances.reduce((total, methods) => total + methods[name].length, 0);
  return Object.fromEntries(Object.keys(instances[0]).map((name) => [name, totalOf(name)]));
}

/** Nobody writes or looks, nobody reads but the polls, and nobody reports but by the clock. */
function expectNoOthers(name, { read, write, report, reports }, heartbeats) {
  const isQuiet = write === 0 && reports === 0 && report <= INSTANCES * Math.floor(heartbeats);
  if (isQuiet && (!isShort || read === 0)) return;
  throw new Error(`${name} was called without need: ${JSON.stringify({ read, write, report, reports })}`);
}

/** The server sees what the instances count. A call of each may be under way at the begin and at the end. */
function expectSame(name, { read, report }, served) {
  if (!served) return;
  const total = Object.values(served).reduce((sum, calls) => sum + calls, 0);
  if (Math.abs(total - read - report) <= INSTANCES) return;
  throw new Error(`${name} was called ${read + report} times, but its server saw ${JSON.stringify(served)}`);
}

function difference(after, before) {
  return Object.fromEntries(Object.entries(after).map(([name, calls]) => [name, calls - (before[name] ?? 0)]));
}

/** Calls of an instance in an hour: from the first to the last call of each, so that it does not matter where the window begins. */
function rateOf(instances, name) {
  const times = instances.map((methods) => methods[name]).filter(({ length }) => length > 1);
  const pauses = times.reduce((total, { length }) => total + length - 1, 0);
  const hours = times.reduce((total, list) => total + (list.at(-1) - list[0]) / 3_600_000, 0);
  return pauses === 0 ? 0 : pauses / hours;
}

function rowOf(storage, turn) {
  const [quiet, loaded] = ['idle', 'load'].map((work) =>
    windows.find((window) => window.turn === turn && window.work === work),
  );
  const of = (window) => window.storages[storage];
  return {
    storage,
    maintenance: turn,
    'reads/h, idle': of(quiet).perHour.read,
    'reads/h, load': of(loaded).perHour.read,
    'reports/h, idle': of(quiet).perHour.report,
    'reports/h, load': of(loaded).perHour.report,
    'calls counted, idle': of(quiet).counts.read + of(quiet).counts.report,
    'calls counted, load': of(loaded).counts.read + of(loaded).counts.report,
    'requests/s, all': loaded.requests / loaded.seconds,
  };
}

function targetOf(storage, method) {
  const rate = (work) => {
    const both = windows.filter((window) => window.work === work);
    return both.reduce((total, window) => total + window.storages[storage].perHour[method], 0) / both.length;
  };
  const what = `${storage}: how far ${method}s under full load are from those idle`;
  return { what, value: Math.abs(rate('load') / rate('idle') - 1), atMost: TOLERANCE };
}
