// Runs the steps of README.md: starts the built application on a free port, and uses the command line.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { io } from 'socket.io-client';

const TIMEOUT_MS = 20_000;
let application;
let url;
let socket;

before(async () => {
  application = spawn(process.execPath, ['dist/main.js'], { env: { ...process.env, PORT: '0' } });
  application.stderr.pipe(process.stderr);
  for await (const output of application.stdout.iterator({ destroyOnReturn: false })) {
    url = /Listening on (\S+)/.exec(output)?.[1];
    if (url) break;
  }
  application.stdout.resume();
  assert.ok(url, 'the application has to start');
  socket = io(url, { reconnectionDelay: 100, reconnectionDelayMax: 500 });
  await once(socket, 'connect');
});

after(async () => {
  socket?.close();
  await maintenance('off');
  application.kill();
  await once(application, 'exit');
});

const maintenance = (...args) =>
  promisify(execFile)('npx', ['--no-install', 'nestjs-maintenance', ...args], { shell: process.platform === 'win32' });

test('messages are answered while maintenance is off', async () => {
  const posted = once(socket, 'posted');
  assert.deepEqual(await socket.emitWithAck('post', 'hello'), { posts: 1 });
  assert.deepEqual(await posted, ['hello']);
});

test('a read-only window refuses the message that writes', { timeout: TIMEOUT_MS }, async () => {
  await maintenance('on', '--mode', 'read-only', '--message', 'Reading only');
  const refusal = await socket.emitWithAck('post', 'too late');
  assert.equal(refusal.errorCode, 'MAINTENANCE');
  assert.equal(refusal.message, 'Reading only');
  assert.deepEqual(await socket.emitWithAck('history'), ['hello']);
  await maintenance('off');
});

test('a full window tells the client, and closes its connection', { timeout: TIMEOUT_MS }, async () => {
  const told = once(socket, 'maintenance');
  const closed = once(socket, 'disconnect');
  await maintenance('on', '--message', 'Back at four', '--for', '30m');
  const [notice] = await told;
  assert.equal(notice.message, 'Back at four');
  assert.ok(notice.retryAfter > 1700, `retryAfter is ${notice.retryAfter}`);
  await closed;
  await once(socket, 'connect_error');
  const handshake = await fetch(new URL('/socket.io/?EIO=4&transport=polling', url));
  assert.equal(handshake.status, 503);
  assert.ok(Number(handshake.headers.get('Retry-After')) > 1700);
});

test('the client is back after the window, without a call', { timeout: TIMEOUT_MS }, async () => {
  const back = once(socket, 'connect');
  await maintenance('off');
  await back;
  assert.deepEqual(await socket.emitWithAck('post', 'hello again'), { posts: 2 });
});
