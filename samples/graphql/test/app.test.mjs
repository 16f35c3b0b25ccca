// Runs the steps of README.md: starts the built application on a free port, and uses the command line.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

const TIMEOUT_MS = 60_000;
const started = [];
let url;

function start(file, env = {}) {
  const child = spawn(process.execPath, [file], { env: { ...process.env, ...env } });
  child.stderr.pipe(process.stderr);
  started.push(child);
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

/** Reads lines until one matches. */
async function waitForLine(lines, pattern) {
  for (;;) {
    const { value, done } = await lines.next();
    assert.ok(!done, `the program has ended before it printed ${pattern}`);
    const match = pattern.exec(value);
    if (match) return match;
  }
}

before(async () => {
  const lines = start('dist/main.js', { PORT: '0' });
  [, url] = await waitForLine(lines, /Listening on (\S+)/);
});

after(async () => {
  await maintenance('off');
  for (const child of started) {
    child.kill();
    await once(child, 'exit');
  }
});

const maintenance = (...args) =>
  promisify(execFile)('npx', ['--no-install', 'nestjs-maintenance', ...args], { shell: process.platform === 'win32' });

async function send(query) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  return { status: response.status, retryAfter: response.headers.get('retry-after'), ...(await response.json()) };
}

test('operations are answered while maintenance is off', async () => {
  assert.deepEqual((await send('{ products { name } }')).data, { products: [{ name: 'Chair' }] });
  assert.deepEqual((await send('mutation { addProduct(name: "Table") { id } }')).data, { addProduct: { id: '2' } });
});

test('a read-only window admits queries, and refuses mutations', { timeout: TIMEOUT_MS }, async () => {
  await maintenance('on', '--mode', 'read-only', '--message', 'Reading only');
  const { status, errors } = await send('mutation { addProduct(name: "Lamp") { id } }');
  assert.equal(status, 503);
  assert.equal(errors[0].message, 'Reading only');
  assert.equal(errors[0].extensions.errorCode, 'MAINTENANCE');
  assert.equal((await send('{ products { name } }')).data.products.length, 2);
  await maintenance('off');
});

test('a full window refuses all operations', { timeout: TIMEOUT_MS }, async () => {
  await maintenance('on', '--message', 'Back at four', '--for', '30m');
  for (const query of ['{ products { name } }', 'mutation { addProduct(name: "Lamp") { id } }', '{ __typename }']) {
    const { status, retryAfter, errors } = await send(query);
    assert.equal(status, 503);
    assert.ok(Number(retryAfter) > 1700, `Retry-After is ${retryAfter}`);
    assert.equal(errors[0].message, 'Back at four');
    assert.equal(errors[0].extensions.errorCode, 'MAINTENANCE');
  }
  await maintenance('off');
});

test('a subscription ends with the error, and comes back after the window', { timeout: TIMEOUT_MS }, async () => {
  const lines = start('watch.mjs', { URL: `${url.replace('http', 'ws')}/graphql` });
  await waitForLine(lines, /^connected/);
  await receive(lines, 'Lamp');
  await maintenance('on', '--message', 'Back at four');
  await waitForLine(lines, /^refused: Back at four \(MAINTENANCE, \d+ s\)/);
  await maintenance('off');
  await receive(lines, 'Desk');
});

/** Adds a product until the subscription, which takes a moment to begin, receives it. */
async function receive(lines, name) {
  let isReceived = false;
  const received = waitForLine(lines, new RegExp(`^added: ${name}`)).finally(() => (isReceived = true));
  while (!isReceived) {
    await send(`mutation { addProduct(name: "${name}") { id } }`);
    await Promise.race([received, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
  await received;
}
