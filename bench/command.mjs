// What a command of ours takes, as a multiple of a bare program of nest-commander. See README.md beside this file.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isShort, publish } from './tools/results.mjs';
import { median, quantile, ratios, shuffled, summary } from './tools/statistics.mjs';
import { runTimed } from './tools/timed-program.mjs';

const ROUNDS = isShort ? 2 : 61;
/** Rounds that only fill the caches of the disk. */
const WARM_UP = isShort ? 0 : 2;
/** Rounds from one to the next in which everything is run, not `status` and the bare program alone. */
const SELDOM = isShort ? 1 : 3;
/** How much longer than the bare program `status` may take. */
const LIMIT = 1.15;

const BARE = fileURLToPath(new URL('programs/bare-command.mjs', import.meta.url));
const BIN = fileURLToPath(new URL('../libs/maintenance/bin/nestjs-maintenance.js', import.meta.url));

const folder = await mkdtemp(join(tmpdir(), 'bench-'));
const [isOn, isOff, used] = ['on.json', 'off.json', 'used.json'].map((name) => join(folder, name));

/** What is run: on which content of the file, and how it has to end. */
const PROGRAMS = {
  bare: { module: BARE, args: ['hello'], code: 0, prints: /^hello\n$/ },
  status: { ...ours('status', isOff), code: 0, prints: /^Maintenance is off\.\n[^]*revision 2\n/ },
  'status, on': { ...ours('status', isOn), code: 3, prints: /^Maintenance is ON\.\n[^]*revision 1\n/, isSeldom: true },
  on: { ...ours('on', isOff), code: 0, prints: /^Maintenance is ON\. A window was opened\.\n/, isSeldom: true },
  off: { ...ours('off', isOn), code: 0, prints: /^Maintenance is off\. One window was ended\.\n/, isSeldom: true },
};

const found = Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, []]));
try {
  await makeFiles();
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const names = Object.keys(PROGRAMS).filter((name) => !PROGRAMS[name].isSeldom || round % SELDOM === 0);
    for (const name of shuffled(names)) {
      const ended = await perform(PROGRAMS[name]);
      if (round >= 0) found[name].push({ round, ...ended });
    }
  }
} finally {
  await rm(folder, { recursive: true });
}

const rows = Object.keys(PROGRAMS).map((name) => {
  const wall = ratiosOf(name, 'wall');
  return {
    program: name,
    'wall ms': median(found[name].map((run) => run.wall)),
    'cpu ms': median(found[name].map((run) => run.cpu)),
    'wall, multiple of bare': median(wall),
    'half of all between': [0.25, 0.75].map((at) => quantile(wall, at).toFixed(2)).join(' and '),
    'cpu, multiple of bare': median(ratiosOf(name, 'cpu')),
    pairs: wall.length,
  };
});
const ratio = rows.find(({ program }) => program === 'status')['wall, multiple of bare'];
await publish('command', {
  rows,
  targets: [
    { what: '`status` on a file, as a multiple of a bare program of nest-commander', value: ratio, atMost: LIMIT },
  ],
  samples: Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, samplesOf(name)])),
});

function ours(command, content) {
  return { module: BIN, args: [command, '--storage', `file:${used}`], content };
}

/** The files as the commands themselves leave them. */
async function makeFiles() {
  await writeFile(join(folder, 'package.json'), '{}');
  await perform({ ...PROGRAMS.on, content: undefined });
  await copyFile(used, isOn);
  await perform({ ...PROGRAMS.off, content: undefined });
  await copyFile(used, isOff);
}

async function perform({ module, args, content, code, prints }) {
  if (content) await copyFile(content, used);
  const { wall, cpu, ...ended } = await runTimed(module, args, { cwd: folder });
  if (ended.code !== code || !prints.test(ended.stdout) || ended.stderr !== '') {
    throw new Error(`${args.join(' ')} ended with ${ended.code} and said:\n${ended.stdout}${ended.stderr}`);
  }
  return { wall, cpu };
}

/** The quotients of the runs in the same rounds. */
function ratiosOf(name, what) {
  const bare = new Map(found.bare.map((run) => [run.round, run[what]]));
  return ratios(
    found[name].map((run) => run[what]),
    found[name].map(({ round }) => bare.get(round)),
  );
}

function samplesOf(name) {
  const times = ['wall', 'cpu'].map((what) => [what, summary(found[name].map((run) => run[what]))]);
  return { ...Object.fromEntries(times), wallRatios: summary(ratiosOf(name, 'wall')), runs: found[name] };
}
