// Measures the time of a command as a multiple of a bare program of commander and of `node -e 0`. See README.md here.
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
/** Every so many rounds all programs run, else only those with a target, and what they are compared with. */
const FULL_ROUND_INTERVAL = isShort ? 1 : 3;
/** The greatest allowed multiples. */
const TARGETS = [
  {
    program: 'status',
    base: 'bare',
    what: '`status` on a file, as a multiple of a bare commander program',
    atMost: 1.3,
  },
  { program: 'on', base: 'bare', what: '`on` on a file, as a multiple of a bare commander program', atMost: 1.5 },
  { program: 'status', base: 'node', what: '`status` on a file, as a multiple of `node -e 0`', atMost: 3 },
];

const BARE = fileURLToPath(new URL('programs/bare-command.mjs', import.meta.url));
const BIN = fileURLToPath(new URL('../libs/maintenance/bin/nestjs-maintenance.cjs', import.meta.url));

const folder = await mkdtemp(join(tmpdir(), 'bench-'));
const [isOn, isOff, used] = ['on.json', 'off.json', 'used.json'].map((name) => join(folder, name));

/** The programs, the content of the state file before each, and the expected exit code and output. */
const PROGRAMS = {
  node: { module: '-e', args: ['0'], code: 0, prints: /^$/ },
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
  const wall = getRatiosTo('bare', name, 'wall');
  return {
    program: name,
    'wall ms': median(found[name].map((run) => run.wall)),
    'cpu ms': median(found[name].map((run) => run.cpu)),
    'wall, multiple of bare': median(wall),
    'wall, multiple of node': median(getRatiosTo('node', name, 'wall')),
    'half of all between': [0.25, 0.75].map((at) => quantile(wall, at).toFixed(2)).join(' and '),
    'cpu, multiple of bare': median(getRatiosTo('bare', name, 'cpu')),
    pairs: wall.length,
  };
});
await publish('command', {
  rows,
  targets: TARGETS.map(({ program, base, ...target }) => ({
    ...target,
    value: median(getRatiosTo(base, program, 'wall')),
  })),
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
function getRatiosTo(base, name, what) {
  const bases = new Map(found[base].map((run) => [run.round, run[what]]));
  return getRatios(
    found[name].map((run) => run[what]),
    found[name].map(({ round }) => bases.get(round)),
  );
}

function getSamples(name) {
  const times = ['wall', 'cpu'].map((what) => [what, summarize(found[name].map((run) => run[what]))]);
  return { ...Object.fromEntries(times), wallRatios: summarize(getRatiosTo('bare', name, 'wall')), runs: found[name] };
}
