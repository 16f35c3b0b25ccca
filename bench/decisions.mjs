// What the guard's decision costs, without any request around it. See README.md beside this file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { measure } from 'mitata';
import { MaintenanceGuard, MaintenanceModule, MaintenanceService } from 'nestjs-maintenance';
import { isShort, publish } from './tools/results.mjs';

const ADDRESSES = 10_000;
const ALLOCATIONS = isShort ? 10_000 : 1_000_000;
const OPTIONS = isShort ? { min_samples: 1, min_cpu_time: 1e6 } : { min_samples: 100, min_cpu_time: 2e9 };

const folder = mkdtempSync(join(tmpdir(), 'bench-decisions-'));

class SmallController {
  get() {
    return 'ok';
  }
}
Get()(SmallController.prototype, 'get', Object.getOwnPropertyDescriptor(SmallController.prototype, 'get'));
Controller()(SmallController);

/** Half of them IPv4, half IPv6, with prefixes of several lengths; the last ones hold the clients. */
function manyAddresses() {
  return Array.from({ length: ADDRESSES }, (_, index) => {
    if (index === ADDRESSES - 2) return '100.0.0.0/8';
    if (index === ADDRESSES - 1) return '2001:db8:ffff::/48';
    const [high, low] = [index >> 8, index & 255];
    return index % 2 === 0
      ? `10.${high}.${low}.0/${22 + (index % 6)}`
      : `2001:db8:${index.toString(16)}::/${44 + (index % 8)}`;
  });
}

/** What the guard needs of a response that nobody has answered yet. */
class Response {
  statusCode = 200;
  headersSent = false;
  setHeader() {}
  removeHeader() {}
  getHeader() {}
  writeHead() {}
}

/** As Nest makes them for requests to the handler. */
function contexts() {
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

async function applicationWith(name, options, isOn) {
  const module = MaintenanceModule.forRoot({ storage: `file:${join(folder, `${name}.json`)}`, ...options });
  class AppModule {}
  Module({ imports: [module], controllers: [SmallController] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: false });
  await app.init();
  if (isOn) await app.get(MaintenanceService).enable();
  return { app, guard: app.get(MaintenanceGuard) };
}

/** 256 clients that come again and again. */
const known = (make) => {
  const addresses = Array.from({ length: 256 }, (_, index) => make(index));
  return (index) => addresses[index & 255];
};
const ipv4 = (index) => `100.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
const ipv6 = (index) => `2001:db8:ffff::${((index >> 16) & 0xffff).toString(16)}:${(index & 0xffff).toString(16)}`;
const stranger = known((index) => `198.51.100.${index}`);

const off = await applicationWith('off', {}, false);
const on = await applicationWith('on', { exempt: { ips: manyAddresses() } }, true);

const rows = [];
const targets = [];
const samples = {};

const LAST = 'on, exempt by the last of 10,000 blocks';
await decide('off', off.guard, stranger, true, { atMost: 100 });
await decide(`${LAST}, IPv4`, on.guard, known(ipv4), true, { atMost: 2_000 });
await decide(`${LAST}, IPv6`, on.guard, known(ipv6), true, { atMost: 2_000 });
await decide(`${LAST}, IPv4, each client new`, on.guard, ipv4, true);
await decide(`${LAST}, IPv6, each client new`, on.guard, ipv6, true);
await decide('on, refused', on.guard, stranger, false);

targets.push({ what: 'reads of metadata for each decision', value: await readsOfMetadata(off.guard), atMost: 0 });
const bytes = allocationsOf(off.guard);
rows.push({ decision: 'off', 'bytes allocated': bytes });
targets.push({ what: 'bytes allocated for each decision while off', value: bytes, atMost: 1 });

await Promise.all([off.app.close(), on.app.close()]);
rmSync(folder, { recursive: true });
await publish('decisions', { rows, targets, samples });
if (targets.at(-2).value > 0) throw new Error('the guard reads metadata anew for a handler that it knows');

async function decide(what, guard, address, isAdmitted, target) {
  const made = contexts();
  let next = 0;
  const context = () => {
    const one = made[next & 255];
    one.switchToHttp().getRequest().ip = address(next++);
    return one;
  };
  const first = guard.canActivate(context());
  const isSync = first === true;
  const outcome = await Promise.resolve(first).catch(() => false);
  if (outcome !== isAdmitted) throw new Error(`${what}: ${outcome ? 'admitted' : 'refused'}`);
  const run = isSync ? () => guard.canActivate(context()) : async () => guard.canActivate(context()).catch(() => false);
  const { p50, min, p99, avg } = await measure(run, OPTIONS);
  samples[what] = { p50, min, p99, avg };
  rows.push({ decision: what, 'ns, median': p50, 'ns, p99': p99 });
  if (target) targets.push({ what: `${what}, median in ns`, value: p50, ...target });
}

/** How often the guard asks Reflect for what it has read before. */
async function readsOfMetadata(guard) {
  const [context] = contexts();
  await guard.canActivate(context);
  const { getMetadata } = Reflect;
  let reads = 0;
  Reflect.getMetadata = (...given) => {
    reads++;
    return getMetadata(...given);
  };
  try {
    await guard.canActivate(context);
    return reads;
  } finally {
    Reflect.getMetadata = getMetadata;
  }
}

/** Of the young generation, while nothing is collected. */
function allocationsOf(guard) {
  const [context] = contexts();
  const work = () => {
    for (let count = 0; count < ALLOCATIONS; count++) guard.canActivate(context);
  };
  work();
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  work();
  return (process.memoryUsage().heapUsed - before) / ALLOCATIONS;
}
