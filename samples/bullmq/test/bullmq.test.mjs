import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { maintenance, start, until } from './start.mjs';

process.env.MAINTENANCE_STORAGE = `${process.env.REDIS_URL ?? 'redis://localhost:6379'}?key=sample`;

let app;
before(async () => (app = await start()));
after(async () => {
  await maintenance('off');
  await app?.stop();
});

const list = async () => (await fetch(`${app.url}/mails`)).json();
async function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(app.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal(response.status, 201);
}

test('sends mails', async () => {
  await post('/mails', { to: 'ann' });
  await until('the mail is sent', async () => (await list()).sent.includes('ann'));
});

test('waits for the job in progress before maintenance counts as reached', async () => {
  await post('/mails', { to: 'slow', slow: true });
  await until('the job runs', async () => (await list()).active === 1);
  await maintenance('on', '--wait');
  assert.deepEqual(await list(), { sent: ['ann', 'slow'], waiting: 0, active: 0 });
});

test('accepts mails during maintenance, and keeps them in the queue', async () => {
  await post('/mails', { to: 'bob' });
  await post('/mails', { to: 'eve' });
  await post('/alarms', { to: 'operator' });
  await until('the alarm is sent', async () => (await list()).sent.includes('operator'));
  await until('the mails wait', async () => (await list()).waiting === 2);
  assert.deepEqual((await list()).sent, ['ann', 'slow', 'operator']);
});

test('sends them after maintenance', async () => {
  await maintenance('off');
  await until('the mails are sent', async () => (await list()).waiting + (await list()).active === 0);
  assert.deepEqual((await list()).sent.sort(), ['ann', 'bob', 'eve', 'operator', 'slow']);
});
