// Measures the time of a command on Redis and on S3, as a multiple of a bare program that loads the same client and
// reads the same key. See README.md here.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isShort, publish } from './tools/results.mjs';
import { median, quantile, getRatios, shuffle, summarize } from './tools/statistics.mjs';
import { openRedis, openS3 } from './tools/storage-backends.mjs';
import { runTimed } from './tools/timed-program.mjs';

const ROUNDS = isShort ? 1 : 15;
/** Rounds that only warm up the caches of the disk. */
const WARM_UP_ROUNDS = isShort ? 0 : 2;

const toPath = (file) => fileURLToPath(new URL(file, import.meta.url));
const BIN = toPath('../libs/maintenance/bin/nestjs-maintenance.cjs');

const folder = await mkdtemp(join(tmpdir(), 'bench-'));
const rows = [];
const samples = {};
try {
  await writeFile(join(folder, 'package.json'), '{}');
  for (const [open, describe] of [
    [openRedis, describeRedis],
    [openS3, describeS3],
  ]) {
    const backend = await open();
    if (backend === undefined) continue;
    try {
      await measure(backend.name, describe(backend));
    } finally {
      await backend.close();
    }
  }
} finally {
  await rm(folder, { recursive: true });
}
await publish('command-storages', { rows, samples });

function describeRedis({ url }) {
  return { bare: ['programs/bare-redis.mjs', [url, 'bench']], storage: `${url}?key=bench`, env: {} };
}

function describeS3({ settings: { endpoint, bucket, key, credentials } }) {
  return {
    bare: ['programs/bare-s3.mjs', [endpoint, bucket, key]],
    storage: `s3://${bucket}/${key}?endpoint=${endpoint}&region=us-east-1`,
    env: { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey },
  };
}

async function measure(name, { bare: [program, args], storage, env }) {
  const command = (what) => run(BIN, [what, '--storage', storage], env);
  const programs = {
    bare: () => run(toPath(program), ['hello', ...args], env),
    status: () => command('status'),
    on: () => command('on'),
  };
  const found = Object.fromEntries(Object.keys(programs).map((each) => [each, []]));
  await command('on');
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    for (const each of shuffle(Object.keys(programs))) {
      await command('off');
      const result = await programs[each]();
      if (round >= 0) found[each].push(result);
    }
  }
  for (const each of Object.keys(programs)) {
    const [wall, cpu] = ['wall', 'cpu'].map((what) =>
      getRatios(
        found[each].map((result) => result[what]),
        found.bare.map((result) => result[what]),
      ),
    );
    rows.push({
      storage: name,
      program: each,
      'wall ms': median(found[each].map((result) => result.wall)),
      'cpu ms': median(found[each].map((result) => result.cpu)),
      'wall, multiple of bare': median(wall),
      'half of all between': [0.25, 0.75].map((at) => quantile(wall, at).toFixed(2)).join(' and '),
      'cpu, multiple of bare': median(cpu),
    });
    samples[`${name} ${each}`] = { wallRatios: summarize(wall), runs: found[each] };
  }
}

async function run(module, args, env) {
  const { code, wall, cpu, stdout, stderr } = await runTimed(module, args, { cwd: folder, env });
  if (code !== 0) throw new Error(`${args.join(' ')} exited with ${code}:\n${stdout}${stderr}`);
  return { wall, cpu };
}
