// The smallest application, in one of its variants: node application.mjs <adapter> <variant>
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Module, ServiceUnavailableException } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { ACCEPT_LANGUAGES, HTML_ACCEPT, JSON_ACCEPT } from './accept.mjs';
import { serveCopies } from './node-alone.mjs';

const [adapter, variant] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'bench-http-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

class SmallController {
  get() {
    return 'ok';
  }
}
Get()(SmallController.prototype, 'get', Object.getOwnPropertyDescriptor(SmallController.prototype, 'get'));
Controller()(SmallController);

async function createMaintenance(options = {}) {
  const { MaintenanceModule } = await import('nestjs-maintenance');
  return { imports: [MaintenanceModule.forRoot({ storage: `file:${join(folder, 'state.json')}`, ...options })] };
}

function createGuard(isMaintenanceOn) {
  const canActivate = async () => {
    if (await isMaintenanceOn()) throw new ServiceUnavailableException('Down for maintenance');
    return true;
  };
  return createGuardProvider(canActivate);
}

function createGuardProvider(canActivate) {
  return { providers: [{ provide: APP_GUARD, useValue: { canActivate } }] };
}

/** Returns 10,000 blocks and 200 paths (fixed, parameter, wildcard, RegExp) that do not match the client. */
function createExemptions() {
  const ips = Array.from({ length: 10_000 }, (_, index) =>
    index % 2 === 0 ? `10.${(index >> 8) & 255}.${index & 255}.0/24` : `2001:db8:${index.toString(16)}::/48`,
  );
  const patterns = [
    (n) => `/open-${n}/page`,
    (n) => `/open-${n}/:id`,
    (n) => `/open-${n}/{*rest}`,
    (n) => new RegExp(`/open-${n}/\\d+`),
  ];
  const urls = Array.from({ length: 200 }, (_, index) => patterns[index % patterns.length](index));
  return { exempt: { ips, urls } };
}

const VARIANTS = {
  without: async () => ({}),
  off: () => createMaintenance(),
  on: () => createMaintenance(),
  'on, ending': () => createMaintenance(),
  'on, Node alone': () => createMaintenance(),
  'on, exempting many': () => createMaintenance(createExemptions()),
  'bare middleware': async () => ({}),
  'empty guard': async () => createGuardProvider(() => true),
  'own guard, file': async () => {
    const file = join(folder, 'maintenance.json');
    writeFileSync(file, '{"on":false}');
    return createGuard(async () => JSON.parse(await readFile(file, 'utf8')).on);
  },
  'own guard, Redis': async () => {
    const { createClient } = await import('redis');
    const client = await createClient({ url: process.env.BENCH_REDIS }).connect();
    return createGuard(async () => (await client.get('maintenance')) === '1');
  },
  throttler: async () => {
    const { ThrottlerGuard, ThrottlerModule } = await import('@nestjs/throttler');
    return {
      imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: Number.MAX_SAFE_INTEGER }])],
      providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
    };
  },
};

const COPIED_REQUESTS = [JSON_ACCEPT, HTML_ACCEPT].flatMap((accept) => [
  { accept },
  ...ACCEPT_LANGUAGES.map((language) => ({ accept, 'accept-language': language })),
]);

class AppModule {}
Module({ controllers: [SmallController], ...(await VARIANTS[variant]()) })(AppModule);

const server =
  adapter === 'fastify'
    ? new (await import('@nestjs/platform-fastify')).FastifyAdapter()
    : new (await import('@nestjs/platform-express')).ExpressAdapter();
const app = await NestFactory.create(AppModule, server, { logger: ['error', 'fatal'] });
if (variant === 'bare middleware') {
  const body = Buffer.from(JSON.stringify({ statusCode: 503, message: 'Back at four', padding: ' '.repeat(250) }));
  const headers = {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    'Retry-After': '3600',
    Vary: 'Accept',
    'Content-Length': body.length,
  };
  app.use((_request, response) => response.writeHead(503, headers).end(body));
}
await app.listen(0, '127.0.0.1');
if (variant.startsWith('on')) {
  const { MaintenanceService } = await import('nestjs-maintenance');
  await app.get(MaintenanceService).enable({
    message: 'Back at four',
    // The answers then contain the time that is left, and change each second.
    ...(variant === 'on, ending' && { endsAt: new Date(Date.now() + 3_600_000) }),
  });
}
let { port } = app.getHttpServer().address();
if (variant === 'on, Node alone') {
  const copy = await serveCopies(await app.getUrl(), COPIED_REQUESTS);
  ({ port } = copy.address());
  await app.close();
}

// Replies to each message with the CPU time so far, in microseconds.
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpu: user + system });
});
process.on('disconnect', () => process.exit());
process.send({ port });
