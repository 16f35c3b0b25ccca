// What was measured, for people and for programs.
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { rounded } from './statistics.mjs';

/** A run that only shows that everything works: its figures say nothing. */
export const isShort = process.argv.includes('--short');

const FOLDER = new URL(isShort ? '../results/short/' : '../results/', import.meta.url);

/**
 * Prints a table and what was to be reached, and writes both to `results/<name>.json`. Of a full run, a target that is missed is a
 * failure.
 *
 * @param name - of the measurement and its file
 * @param rows - of the table; numbers are rounded for it
 * @param targets - `{ what, value, atLeast }` or `{ what, value, atMost }`
 * @param samples - what the figures were made of, for the file alone
 */
export async function publish(name, { rows, targets = [], samples = {} }) {
  console.table(rows.map(readable));
  const judged = targets.map((target) => ({ ...target, isReached: isReached(target) }));
  for (const { what, value, atLeast, atMost, isReached } of judged) {
    const wanted = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
    console.log(`${isShort ? '(short)' : isReached ? 'reached' : 'MISSED '}  ${what}: ${rounded(value)} (${wanted})`);
  }
  await mkdir(FOLDER, { recursive: true });
  const { platform, arch, version: node } = process;
  const machine = { platform, arch, node, cpu: cpus()[0].model, cores: cpus().length };
  const content = { name, at: new Date().toISOString(), machine, rows, targets: judged, samples };
  await writeFile(new URL(`${name}.json`, FOLDER), `${JSON.stringify(content, rounding, 2)}\n`);
  if (!isShort && judged.some(({ isReached }) => !isReached)) process.exitCode = 1;
}

function isReached({ value, atLeast = -Infinity, atMost = Infinity }) {
  return value >= atLeast && value <= atMost;
}

function readable(row) {
  const cells = Object.entries(row).map(([name, cell]) => [name, typeof cell === 'number' ? rounded(cell) : cell]);
  return Object.fromEntries(cells);
}

function rounding(_key, value) {
  return typeof value === 'number' ? rounded(value, 6) : value;
}
