// Where the state may be kept: each place is filled, emptied and weighed in its own way. `settings` make its storage in any process,
// and `calls()` says what the server has been asked so far, by command or by method.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { createClient } from 'redis';
import { startFront } from './s3-front.mjs';
import { startLightS3 } from './s3-light.mjs';
import { storageOf } from './storages.mjs';

/** No record runs out while a storage is filled, in milliseconds. */
const REPORT_TTL = 3_600_000;

/** A folder of its own. */
export async function openFile() {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const records = join(folder, '.state.json.instances');
  const settings = { kind: 'file', path: join(folder, 'state.json') };
  return {
    name: 'file',
    settings,
    open: async () => storageOf(settings, { reportTtl: REPORT_TTL }),
    empty: () => rm(records, { recursive: true, force: true }),
    bytes: async () => {
      const names = await readdir(records);
      return sum(await Promise.all(names.map(async (name) => (await stat(join(records, name))).size)));
    },
    close: () => rm(folder, { recursive: true }),
  };
}

/** A `redis-server` of its own; `undefined` where none is installed. */
export async function openRedis() {
  const port = await freePort();
  const server = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']);
  const isThere = await new Promise((resolve) => {
    server.on('error', () => resolve(false));
    server.on('exit', () => resolve(false));
    server.stdout.on('data', (data) => String(data).includes('Ready to accept connections') && resolve(true));
  });
  if (!isThere) return skip('Redis', 'redis-server does not start; apt-get install redis-server');
  const url = `redis://127.0.0.1:${port}/0`;
  const client = await createClient({ url }).connect();
  const settings = { kind: 'redis', url };
  return {
    name: 'Redis',
    url,
    settings,
    open: async () => storageOf(settings, { reportTtl: REPORT_TTL }),
    calls: async () => callsIn(await client.info('commandstats')),
    empty: () => client.flushDb(),
    bytes: async () => {
      const keys = await client.keys('*');
      return sum(await Promise.all(keys.map((key) => client.memoryUsage(key, { SAMPLES: 0 }))));
    },
    close: async () => {
      client.destroy();
      server.kill();
      await once(server, 'exit');
    },
  };
}

/** The server that `TEST_S3_ENDPOINT` and its like name; `undefined` where they name none. */
export async function openS3() {
  const { TEST_S3_ENDPOINT: endpoint, TEST_S3_BUCKET: bucket = '' } = process.env;
  const { TEST_S3_ACCESS_KEY_ID: accessKeyId = '', TEST_S3_SECRET_ACCESS_KEY: secretAccessKey = '' } = process.env;
  if (!endpoint) return skip('S3', 'TEST_S3_ENDPOINT and its like name no server');
  return openBucket({ endpoint, bucket, credentials: { accessKeyId, secretAccessKey } });
}

/**
 * The same where there is one, else an s3rver of its own. Between it and whoever asks stands a front that counts. `serves` says which
 * one it is.
 */
export async function openAnyS3() {
  const { TEST_S3_ENDPOINT: endpoint, TEST_S3_BUCKET: bucket } = process.env;
  const { TEST_S3_ACCESS_KEY_ID: accessKeyId, TEST_S3_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
  const server = endpoint
    ? { url: endpoint, bucket, credentials: { accessKeyId, secretAccessKey }, close: async () => undefined }
    : await startLightS3();
  const front = await startFront(server);
  const place = await openBucket({ ...server, endpoint: front.url });
  return {
    ...place,
    serves: endpoint ? 'the server in TEST_S3_ENDPOINT' : 's3rver',
    calls: async () => ({ ...front.calls }),
    close: async () => {
      await place.close();
      await front.close();
      await server.close();
    },
  };
}

let buckets = 0;

async function openBucket({ endpoint, bucket, credentials }) {
  const access = { endpoint, region: 'us-east-1', forcePathStyle: true, credentials };
  const client = new S3Client(access);
  const key = `bench-${process.pid}-${++buckets}.json`;
  const settings = { kind: 's3', ...access, bucket, key };
  // One page of a list, which is 1,000 objects: as many as the largest fleet that is measured.
  const objects = async () => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: key }));
    return Contents;
  };
  const empty = async () => {
    const found = await objects();
    await Promise.all(found.map(({ Key }) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key }))));
  };
  return {
    name: 'S3',
    settings,
    open: async () => storageOf(settings, { reportTtl: REPORT_TTL }),
    empty,
    bytes: async () => sum((await objects()).map(({ Size }) => Size)),
    close: async () => {
      await empty();
      client.destroy();
    },
  };
}

// What a script does counts too: `get` and `eval` are what an instance sends, unless it writes.
function callsIn(commandStats) {
  const found = commandStats.matchAll(/^cmdstat_(get|eval|evalsha):calls=(\d+)/gm);
  return Object.fromEntries([...found].map(([, command, calls]) => [command, Number(calls)]));
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return String(port);
}

function skip(name, reason) {
  console.error(`skipped ${name}: ${reason}`);
  return undefined;
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
