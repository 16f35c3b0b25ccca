import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { maintenance, start, until } from './start.mjs';

let app;
before(async () => (app = await start()));
after(async () => {
  await maintenance('off', '--all');
  await app.stop();
});

const call = (key, path, method = 'GET') => fetch(app.url + path, { method, headers: { 'x-api-key': key } });
const readJson = async (...args) => (await call(...args)).json();

test('serves all tenants, and no caller without a key', async () => {
  assert.deepEqual(await readJson('key-of-acme', '/orders', 'POST'), { tenant: 'acme', orders: 1 });
  assert.deepEqual(await readJson('key-of-globex', '/orders'), { tenant: 'globex', orders: 0 });
  assert.equal((await call('unknown', '/orders')).status, 401);
});

test('refuses only the tenant in maintenance', async () => {
  await maintenance('on', '--wait', '--scope', 'tenant:acme', '--message', 'We are moving your data');
  const refused = await call('key-of-acme', '/orders', 'POST');
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('maintenance-mode'), 'full;scope="tenant:acme"');
  const { errorCode, message, scope } = await refused.json();
  assert.deepEqual([errorCode, message, scope], ['MAINTENANCE', 'We are moving your data', 'tenant:acme']);
  assert.deepEqual(await readJson('key-of-globex', '/orders', 'POST'), { tenant: 'globex', orders: 1 });
});

test('postpones the bill of the tenant in maintenance', async () => {
  const expected = { billed: ['globex'], postponed: ['acme'] };
  assert.deepEqual(await readJson('key-of-our-own', '/billing', 'POST'), expected);
});

test('serves the tenant again, whose data is unchanged', async () => {
  await maintenance('off', '--scope', 'tenant:acme');
  await until('acme is served', async () => (await call('key-of-acme', '/orders')).status === 200);
  assert.deepEqual(await readJson('key-of-acme', '/orders'), { tenant: 'acme', orders: 1 });
});
