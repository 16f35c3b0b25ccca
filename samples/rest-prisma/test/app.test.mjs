// Runs the steps of README.md on the built application and the Postgres in DATABASE_URL, which has to be empty.
import assert from 'node:assert/strict';
import { exec, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';

const TIMEOUT_MS = 60_000;
const DATABASE_URL = process.env.DATABASE_URL ?? 'postgres://shop:secret@localhost:5432/shop';
const env = {
  ...process.env,
  DATABASE_URL,
  MAINTENANCE_STORAGE: `${DATABASE_URL}?table=ops.maintenance_state`,
  PRISMA_SCHEMA_ENGINE_BINARY: resolve('test/schema-engine.mjs'),
};
let application;
let url;

const run = (command) => promisify(exec)(command, { env });

const list = () => fetch(`${url}/products`);
const add = (product) =>
  fetch(`${url}/products`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(product),
  });

async function waitForStatus(status) {
  while ((await list()).status !== status) await pause(50);
}

before(async () => {
  await run('npm run migrate');
  application = spawn(process.execPath, ['dist/main.js'], { env: { ...env, PORT: '0' } });
  application.stderr.pipe(process.stderr);
  for await (const output of application.stdout.iterator({ destroyOnReturn: false })) {
    url = /Listening on (\S+)/.exec(output)?.[1];
    if (url) break;
  }
  application.stdout.resume();
});

after(async () => {
  const added = readdirSync('prisma/next-release').map((name) => `prisma/migrations/${name}`);
  for (const folder of added) rmSync(folder, { recursive: true, force: true });
  application.kill();
  await once(application, 'exit');
});

test('products are read and added while maintenance is off', async () => {
  assert.equal((await add({ name: 'Chair', price: 40 })).status, 201);
  assert.deepEqual(await (await list()).json(), [{ id: 1, name: 'Chair', price: 40 }]);
});

test('a read-only window admits reading, and refuses adding', { timeout: TIMEOUT_MS }, async () => {
  await run('npx --no-install nestjs-maintenance on --mode read-only');
  const refused = await add({ name: 'Table', price: 90 });
  assert.equal(refused.status, 503);
  assert.equal((await refused.json()).errorCode, 'MAINTENANCE');
  assert.equal((await list()).status, 200);
  await run('npx --no-install nestjs-maintenance off');
});

test('the migration waits for a request in flight, and others are refused', { timeout: TIMEOUT_MS }, async () => {
  const lock = new pg.Client({ connectionString: DATABASE_URL });
  await lock.connect();
  try {
    await lock.query('BEGIN; LOCK TABLE "Product" IN SHARE MODE');
    const inFlight = add({ name: 'Chair', price: 45 });
    await waitForLockedInsert(lock);

    cpSync('prisma/next-release', 'prisma/migrations', { recursive: true });
    const deployed = run('npm run deploy');
    await waitForOutput(deployed.child.stderr, /1 in flight: POST \/products/);
    const refused = await add({ name: 'Table', price: 90 });
    assert.equal(refused.status, 503);
    assert.equal((await refused.json()).message, 'We are updating the shop');
    assert.equal(await countMigrations(lock), 1, 'the migration has to wait');

    await lock.query('COMMIT');
    assert.equal((await inFlight).status, 201);
    assert.match((await deployed).stdout, /applied:\s+migrations\/\s+└─ 20261127090000_unique_names/);
    assert.equal(await countMigrations(lock), 2);
  } finally {
    await lock.end();
  }
  await waitForStatus(200);
  assert.deepEqual(await (await list()).json(), [{ id: 1, name: 'Chair', price: 40 }]);
});

async function waitForOutput(stream, pattern) {
  let output = '';
  for await (const text of stream.iterator({ destroyOnReturn: false })) {
    output += text;
    if (pattern.test(output)) return;
  }
  assert.match(output, pattern);
}

/** Counts the migrations that have begun. */
async function countMigrations(client) {
  return (await client.query('SELECT 1 FROM _prisma_migrations')).rowCount;
}

async function waitForLockedInsert(client) {
  const query = 'SELECT 1 FROM pg_locks WHERE NOT granted';
  while ((await client.query(query)).rowCount === 0) await pause(50);
}
