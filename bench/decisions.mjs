// Measures the decision of the guard alone, without a request. See README.md in this folder.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { measure } from 'mitata';
import { MaintenanceGuard, MaintenanceModule, MaintenanceService } from 'nestjs-maintenance';
import { isShort, publish } from './tools/results.mjs';

const ADDRESS_BLOCKS = 10_000;
const MEASURED_DECISIONS = isShort ? 10_000 : 1_000_000;
const OPTIONS = isShort ? { min_samples: 1, min_cpu_time: 1e6 } : { min_samples: 100, min_cpu_time: 2e9 };

const folder = mkdtempSync(join(tmpdir(), 'bench-decisions-'));

class SmallController {
  get() {
    return 'ok';
  }
}
Get()(SmallController.prototype, 'get', Object.getOwnPropertyDescriptor(SmallController.prototype, 'get'));
Controller()(SmallController);

/** Returns IPv4 and IPv6 blocks in turn, with prefixes of several lengths; the last ones contain the clients. */
function createAddresses() {
  return Array.from({ length: ADDRESS_BLOCKS }, (_, index) => {
    if (index === ADDRESS_BLOCKS - 2) return '100.0.0.0/8';
    if (index === ADDRESS_BLOCKS - 1) return '2001:db8:ffff::/48';
    const [high, low] = [index >> 8, index & 255];
    return index % 2 === 0
      ? `10.${high}.${low}.0/${22 + (index % 6)}`
      : `2001:db8:${index.toString(16)}::/${44 + (index % 8)}`;
  });
}

/** The part of an unsent response that the guard uses. */
class Response {
  statusCode = 200;
  headersSent = false;
  setHeader() {}
  removeHeader() {}
  getHeader() {}
  writeHead() {}
}

/** Creates execution contexts as Nest does for requests to the handler. */
function createContexts() {
  return Array.from({ length: 256 }, () => {
    const request = { method: 'GET', url: '/', headers: {}, ip: '' };
    const http = { getRequest: () => request, getResponse: () => new Response() };
    return {
      getType: () => 'http',
      getClass: () => SmallController,
      getHandler: () => SmallController.prototype.get,
      switchToHttp: () => http,
    };
  });
}

async function createApplication(name, options, isOn) {
  // A measurement blocks the event loop for seconds: the state must not become stale, or decisions wait for a read.
  const refreshInterval = 600_000;
  const storage = `file:${join(folder, `${name}.json`)}`;
  const module = MaintenanceModule.forRoot({ storage, refreshInterval, ...options });
  class AppModule {}
  Module({ imports: [module], controllers: [SmallController] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: false });
  await app.init();
  if (isOn) await app.get(MaintenanceService).enable();
  return { app, guard: app.get(MaintenanceGuard) };
}

/** Returns the addresses of 256 recurring clients in turn. */
const recurring = (make) => {
  const addresses = Array.from({ length: 256 }, (_, index) => make(index));
  return (index) => addresses[index & 255];
};
const ipv4 = (index) => `100.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
const ipv6 = (index) => `2001:db8:ffff::${((index >> 16) & 0xffff).toString(16)}:${(index & 0xffff).toString(16)}`;
const notExempt = recurring((index) => `198.51.100.${index}`);

const off = await createApplication('off', {}, false);
const on = await createApplication('on', { exempt: { ips: createAddresses() } }, true);

const rows = [];
const targets = [];
const samples = {};

const LAST_BLOCK = 'on, exempt by the last of 10,000 blocks';
await measureDecision('off', off.guard, notExempt, true, { atMost: 100 });
await measureDecision(`${LAST_BLOCK}, IPv4`, on.guard, recurring(ipv4), true, { atMost: 2_000 });
await measureDecision(`${LAST_BLOCK}, IPv6`, on.guard, recurring(ipv6), true, { atMost: 2_000 });
await measureDecision(`${LAST_BLOCK}, IPv4, each client new`, on.guard, ipv4, true, { atMost: 2_000 });
await measureDecision(`${LAST_BLOCK}, IPv6, each client new`, on.guard, ipv6, true, { atMost: 2_000 });
await measureDecision('on, refused', on.guard, notExempt, false);

targets.push({ what: 'reads of metadata for each decision', value: await countMetadataReads(off.guard), atMost: 0 });
const bytes = measureAllocations(off.guard);
rows.push({ decision: 'off', 'bytes allocated': bytes });
// The time of the comparison is a double, which V8 boxes unless it inlines the clock.
targets.push({ what: 'bytes allocated for each decision while off', value: bytes, atMost: 20 });

await Promise.all([off.app.close(), on.app.close()]);
rmSync(folder, { recursive: true });
await publish('decisions', { rows, targets, samples });
if (targets.at(-2).value > 0) throw new Error('The guard has read the metadata of a handler twice');

async function measureDecision(what, guard, address, isAdmitted, target) {
  const contexts = createContexts();
  let next = 0;
  const context = () => {
    const one = contexts[next & 255];
    one.switchToHttp().getRequest().ip = address(next++);
    return one;
  };
  const first = guard.canActivate(context());
  const isSync = first === true;
  const outcome = await Promise.resolve(first).catch(() => false);
  if (outcome !== isAdmitted) throw new Error(`Unexpected decision for ${what}: ${outcome ? 'admitted' : 'refused'}`);
  const run = isSync ? () => guard.canActivate(context()) : async () => guard.canActivate(context()).catch(() => false);
  const { p50, min, p99, avg } = await measure(run, OPTIONS);
  samples[what] = { p50, min, p99, avg };
  rows.push({ decision: what, 'ns, median': p50, 'ns, p99': p99 });
  if (target) targets.push({ what: `${what}, median in ns`, value: p50, ...target });
}

/** Counts the calls of `Reflect.getMetadata` in a second decision about the same handler. */
async function countMetadataReads(guard) {
  const [context] = createContexts();
  await guard.canActivate(context);
  const { getMetadata } = Reflect;
  let reads = 0;
  Reflect.getMetadata = (...args) => {
    reads++;
    return getMetadata(...args);
  };
  try {
    await guard.canActivate(context);
    return reads;
  } finally {
    Reflect.getMetadata = getMetadata;
  }
}

/** Returns the growth of the heap per decision, without a collection in between. */
function measureAllocations(guard) {
  const [context] = createContexts();
  const decideRepeatedly = () => {
    for (let count = 0; count < MEASURED_DECISIONS; count++) guard.canActivate(context);
  };
  decideRepeatedly();
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  decideRepeatedly();
  return (process.memoryUsage().heapUsed - before) / MEASURED_DECISIONS;
}
