// Starts s3rver in a process of its own, for machines without another S3 server.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const PACKAGE = createRequire(import.meta.url).resolve('s3rver/package.json');
const BUCKET = 'bench';
/** Milliseconds within which an object must be on disk. */
const WRITE_TIMEOUT_MS = 10_000;

/** Starts s3rver on a free port, with one empty bucket. */
export async function startS3Server() {
  const folder = await mkdtemp(join(tmpdir(), 'bench-s3-'));
  const args = ['-d', folder, '-a', '127.0.0.1', '-p', '0', '--no-vhost-buckets', '--configure-bucket', BUCKET];
  const child = spawn(process.execPath, [join(dirname(PACKAGE), 'bin/s3rver.js'), ...args]);
  const closed = once(child, 'close');
  const port = await waitForPort(child);
  return {
    url: `http://127.0.0.1:${port}`,
    bucket: BUCKET,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    // s3rver responds before the object is on disk, and serves half-written objects meanwhile.
    waitUntilWritten: async (path, body) => {
      const file = join(folder, `${decodeURIComponent(path)}._S3rver_object`);
      for (const deadline = Date.now() + WRITE_TIMEOUT_MS; !(await readFile(file)).equals(body); await pause(1)) {
        if (Date.now() > deadline)
          throw new Error(`s3rver has not written ${path} within ${WRITE_TIMEOUT_MS / 1000} s`);
      }
    },
    close: async () => {
      child.kill();
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function waitForPort(child) {
  let output = '';
  return new Promise((resolve, reject) => {
    const onData = (data) => {
      output += data;
      const [, port] = /listening on \S+:(\d+)/.exec(output) ?? [];
      if (port) resolve(port);
    };
    child.stdout.on('data', onData);
    child.stderr.on('data', onData);
    child.once('close', (code) => reject(new Error(`s3rver exited with ${code}: ${output}`)));
  });
}
