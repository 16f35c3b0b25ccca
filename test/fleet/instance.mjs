// One instance of an application: node instance.mjs <settings as JSON>, controlled by IPC messages of its parent.
import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setInterval } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { Controller, Get, Inject, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MaintenanceModule, MaintenanceScope, MaintenanceService, StateStorage } from 'nestjs-maintenance';

const { options, adapter, lease, reportsDelays, leaks, panel } = JSON.parse(process.argv[2]);

/** When handlers of `/slow` and `/blocked` finished, with or without a connected client. */
const finished = [];
/** Functions that end the running handlers of `/blocked`. */
const blocked = [];

class ShopController {
  constructor(maintenance) {
    this.maintenance = maintenance;
  }
  browse() {
    return { revision: this.maintenance.status().revision, applied: getAppliedStatus() };
  }
  pay() {
    return { isPaid: true };
  }
  async work(milliseconds) {
    await pause(Number(milliseconds));
    finished.push(Date.now());
    return { finishedAt: finished.at(-1) };
  }
  async block() {
    await new Promise((release) => blocked.push(release));
    finished.push(Date.now());
  }
}
function route(path, name, ...decorators) {
  for (const decorate of [Get(path), ...decorators]) {
    decorate(ShopController.prototype, name, Object.getOwnPropertyDescriptor(ShopController.prototype, name));
  }
}
route('/', 'browse');
route('/payments', 'pay', MaintenanceScope('payments'));
route('/slow/:milliseconds', 'work');
route('/blocked', 'block');
Param('milliseconds')(ShopController.prototype, 'work', 0);
Inject(MaintenanceService)(ShopController, undefined, 0);
Controller()(ShopController);

class OperatorGuard {
  canActivate(context) {
    const request = context.switchToHttp().getRequest();
    request.user = { name: request.headers['x-operator'] };
    return true;
  }
}

const leaked = [];
/** Returns the status that the instance applies at this moment. */
function getAppliedStatus() {
  if (leaks) leaked.push(Array(128).fill(leaked.length));
  const { active, revision, source, windows } = maintenance.status();
  return { isOn: active, revision, source, message: (active && windows.active[0]?.message) || null };
}

const maintenanceModule = MaintenanceModule.forRoot({
  ...options,
  response: { context: () => ({ applied: getAppliedStatus() }) },
  admin: panel ? { panel } : { guards: [OperatorGuard] },
});
// Overrides the provider of the module: the last one counts.
if (lease) maintenanceModule.providers.push({ provide: Symbol.for('nestjs-maintenance:lease'), useValue: lease });

class AppModule {}
Module({ imports: [maintenanceModule], controllers: [ShopController] })(AppModule);

function send(message) {
  if (process.connected) process.send(message);
}

const line =
  (level) =>
  (text, ...rest) => {
    if (rest.at(-1) === 'Maintenance') send({ log: { level, text } });
    // Errors that Nest answers with a 500.
    if (rest.at(-1) === 'ExceptionsHandler') send({ error500: text.stack ?? String(text) });
  };
const logger = { log: line('log'), warn: line('warn'), error: line('error'), fatal: line('fatal') };

const server =
  adapter === 'fastify'
    ? new (await import('@nestjs/platform-fastify')).FastifyAdapter()
    : new (await import('@nestjs/platform-express')).ExpressAdapter();
const app = await NestFactory.create(AppModule, server, { logger, abortOnError: false });
const maintenance = app.get(MaintenanceService);
const storage = app.get(StateStorage);

const calls = { read: 0, write: 0, report: 0, reports: 0 };
let pendingCalls = 0;
// The longest read since the last `slowestRead` command, in milliseconds.
let slowestRead = 0;
for (const name of Object.keys(calls)) {
  const call = storage[name]?.bind(storage);
  if (!call) continue;
  storage[name] = async (...given) => {
    calls[name]++;
    pendingCalls++;
    const before = performance.now();
    try {
      return await call(...given);
    } finally {
      pendingCalls--;
      const took = performance.now() - before;
      if (name === 'read') slowestRead = Math.max(slowestRead, took);
      if (name === 'read' && reportsDelays && took > LONG_MS)
        send({ read: { from: Date.now() - took, to: Date.now() } });
    }
  };
}

maintenance.changes.subscribe(({ revision }) => send({ applied: { revision, at: Date.now() } }));

process.on('warning', ({ name, message }) => send({ warning: { name, message } }));

const delay = monitorEventLoopDelay({ resolution: 2 });
delay.enable();

/** Threshold for reporting stalls and long reads. */
const LONG_MS = 10;
if (reportsDelays) {
  let last = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (now - last > 2 * LONG_MS) send({ delay: { from: last, to: now } });
    last = now;
  }, LONG_MS).unref();
}

// A task for during() that ignores its signal and runs until the command `endWork`.
const work = { aborted: null, outcome: null };
let endWork;

const commands = {
  beginWork: () =>
    new Promise((begun, failed) => {
      const working = maintenance.during(async (signal) => {
        signal.addEventListener('abort', () => (work.aborted = { at: Date.now(), reason: signal.reason.message }));
        begun();
        await new Promise((end) => (endWork = end));
      });
      work.outcome = working.then(() => 'done');
      work.outcome.catch(failed);
    }),
  aborted: () => work.aborted,
  endWork: () => {
    endWork();
    return work.outcome;
  },
  status: () => maintenance.status(),
  stored: async () => (await storage.read())?.state ?? null,
  calls: () => ({ ...calls }),
  finished: () => finished,
  blocked: () => blocked.length,
  release: () => blocked.splice(0).forEach((release) => release()),
  roundTrip: async () => {
    const before = performance.now();
    await maintenance.refresh();
    return performance.now() - before;
  },
  slowestRead: () => {
    const longest = slowestRead;
    slowestRead = 0;
    return longest;
  },
  // Needs --expose-gc.
  vitals: async () => {
    // Sockets and timers of a pending call are not leaks: with S3, one call uses five handles.
    for (let quietLooks = 0; quietLooks < 2; quietLooks = pendingCalls > 0 ? 0 : quietLooks + 1) await pause(5);
    globalThis.gc();
    globalThis.gc();
    const handles = {};
    for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
    const emitters = [process, app.getHttpServer()];
    return {
      heap: process.memoryUsage().heapUsed,
      handles,
      descriptors: readdirSync('/proc/self/fd').length,
      listeners: emitters
        .flatMap((emitter) => emitter.eventNames().map((name) => emitter.listenerCount(name)))
        .reduce((sum, count) => sum + count, 0),
    };
  },
  // The longest block of the event loop since the last `stall` command, in milliseconds.
  stall: () => {
    const longest = delay.max / 1e6;
    delay.reset();
    return Number.isFinite(longest) ? longest : 0;
  },
};

process.on('message', async ({ id, command }) => {
  try {
    send({ id, value: await commands[command]() });
  } catch (error) {
    send({ id, error: `${error.name}: ${error.message}` });
  }
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => void app.close().then(() => process.exit(0)));

// Accepts upgrades without a gateway.
app.getHttpServer().on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
await app.listen(0, '127.0.0.1');
send({ port: app.getHttpServer().address().port });
