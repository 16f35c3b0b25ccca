// Backends of storages, each with its own way to be emptied and measured. `settings` create its storage in any process,
// and `calls()` returns how many requests the server has received, by command or by method. `statements()` counts what
// a database has received in all.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import getPort from 'get-port';
import { createClient } from 'redis';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { startMysqlServer } from './mysql-server.mjs';
import { startPostgresServer } from './postgres-server.mjs';
import { startCountingProxy } from './s3-proxy.mjs';
import { startS3Server } from './s3-server.mjs';
import { createStorage } from './create-storage.mjs';

/** No report expires while a storage is filled. */
const REPORT_TTL_MS = 3_600_000;

/** Creates a file in a folder of its own. */
export async function openFile() {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const reports = join(folder, '.state.json.instances');
  const settings = { kind: 'file', path: join(folder, 'state.json') };
  return {
    name: 'file',
    settings,
    open: async () => createStorage(settings, { reportTtl: REPORT_TTL_MS }),
    empty: () => rm(reports, { recursive: true, force: true }),
    bytes: async () => {
      const names = await readdir(reports);
      return sum(await Promise.all(names.map(async (name) => (await stat(join(reports, name))).size)));
    },
    close: () => rm(folder, { recursive: true }),
  };
}

/** Starts a `redis-server`; `undefined` where none is installed. */
export async function openRedis() {
  const port = String(await getPort({ host: '127.0.0.1' }));
  const server = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']);
  const isReady = await new Promise((resolve) => {
    server.on('error', () => resolve(false));
    server.on('exit', () => resolve(false));
    server.stdout.on('data', (data) => String(data).includes('Ready to accept connections') && resolve(true));
  });
  if (!isReady) return skip('Redis', 'redis-server does not start: install it with "apt-get install redis-server"');
  const url = `redis://127.0.0.1:${port}/0`;
  const client = await createClient({ url }).connect();
  const settings = { kind: 'redis', url };
  return {
    name: 'Redis',
    url,
    settings,
    open: async () => createStorage(settings, { reportTtl: REPORT_TTL_MS }),
    calls: async () => parseCalls(await client.info('commandstats')),
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

/** Starts a Postgres server; `undefined` where none is installed. */
export async function openPostgres() {
  const server = await startPostgresServer();
  if (!server) return skip('Postgres', 'it is not installed: "apt-get install postgresql"');
  const settings = { kind: 'postgres', url: server.url };
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query('CREATE EXTENSION pg_stat_statements');
  const countStatements = async (start) => {
    // Without those of this function.
    const condition = `query LIKE '${start}%' AND query NOT LIKE '%pg_stat_statements%'`;
    const { rows } = await client.query(`SELECT sum(calls)::int AS calls FROM pg_stat_statements WHERE ${condition}`);
    return rows[0].calls ?? 0;
  };
  return {
    name: 'Postgres',
    settings,
    calls: async () => ({ read: await countStatements('SELECT found'), report: await countStatements('INSERT') }),
    statements: () => countStatements(''),
    open: async () => createStorage(settings, { reportTtl: REPORT_TTL_MS }),
    empty: () => client.query('DROP TABLE IF EXISTS maintenance_state'),
    bytes: async () => {
      const { rows } = await client.query('SELECT sum(octet_length(content))::int AS bytes FROM maintenance_state');
      return rows[0].bytes;
    },
    close: async () => {
      await client.end();
      await server.stop();
    },
  };
}

/** Starts a MariaDB server; `undefined` where none is installed. */
export async function openMysql() {
  const server = await startMysqlServer();
  if (!server) return skip('MySQL', 'it is not installed: "apt-get install mariadb-server"');
  const settings = { kind: 'mysql', url: server.url };
  const connection = await createConnection(server.url);
  const countStatements = async (...kinds) => {
    const [rows] = await connection.query("SHOW GLOBAL STATUS LIKE 'Com\\_%'");
    const counts = new Map(rows.map(({ Variable_name: name, Value }) => [name.slice('Com_'.length), Number(Value)]));
    return sum(kinds.map((kind) => counts.get(kind)));
  };
  return {
    name: 'MySQL',
    settings,
    calls: async () => ({ read: await countStatements('select'), report: await countStatements('insert') }),
    statements: () => countStatements('select', 'insert', 'update', 'delete', 'set_option', 'create_table'),
    open: async () => createStorage(settings, { reportTtl: REPORT_TTL_MS }),
    empty: () => connection.query('DROP TABLE IF EXISTS maintenance_state'),
    bytes: async () => {
      const [[row]] = await connection.query('SELECT SUM(OCTET_LENGTH(content)) AS bytes FROM maintenance_state');
      return Number(row.bytes);
    },
    close: async () => {
      await connection.end();
      await server.stop();
    },
  };
}

/** Opens the bucket that the `TEST_S3_` variables name; `undefined` where they name none. */
export async function openS3() {
  const { TEST_S3_ENDPOINT: endpoint, TEST_S3_BUCKET: bucket = '' } = process.env;
  const { TEST_S3_ACCESS_KEY_ID: accessKeyId = '', TEST_S3_SECRET_ACCESS_KEY: secretAccessKey = '' } = process.env;
  if (!endpoint) return skip('S3', 'TEST_S3_ENDPOINT is not set');
  return openBucket({ endpoint, bucket, credentials: { accessKeyId, secretAccessKey } });
}

/**
 * Opens the same bucket where there is one, else a bucket of a new s3rver, through a proxy that counts requests.
 * `server` names the one in use.
 */
export async function openS3OrLocal() {
  const { TEST_S3_ENDPOINT: endpoint, TEST_S3_BUCKET: bucket } = process.env;
  const { TEST_S3_ACCESS_KEY_ID: accessKeyId, TEST_S3_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
  const server = endpoint
    ? { url: endpoint, bucket, credentials: { accessKeyId, secretAccessKey }, close: async () => undefined }
    : await startS3Server();
  const proxy = await startCountingProxy(server);
  const backend = await openBucket({ ...server, endpoint: proxy.url });
  return {
    ...backend,
    server: endpoint ? 'the server in TEST_S3_ENDPOINT' : 's3rver',
    calls: async () => ({ ...proxy.calls }),
    close: async () => {
      await backend.close();
      await proxy.close();
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
  // A list has one page of 1,000 objects: as many as the largest number of instances.
  const listObjects = async () => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: key }));
    return Contents;
  };
  const empty = async () => {
    const found = await listObjects();
    await Promise.all(found.map(({ Key }) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key }))));
  };
  return {
    name: 'S3',
    settings,
    open: async () => createStorage(settings, { reportTtl: REPORT_TTL_MS }),
    empty,
    bytes: async () => sum((await listObjects()).map(({ Size }) => Size)),
    close: async () => {
      await empty();
      client.destroy();
    },
  };
}

// An instance sends `get` and `eval` unless it writes; commands in a script count too.
function parseCalls(commandStats) {
  const found = commandStats.matchAll(/^cmdstat_(get|eval|evalsha):calls=(\d+)/gm);
  return Object.fromEntries([...found].map(([, command, calls]) => [command, Number(calls)]));
}

function skip(name, reason) {
  console.error(`Skipped ${name}: ${reason}`);
  return undefined;
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
