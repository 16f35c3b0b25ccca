import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describeWithRedis, RedisServer } from './redis-server.js';

const PROGRAM = join(__dirname, 'cached-application.mjs');
/** A process that Redis keeps alive never exits. */
const EXIT_TIMEOUT_MS = 20_000;

describeWithRedis('shutdown of an application with the cache option', () => {
  let redis: RedisServer;
  let folder: string;
  beforeAll(async () => {
    redis = await RedisServer.start();
    folder = await mkdtemp(join(tmpdir(), 'cached-shutdown-'));
  });
  afterAll(async () => {
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('does not connect the cache again after the application has disconnected it, so that the process exits', async () => {
    const program = [PROGRAM, redis.url, join(folder, 'state.json')];
    const { stdout } = await promisify(execFile)(process.execPath, program, { timeout: EXIT_TIMEOUT_MS });
    expect(stdout).toBe('closed');
  });
});
