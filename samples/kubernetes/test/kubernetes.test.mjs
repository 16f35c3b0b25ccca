import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { checkManifests, readManifests } from './check-manifests.mjs';
import { maintenance, start, until } from './start.mjs';

process.env.DATABASE_URL ??= 'postgres://postgres:secret@localhost:5432/postgres';
process.env.MAINTENANCE_STORAGE = `${process.env.REDIS_URL ?? 'redis://localhost:6379'}?key=orders`;

const manifests = readManifests();
const findContainer = (kind) => manifests.find((manifest) => manifest.kind === kind).spec.template.spec.containers[0];
const [node, main] = findContainer('Deployment').command;

let app;
before(async () => {
  assert.equal(node, 'node');
  app = await start(main);
});
after(async () => {
  await app?.stop();
  await maintenance('off');
});

const get = (path) => fetch(app.url + path);

/** Runs the command of the Job, and returns its exit code. */
function runJob(variables = {}) {
  const [program, ...args] = findContainer('Job').command;
  return new Promise((resolve) => {
    execFile(program, args, { env: { ...process.env, ...variables } }, (error) => resolve(error?.code ?? 0));
  });
}

test('the manifests are valid, and a mistake in a copy is found', async () => {
  const wrong = readManifests().find(({ kind }) => kind === 'Deployment');
  wrong.spec.template.spec.containers[0].livenesProbe = {};
  const errors = (await checkManifests([...manifests, wrong])).match(/error TS.*/g);
  assert.equal(errors?.length, 1, errors?.join('\n'));
  assert.match(errors[0], /livenesProbe/);
});

test('the Job migrates the database', async () => {
  assert.equal(await runJob(), 0);
  await until('orders are listed', async () => (await get('/orders')).ok);
  const headers = { 'content-type': 'application/json' };
  await fetch(`${app.url}/orders`, { method: 'POST', headers, body: JSON.stringify({ item: 'tea' }) });
  assert.deepEqual((await (await get('/orders')).json()).at(-1), { item: 'tea' });
});

test('pods stay alive and ready during the migration, and refuse requests', async () => {
  // The migration waits for this lock.
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  await client.query('BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE');
  const job = runJob();
  await until('requests are refused', async () => (await get('/orders')).status === 503);
  const { livenessProbe, readinessProbe } = findContainer('Deployment');
  for (const { httpGet } of [livenessProbe, readinessProbe]) assert.equal((await get(httpGet.path)).status, 200);
  const { status, details } = await (await get('/health')).json();
  assert.deepEqual([status, details.database.status, details.maintenance.active], ['ok', 'up', true]);
  await client.query('COMMIT');
  await client.end();
  assert.equal(await job, 0);
  await until('orders are listed', async () => (await get('/orders')).ok);
});

test('maintenance stays on if the migration fails', async () => {
  assert.equal(await runJob({ DATABASE_URL: 'postgres://127.0.0.1:1/orders' }), 1);
  assert.equal((await get('/orders')).status, 503);
  await maintenance('off');
  await until('orders are listed', async () => (await get('/orders')).ok);
});
