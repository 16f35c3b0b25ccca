// Counts the storage calls of instances, idle and under full load. See README.md in this folder.
import { setTimeout as pause } from 'node:timers/promises';
import { getMonotonicMs } from './tools/monotonic-clock.mjs';
import { APPLICATION_CORE, ask, waitForMessage, LOAD_CORE, NO_WARNINGS, start, stop } from './tools/processes.mjs';
import { openS3OrLocal, openFile, openMysql, openPostgres, openRedis } from './tools/storage-backends.mjs';
import { isShort, publish } from './tools/results.mjs';

const INSTANCES = isShort ? 2 : 20;
/** Duration of each measurement: idle and loaded, with maintenance off and on. */
const SECONDS = isShort ? 1 : 90;
/** The short form sends so many requests to each instance instead: thousands in all. */
const AMOUNT = isShort ? 300 : undefined;
/** Connections of the load to each instance. */
const CONNECTIONS = isShort ? 8 : 1;
/** The short form does not poll, so that a single call caused by a request is found. */
const OPTIONS = isShort ? { refreshInterval: 600_000 } : {};
/** The shortest interval between two reports of an idle instance. */
const MIN_HEARTBEAT_MS = 0.8 * 30_000;
/** Time for all instances to apply a change. */
const CHANGE_TIMEOUT_MS = 15_000;
/** Time for all instances to report a change that they have applied. */
const REPORT_DELAY_MS = isShort ? 500 : 3_000;
/** The greatest relative difference of the rates: several times that of the random intervals between calls. */
const TOLERANCE = 0.04;

const fleets = [];
const loadProcess = start(new URL('programs/load-instances.mjs', import.meta.url), { core: LOAD_CORE });
const windows = [];
try {
  for (const open of [openFile, openRedis, openPostgres, openMysql, openS3OrLocal]) {
    const backend = await open();
    if (backend) fleets.push(await startFleet(backend));
  }
  for (const turn of ['on', 'off']) {
    const turnedAt = getMonotonicMs();
    await Promise.all(fleets.map((fleet) => switchMaintenance(fleet, turn)));
    for (const work of [idle, load]) windows.push(await count(turn, turnedAt, work));
  }
} finally {
  await stop(loadProcess);
  for (const { child, backend } of fleets) {
    if (child) await stop(child);
    await backend.close();
  }
}

const rows = fleets.flatMap(({ backend }) => ['on', 'off'].map((turn) => createRow(backend.name, turn)));
const targets = fleets.flatMap(({ backend }) => ['read', 'report'].map((method) => createTarget(backend.name, method)));
const samples = { s3: fleets.find(({ backend }) => backend.server)?.backend.server, windows };
await publish('calls', { rows, targets: isShort ? [] : targets, samples });

async function startFleet(backend) {
  const settings = { storage: backend.settings, options: OPTIONS, count: INSTANCES, refreshes: isShort };
  const child = start(new URL('programs/instances.mjs', import.meta.url), {
    core: APPLICATION_CORE,
    env: NO_WARNINGS,
    args: [JSON.stringify(settings)],
  });
  const { ports } = await waitForMessage(child);
  return { backend, child, ports };
}

/** Turns maintenance on or off, and waits until all instances have applied it. */
async function switchMaintenance({ backend, child }, turn) {
  const isExpected = (isActive) => isActive === (turn === 'on');
  let { active } = await ask(child, { turn });
  for (const deadline = Date.now() + CHANGE_TIMEOUT_MS; !active.every(isExpected); await pause(50)) {
    if (Date.now() > deadline)
      throw new Error(`${backend.name}: after ${CHANGE_TIMEOUT_MS} ms not all instances are ${turn}`);
    ({ active } = await ask(child, {}));
  }
  await pause(REPORT_DELAY_MS);
}

async function idle() {
  await pause(1_000 * SECONDS);
  return 0;
}

/**
 * Sends requests to all instances, and checks their statuses.
 *
 * @returns the number of requests
 */
async function load(turn) {
  const ports = fleets.flatMap((fleet) => fleet.ports);
  const answers = await ask(loadProcess, { ports, seconds: SECONDS, amount: AMOUNT, connections: CONNECTIONS });
  const { [turn === 'on' ? 503 : 200]: requests = 0, ...others } = answers;
  if (requests === 0 || Object.keys(others).length > 0) {
    throw new Error(`Unexpected statuses while maintenance is ${turn}: ${JSON.stringify(answers)}`);
  }
  return requests;
}

/** Counts the calls during some work, in the instances and in the servers. */
async function count(turn, turnedAt, work) {
  const before = await Promise.all(fleets.map(({ backend }) => backend.calls?.()));
  const statementsBefore = await Promise.all(fleets.map(({ backend }) => backend.statements?.()));
  const from = getMonotonicMs();
  const requests = await work(turn);
  const to = getMonotonicMs();
  const storages = await Promise.all(
    fleets.map(async ({ backend, child }, index) => {
      const served = backend.calls && subtract(await backend.calls(), before[index]);
      const statements = backend.statements && (await backend.statements()) - statementsBefore[index];
      const { calls } = await ask(child, {});
      const within = calls.map((methods) => selectTimes(methods, from, to));
      const counts = sumCalls(within);
      expectOnlyBackgroundCalls(backend.name, counts, (to - turnedAt) / MIN_HEARTBEAT_MS);
      expectSameCounts(backend.name, counts, served);
      return [
        backend.name,
        {
          counts,
          served,
          statements,
          perHour: {
            read: getHourlyRate(within, 'read'),
            report: getHourlyRate(within, 'report'),
            statement: statements && (3_600_000 * statements) / INSTANCES / (to - from),
          },
        },
      ];
    }),
  );
  return { turn, work: work.name, seconds: (to - from) / 1_000, requests, storages: Object.fromEntries(storages) };
}

function selectTimes(methods, from, to) {
  const within = ([name, times]) => [name, times.filter((time) => time >= from && time < to)];
  return Object.fromEntries(Object.entries(methods).map(within));
}

function sumCalls(instances) {
  const getTotal = (name) => instances.reduce((total, methods) => total + methods[name].length, 0);
  return Object.fromEntries(Object.keys(instances[0]).map((name) => [name, getTotal(name)]));
}

/** Checks that instances only poll and send heartbeats. */
function expectOnlyBackgroundCalls(name, { read, write, report, reports }, heartbeats) {
  const isExpected = write === 0 && reports === 0 && report <= INSTANCES * Math.floor(heartbeats);
  if (isExpected && (!isShort || read === 0)) return;
  throw new Error(`${name} received unexpected calls: ${JSON.stringify({ read, write, report, reports })}`);
}

/** Checks the counts of the instances against the server. A call of each may be running at the start and at the end. */
function expectSameCounts(name, { read, report }, served) {
  if (!served) return;
  const total = Object.values(served).reduce((sum, calls) => sum + calls, 0);
  if (Math.abs(total - read - report) <= INSTANCES) return;
  throw new Error(
    `Instances have called ${name} ${read + report} times, but its server has counted ${JSON.stringify(served)}`,
  );
}

function subtract(after, before) {
  return Object.fromEntries(Object.entries(after).map(([name, calls]) => [name, calls - (before[name] ?? 0)]));
}

/** Returns calls per hour from the first to the last call of each instance, wherever the measurement starts. */
function getHourlyRate(instances, name) {
  const times = instances.map((methods) => methods[name]).filter(({ length }) => length > 1);
  const pauses = times.reduce((total, { length }) => total + length - 1, 0);
  const hours = times.reduce((total, list) => total + (list.at(-1) - list[0]) / 3_600_000, 0);
  return pauses === 0 ? 0 : pauses / hours;
}

function createRow(storage, turn) {
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
    'statements/h, idle': of(quiet).perHour.statement ?? '',
    'statements/h, load': of(loaded).perHour.statement ?? '',
    'calls counted, idle': of(quiet).counts.read + of(quiet).counts.report,
    'calls counted, load': of(loaded).counts.read + of(loaded).counts.report,
    'requests/s, all': loaded.requests / loaded.seconds,
  };
}

function createTarget(storage, method) {
  const rate = (work) => {
    const both = windows.filter((window) => window.work === work);
    return both.reduce((total, window) => total + window.storages[storage].perHour[method], 0) / both.length;
  };
  const what = `${storage}: how far ${method}s under full load are from those idle`;
  return { what, value: Math.abs(rate('load') / rate('idle') - 1), atMost: TOLERANCE };
}
