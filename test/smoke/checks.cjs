// What every runtime has to do right: the packed package in an application, seen through HTTP and the command line.
/* global __dirname, module */
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { subscribe } = require('node:diagnostics_channel');
const { existsSync, mkdtempSync, rmSync } = require('node:fs');
const { connect } = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const BIN = join(__dirname, 'node_modules/nestjs-maintenance/bin/nestjs-maintenance.cjs');
/** What the runtime needs before the name of a program, such as `run --allow-all` for Deno. */
const RUN_ARGS = JSON.parse(process.env.SMOKE_RUN_ARGS ?? '[]');
const TIMEOUT_MS = 10_000;

/** Returns a module with two handlers. The decorators are called as functions: this is plain JavaScript. */
function createModule({ common, library, testing }, storage) {
  const { Controller, Get, Module } = common;
  class CatsController {
    list() {
      return ['Tom'];
    }
    pay() {
      return 'paid';
    }
  }
  const decorate = (name, ...decorators) => {
    for (const decorator of decorators) {
      decorator(CatsController.prototype, name, Object.getOwnPropertyDescriptor(CatsController.prototype, name));
    }
  };
  decorate('list', Get());
  decorate('pay', Get('webhook'), library.SkipMaintenance());
  Controller('cats')(CatsController);
  class AppModule {}
  Module({ imports: [library.MaintenanceModule.forRoot({ storage })], controllers: [CatsController] })(AppModule);
  assert.equal(typeof testing.MemoryStateStorage, 'function');
  return AppModule;
}

/** Runs a command as its own process, on the same runtime. */
function runCommand(file, ...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [...RUN_ARGS, BIN, ...args, '--storage', `file:${file}`], (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
  });
}

async function until(expected, condition) {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Timed out waiting until ${expected}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Asks for a WebSocket, and returns the first line of the response. */
function requestUpgrade(port) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const headers = ['Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('The request for a WebSocket was not answered.')));
    socket.once('error', reject).once('data', (data) => {
      resolve(data.toString().split('\r\n')[0]);
      socket.destroy();
    });
    socket.write(`GET /socket HTTP/1.1\r\n${headers.join('\r\n')}\r\n${key}\r\n\r\n`);
  });
}

/** A refusal must not wait for the body, and must reach a client that is still sending it. */
async function checkUnreadBody(port) {
  const body = 'x'.repeat(5_000_000);
  const response = await fetch(`http://127.0.0.1:${port}/cats`, { method: 'POST', body });
  assert.equal(response.status, 503);
}

async function checkRefusals({ library, app, get, port }) {
  const paths = ['/cats', '/cats/webhook', '/unknown', '/health'];
  const getStatuses = async () => (await Promise.all(paths.map((path) => get(path)))).map(({ status }) => status);
  const maintenance = app.get(library.MaintenanceService);
  const changes = [];
  subscribe('nestjs-maintenance:change', (message) => changes.push(...message.changes.map(({ action }) => action)));

  assert.deepEqual(await getStatuses(), [200, 200, 404, 404]);
  await maintenance.enable({ message: 'Back soon', retryAfter: 60 });
  assert.deepEqual(await getStatuses(), [503, 200, 503, 404]);
  const refused = await get('/cats');
  assert.equal(refused.headers.get('content-type')?.split(';')[0], 'application/problem+json');
  assert.equal(refused.headers.get('retry-after'), '60');
  assert.match(await refused.text(), /Back soon/);
  const page = await get('/cats', { accept: 'text/html' });
  assert.equal(page.status, 503);
  assert.match(await page.text(), /<html[^]*Back soon/);
  assert.match(await requestUpgrade(port), /^HTTP\/1.1 503/);
  // Deno 2.9: Fastify's close() then never ends, without this library too.
  if (globalThis.Deno === undefined) await checkUnreadBody(port);
  await maintenance.disable();
  assert.deepEqual(await getStatuses(), [200, 200, 404, 404]);
  assert.deepEqual(changes, ['on', 'off']);
}

async function checkCommands({ file, get }) {
  const on = await runCommand(file, 'on', '--message', 'By command', '--wait');
  assert.equal(on.code, 0, on.stderr);
  assert.match(on.stdout, /^Drained after/m);
  await until('the command has turned maintenance on', async () => (await get('/cats')).status === 503);
  const status = await runCommand(file, 'status', '--json');
  assert.equal(status.code, 3, status.stderr);
  assert.equal(JSON.parse(status.stdout).active, true);
  const off = await runCommand(file, 'off');
  assert.deepEqual([off.code, off.stderr], [0, ''], off.stdout);
  await until('the command has turned maintenance off', async () => (await get('/cats')).status === 200);
}

/** Starts the application on one adapter, and checks it. The process must end by itself afterwards. */
module.exports = async function check(modules, adapter) {
  const folder = mkdtempSync(join(tmpdir(), 'smoke-'));
  const file = join(folder, 'state.json');
  const { NestFactory } = modules.core;
  const appModule = createModule(modules, `file:${file}`);
  const options = { logger: ['error', 'warn'] };
  const app = await (adapter === 'fastify'
    ? NestFactory.create(appModule, new modules.fastify.FastifyAdapter(), options)
    : NestFactory.create(appModule, options));
  try {
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address();
    const get = (path, headers) => fetch(`http://127.0.0.1:${port}${path}`, { headers });
    await checkRefusals({ ...modules, app, get, port });
    await checkCommands({ file, get });
    assert.ok(existsSync(file));
  } finally {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const { Bun, Deno } = globalThis;
  const runtime = Bun ? `Bun ${Bun.version}` : Deno ? `Deno ${Deno.version.deno}` : `Node ${process.versions.node}`;
  console.log(`All checks passed on ${runtime}.`);
};
