// The quick core of `redis.slow.spec.ts` and `s3.slow.spec.ts`: the published test kit on a real server.
import { createClient } from 'redis';
import { RedisStateStorage } from '../../libs/maintenance/src/redis.js';
import { S3StateStorage } from '../../libs/maintenance/src/s3.js';
import { describeStateStorage } from '../../libs/maintenance/src/testing/describe-state-storage.js';
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
