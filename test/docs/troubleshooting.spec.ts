import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const PAGE = readFileSync(resolve(ROOT, 'docs/troubleshooting.md'), 'utf8');
/** The messages that don't all say themselves what to do; docs/reference/messages.md lists the others. */
const KINDS = ['log', 'drain', 'lease'];

interface Message {
  kind: string;
  message: string;
}

const program = "console.log(JSON.stringify((await import('./scripts/reference/messages.mjs')).collectMessages()))";
const messages = (
  JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: ROOT, encoding: 'utf8' }),
  ) as Message[]
).filter(({ kind }) => KINDS.includes(kind));

/** Returns the text of a cell that is one code span. */
function readCode(cell: string): string {
  const text = /^(`+)(.*)\1$/.exec(cell.trim())![2]!.replaceAll('\\|', '|');
  return /^ .* $/.test(text) ? text.slice(1, -1) : text;
}

const rows = PAGE.slice(PAGE.indexOf('## Messages at startup'))
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.slice(2, -2).split(' | '))
  .map(([message, advice]) => ({ message: readCode(message!), advice: advice!.trim() }));

describe('docs/troubleshooting.md', () => {
  it.each(messages.map(({ message }) => message))('says what to do about "%s"', (message) => {
    expect(rows.find((row) => row.message === message)?.advice).toMatch(/\w{3}/);
  });

  it('lists no message that the source does not contain', () => {
    const known = messages.map(({ message }) => message);
    expect(rows.map(({ message }) => message).filter((message) => !known.includes(message))).toEqual([]);
  });
});
