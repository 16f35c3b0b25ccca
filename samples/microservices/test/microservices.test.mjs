import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { maintenance, start, until } from './start.mjs';

let orders;
let gateway;
before(async () => {
  orders = await start('dist/orders/main.js');
  gateway = await start('dist/gateway/main.js');
});
after(async () => {
  await maintenance('off');
  await gateway?.stop();
  await orders?.stop();
});

const post = (path, body = {}) =>
  fetch(`${gateway.url}/orders${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const list = () => fetch(`${gateway.url}/orders`);
const readFirst = async () => (await (await list()).json())[0];

test('answers requests and handles events', async () => {
  assert.deepEqual(await (await post('', { item: 'tea' })).json(), { id: 0, item: 'tea', paid: false, views: 0 });
  await post('/0/viewed');
  await until('the view is counted', async () => (await readFirst()).views === 1);
});

test('refuses what writes in a read-only window', async () => {
  await maintenance('on', '--wait', '--mode', 'read-only', '--message', 'We are moving the orders', '--for', '10m');
  const refused = await post('', { item: 'coffee' });
  assert.equal(refused.status, 503);
  const retryAfter = Number(refused.headers.get('retry-after'));
  assert.ok(retryAfter > 500 && retryAfter <= 600, `Retry-After: ${retryAfter}`);
  const { errorCode, message } = await refused.json();
  assert.deepEqual([errorCode, message], ['MAINTENANCE', 'We are moving the orders']);
  assert.equal((await list()).status, 200);
});

test('keeps an event in RabbitMQ, and handles an exempt one behind it', async () => {
  assert.equal((await post('/0/paid')).status, 202);
  assert.equal((await post('/0/viewed')).status, 202);
  await until('the view is counted', async () => (await readFirst()).views === 2);
  assert.equal((await readFirst()).paid, false);
});

test('refuses everything else in a full window', async () => {
  await maintenance('on', '--wait');
  assert.equal((await list()).status, 503);
});

test('handles the event that was kept when maintenance is over', async () => {
  await maintenance('off');
  await until('orders are listed', async () => (await list()).ok);
  await until('the payment arrives', async () => (await readFirst()).paid);
});
