// A light S3 in a process of its own, for machines without another one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const PACKAGE = createRequire(import.meta.url).resolve('s3rver/package.json');
const BUCKET = 'bench';
/** Milliseconds within which a write is done. */
const PATIENCE = 10_000;

/** Starts s3rver on a free port, with one empty bucket. */
export async function startLightS3() {
  const folder = await mkdtemp(join(tmpdir(), 'bench-s3-'));
  const where = ['-d', folder, '-a', '127.0.0.1', '-p', '0', '--no-vhost-buckets', '--configure-bucket', BUCKET];
  const child = spawn(process.execPath, [join(dirname(PACKAGE), 'bin/s3rver.js'), ...where]);
  const closed = once(child, 'close');
  const port = await portOf(child);
  return {
    url: `http://127.0.0.1:${port}`,
    bucket: BUCKET,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    // It answers before the content is on its disk, and shows half of it meanwhile.
    written: async (path, body) => {
      const file = join(folder, `${decodeURIComponent(path)}._S3rver_object`);
      for (const deadline = Date.now() + PATIENCE; !(await readFile(file)).equals(body); await pause(1)) {
        if (Date.now() > deadline) throw new Error(`s3rver did not write ${path} within ${PATIENCE / 1000} s`);
      }
    },
    close: async () => {
      child.kill();
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function portOf(child) {
  let output = '';
  return new Promise((resolve, reject) => {
    const hear = (data) => {
      output += data;
      const [, port] = /listening on \S+:(\d+)/.exec(output) ?? [];
      if (port) resolve(port);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('close', (code) => reject(new Error(`s3rver ended with ${code}: ${output}`)));
  });
}
