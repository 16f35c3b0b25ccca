import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMysqlServer, MysqlServer } from '../storage/mysql-server.js';
import { findPostgresFolder, PostgresServer } from '../storage/postgres-server.js';
import { findRedisServer, RedisServer } from '../storage/redis-server.js';
import { LightServer, S3Front, S3RVER_KEYS } from '../storage/s3-front.js';

/** A storage that several instances share. */
export interface Backend {
  /** Value for the option `storage` and for `--storage`. */
  url: string;
  env: Record<string, string>;
  /** Number of calls for the state that the server received; missing if the backend cannot count them. */
  served?: () => Promise<number>;
  close(): Promise<void>;
}

export interface BackendKind {
  name: string;
  /** Whether the storage notifies of changes; otherwise instances detect them by polling. */
  notifies: boolean;
  isAvailable: boolean;
  open(): Promise<Backend>;
  /** Stops the server that its backends share, if they do. */
  stop?(): Promise<void>;
}

const BUCKET = 'bucket';

const file: BackendKind = {
  name: 'a file',
  notifies: true,
  isAvailable: true,
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fleet-'));
    return {
      url: `file:${join(folder, 'state.json')}`,
      env: {},
      close: () => rm(folder, { recursive: true, force: true }),
    };
  },
};

const redis: BackendKind = {
  name: 'Redis',
  notifies: true,
  isAvailable: findRedisServer() !== undefined,
  open: async () => {
    const server = await RedisServer.start();
    return { url: server.url, env: {}, served: () => countCalls(server), close: () => server.stop() };
  },
};

const postgres = createSqlKind('Postgres', true, findPostgresFolder() !== undefined, () => PostgresServer.start());
const mysql = createSqlKind('MariaDB', false, findMysqlServer() !== undefined, () => MysqlServer.start());

const light: BackendKind = {
  name: 's3rver behind a proxy',
  notifies: false,
  isAvailable: true,
  open: async () => {
    const server = await LightServer.start(BUCKET);
    const front = await S3Front.start(server, BUCKET);
    return {
      url: s3Url(BUCKET, front.url),
      env: getS3Environment(S3RVER_KEYS.accessKeyId, S3RVER_KEYS.secretAccessKey),
      served: () => Promise.resolve(front.calls.length),
      close: async () => {
        await front.stop();
        await server.stop();
      },
    };
  },
};

const { TEST_S3_ENDPOINT, TEST_S3_ACCESS_KEY_ID, TEST_S3_SECRET_ACCESS_KEY, TEST_S3_BUCKET } = process.env;

const engine: BackendKind = {
  name: 'the S3 engine in TEST_S3_ENDPOINT',
  notifies: false,
  isAvailable: Boolean(TEST_S3_ENDPOINT),
  open: () =>
    Promise.resolve({
      url: s3Url(TEST_S3_BUCKET!, TEST_S3_ENDPOINT!),
      env: getS3Environment(TEST_S3_ACCESS_KEY_ID!, TEST_S3_SECRET_ACCESS_KEY!),
      close: () => Promise.resolve(),
    }),
};

const KINDS = [file, redis, postgres, mysql, light, engine];

/** Runs `describe` for each available backend. In CI, a missing server is a failure instead of a skipped test. */
export function describeOnEachBackend(name: string, tests: (kind: BackendKind) => void): void {
  describe.each(KINDS)(`${name}: $name`, (kind) => {
    if (kind.isAvailable) {
      tests(kind);
      return afterAll(() => kind.stop?.());
    }
    const isOptional = process.env.CI !== 'true' || kind === engine;
    if (isOptional) it.skip('is not available', () => undefined);
    else it('is available', () => expect(kind.isAvailable).toBe(true));
  });
}

/** Creates a kind whose backends are keys of one table: to set a server up takes longer than most tests. */
function createSqlKind(
  name: string,
  notifies: boolean,
  isAvailable: boolean,
  start: () => Promise<PostgresServer | MysqlServer>,
): BackendKind {
  let server: Promise<PostgresServer | MysqlServer> | undefined;
  return {
    name,
    notifies,
    isAvailable,
    open: async () => {
      server ??= start();
      return { url: `${(await server).url}?key=${randomUUID()}`, env: {}, close: () => Promise.resolve() };
    },
    stop: async () => {
      await (await server)?.stop();
      server = undefined;
    },
  };
}

export function s3Url(bucket: string, endpoint: string): string {
  return `s3://${bucket}/fleet-${randomUUID()}.json?endpoint=${endpoint}&region=us-east-1`;
}

export function getS3Environment(id: string, secret: string): Record<string, string> {
  return { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret };
}

/** Returns how often Redis has read or changed the state. */
async function countCalls(server: RedisServer): Promise<number> {
  const text = await server.ask('INFO', 'commandstats');
  const counts = [...text.matchAll(/^cmdstat_(?:get|eval|evalsha|set|hset|publish):calls=(\d+)/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}
