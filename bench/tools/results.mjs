// Prints results, and writes them as JSON.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { roundToDigits } from './statistics.mjs';

/** Whether the run only shows that everything works: its figures are not meaningful. */
export const isShort = process.argv.includes('--short');

const FOLDER = new URL(isShort ? '../results/short/' : '../results/', import.meta.url);

/**
 * Prints a table and its targets, and writes both to `results/<name>.json`. A full run fails if a target is missed.
 *
 * @param name - the name of the measurement and of its file
 * @param rows - the rows of the table, which shows their numbers rounded
 * @param targets - `{ what, value, atLeast }` or `{ what, value, atMost }`
 * @param samples - the measurements behind the figures, for the file only
 */
export async function publish(name, { rows, targets = [], samples = {} }) {
  console.table(rows.map(formatRow));
  const evaluated = targets.map((target) => ({ ...target, isReached: isReached(target) }));
  for (const { what, value, atLeast, atMost, isReached } of evaluated) {
    const limit = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
    console.log(
      `${isShort ? '(short)' : isReached ? 'reached' : 'MISSED '}  ${what}: ${roundToDigits(value)} (${limit})`,
    );
  }
  await mkdir(FOLDER, { recursive: true });
  const { platform, arch, version: node } = process;
  const machine = { platform, arch, node, cpu: cpus()[0].model, cores: cpus().length };
  const content = { name, at: new Date().toISOString(), machine, rows, targets: evaluated, samples };
  await writeFile(new URL(`${name}.json`, FOLDER), `${JSON.stringify(content, roundNumbers, 2)}\n`);
  if (!isShort && evaluated.some(({ isReached }) => !isReached)) process.exitCode = 1;
}

/** Returns the results that {@link publish} wrote before. */
export async function readResults(name) {
  return JSON.parse(await readFile(new URL(`${name}.json`, FOLDER), 'utf8'));
}

function isReached({ value, atLeast = -Infinity, atMost = Infinity }) {
  return value >= atLeast && value <= atMost;
}

function formatRow(row) {
  const cells = Object.entries(row).map(([name, cell]) => [
    name,
    typeof cell === 'number' ? roundToDigits(cell) : cell,
  ]);
  return Object.fromEntries(cells);
}

function roundNumbers(_key, value) {
  return typeof value === 'number' ? roundToDigits(value, 6) : value;
}
