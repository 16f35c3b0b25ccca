// The quick core of `redis.slow.spec.ts`, `s3.slow.spec.ts` and `postgres.slow.spec.ts`: the published test kit on
// real servers.
import { Client } from 'pg';
import { createClient } from 'redis';
import { PostgresStateStorage } from '../../libs/maintenance/src/postgres.js';
import { RedisStateStorage } from '../../libs/maintenance/src/redis.js';
import { S3StateStorage } from '../../libs/maintenance/src/s3.js';
import { createPostgresTableSql } from '../../libs/maintenance/src/storage/postgres/postgres-statements.js';
import { describeStateStorage } from '../../libs/maintenance/src/testing/describe-state-storage.js';
import { describeWithPostgres, PostgresServer } from './postgres-server.js';
import { describeWithRedis, RedisServer } from './redis-server.js';
import { LightServer, S3Front, S3RVER_KEYS } from './s3-front.js';

/** Longer than any call takes on a busy machine. */
const TIMEOUT_MS = 20_000;
const REPORT_TTL_MS = 4_000;
const BUCKET = 'bucket';

let tests = 0;

describeWithRedis('Redis', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  describeStateStorage('RedisStateStorage', () => {
    const options = { url: server.url, key: `state-${++tests}`, timeout: TIMEOUT_MS, reportTtl: REPORT_TTL_MS };
    const put = async (text: string): Promise<void> => {
      const client = await createClient({ url: server.url }).connect();
      await client.set(options.key, text);
      client.destroy();
    };
    const another = (): RedisStateStorage => new RedisStateStorage(options);
    return { storage: another(), another, put, reportTtl: REPORT_TTL_MS };
  });
});

describe('S3', () => {
  let server: LightServer;
  let front: S3Front;

  beforeAll(async () => {
    server = await LightServer.start(BUCKET);
    front = await S3Front.start(server, BUCKET);
  });
  afterAll(async () => {
    await front.stop();
    await server.stop();
  });

  describeStateStorage('S3StateStorage', () => {
    const options = {
      endpoint: front.url,
      bucket: BUCKET,
      region: 'us-east-1',
      credentials: S3RVER_KEYS,
      key: `state-${++tests}.json`,
      timeout: TIMEOUT_MS,
      reportTtl: REPORT_TTL_MS,
    };
    const another = (): S3StateStorage => new S3StateStorage(options);
    return { storage: another(), another, reportTtl: REPORT_TTL_MS };
  });
});

describeWithPostgres('Postgres', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.stop());

  describeStateStorage('PostgresStateStorage', () => {
    const key = `state-${++tests}`;
    const options = { url: server.url, key, timeout: TIMEOUT_MS, reportTtl: REPORT_TTL_MS };
    const put = async (text: string): Promise<void> => {
      const client = new Client({ connectionString: server.url });
      await client.connect();
      await client.query(createPostgresTableSql('maintenance_state'));
      await client.query('INSERT INTO maintenance_state (key, content) VALUES ($1, $2)', [key, text]);
      await client.end();
    };
    const another = (): PostgresStateStorage => new PostgresStateStorage(options);
    return { storage: another(), another, put, reportTtl: REPORT_TTL_MS };
  });
});
