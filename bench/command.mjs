// Measures the time of a command as a multiple of a bare program of nest-commander. See README.md in this folder.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isShort, publish } from './tools/results.mjs';
import { median, quantile, getRatios, shuffle, summarize } from './tools/statistics.mjs';
import { runTimed } from './tools/timed-program.mjs';

const ROUNDS = isShort ? 2 : 61;
/** Rounds that only warm up the caches of the disk. */
const WARM_UP_ROUNDS = isShort ? 0 : 2;
/** Every so many rounds all programs run, else only `status` and the bare program. */
const FULL_ROUND_INTERVAL = isShort ? 1 : 3;
/** The greatest allowed multiple of the bare program for `status`. */
const MAX_RATIO = 1.15;

const BARE = fileURLToPath(new URL('programs/bare-command.mjs', import.meta.url));
const BIN = fileURLToPath(new URL('../libs/maintenance/bin/nestjs-maintenance.cjs', import.meta.url));

const folder = await mkdtemp(join(tmpdir(), 'bench-'));
const [isOn, isOff, used] = ['on.json', 'off.json', 'used.json'].map((name) => join(folder, name));

/** The programs, the content of the state file before each, and the expected exit code and output. */
const PROGRAMS = {
  bare: { module: BARE, args: ['hello'], code: 0, prints: /^hello\n$/ },
  status: { ...createCommand('status', isOff), code: 0, prints: /^Maintenance is off\.\n[^]*revision 2\n/ },
  'status, on': {
    ...createCommand('status', isOn),
    code: 3,
    prints: /^Maintenance is ON\.\n[^]*revision 1\n/,
    isInFullRounds: true,
  },
  on: {
    ...createCommand('on', isOff),
    code: 0,
    prints: /^Maintenance is ON\. A window was started\.\n/,
    isInFullRounds: true,
  },
  off: {
    ...createCommand('off', isOn),
    code: 0,
    prints: /^Maintenance is off\. One window was ended\.\n/,
    isInFullRounds: true,
  },
};

const found = Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, []]));
try {
  await createFiles();
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const names = Object.keys(PROGRAMS).filter(
      (name) => !PROGRAMS[name].isInFullRounds || round % FULL_ROUND_INTERVAL === 0,
    );
    for (const name of shuffle(names)) {
      const result = await runProgram(PROGRAMS[name]);
      if (round >= 0) found[name].push({ round, ...result });
    }
  }
} finally {
  await rm(folder, { recursive: true });
}

const rows = Object.keys(PROGRAMS).map((name) => {
  const wall = getRatiosToBare(name, 'wall');
  return {
    program: name,
    'wall ms': median(found[name].map((run) => run.wall)),
    'cpu ms': median(found[name].map((run) => run.cpu)),
    'wall, multiple of bare': median(wall),
    'half of all between': [0.25, 0.75].map((at) => quantile(wall, at).toFixed(2)).join(' and '),
    'cpu, multiple of bare': median(getRatiosToBare(name, 'cpu')),
    pairs: wall.length,
  };
});
const ratio = rows.find(({ program }) => program === 'status')['wall, multiple of bare'];
await publish('command', {
  rows,
  targets: [
    { what: '`status` on a file, as a multiple of a bare program of nest-commander', value: ratio, atMost: MAX_RATIO },
  ],
  samples: Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, getSamples(name)])),
});

function createCommand(command, content) {
  return { module: BIN, args: [command, '--storage', `file:${used}`], content };
}

/** Creates the files by the commands themselves. */
async function createFiles() {
  await writeFile(join(folder, 'package.json'), '{}');
  await runProgram({ ...PROGRAMS.on, content: undefined });
  await copyFile(used, isOn);
  await runProgram({ ...PROGRAMS.off, content: undefined });
  await copyFile(used, isOff);
}

async function runProgram({ module, args, content, code, prints }) {
  if (content) await copyFile(content, used);
  const { wall, cpu, ...result } = await runTimed(module, args, { cwd: folder });
  if (result.code !== code || !prints.test(result.stdout) || result.stderr !== '') {
    throw new Error(`${args.join(' ')} exited with ${result.code}:\n${result.stdout}${result.stderr}`);
  }
  return { wall, cpu };
}

/** Returns the quotients of the runs in the same rounds. */
function getRatiosToBare(name, what) {
  const bare = new Map(found.bare.map((run) => [run.round, run[what]]));
  return getRatios(
    found[name].map((run) => run[what]),
    found[name].map(({ round }) => bare.get(round)),
  );
}

function getSamples(name) {
  const times = ['wall', 'cpu'].map((what) => [what, summarize(found[name].map((run) => run[what]))]);
  return { ...Object.fromEntries(times), wallRatios: summarize(getRatiosToBare(name, 'wall')), runs: found[name] };
}
