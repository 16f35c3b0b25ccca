// The scripts of `completion` in real shells: Tab is pressed in a terminal, and the completed command runs.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findProgram } from '../tools/programs.js';
import { until } from '../tools/waiting.js';
import { BIN, folderWith } from './program.js';

const TAB = '\t';
const BASH_COMPLETION = '/usr/share/bash-completion/bash_completion';

interface Shell {
  name: string;
  /** Starts the shell without the settings of its user. */
  start: string;
  /** The lines that a user has in the settings of the shell; the last one is that of the documentation. */
  settings: string[];
  /** The package that has to be installed here. */
  missing: string | undefined;
}

const findMissing = (name: string): string | undefined => (findProgram(undefined, [name]) ? undefined : name);

const SHELLS: Shell[] = [
  {
    name: 'bash',
    start: 'bash --norc --noprofile -i',
    settings: [`source ${BASH_COMPLETION}`, 'source <(nestjs-maintenance completion bash)'],
    missing: findMissing('bash') ?? (existsSync(BASH_COMPLETION) ? undefined : 'bash-completion'),
  },
  {
    name: 'zsh',
    start: 'zsh -f -i',
    settings: ['autoload -U compinit; compinit -u -D', 'source <(nestjs-maintenance completion zsh)'],
    missing: findMissing('zsh'),
  },
  {
    name: 'fish',
    start: 'fish --no-config -i',
    settings: ['nestjs-maintenance completion fish | source'],
    missing: findMissing('fish'),
  },
];

/** A shell in a terminal. */
class Terminal {
  output = '';
  readonly #child: ChildProcess;
  #markers = 0;

  constructor(start: string, cwd: string, path: string) {
    const env = { PATH: path, HOME: cwd, TERM: 'dumb', COLUMNS: '200', LANG: 'C.UTF-8' };
    this.#child = spawn('script', ['--quiet', '--command', start, '/dev/null'], { cwd, env });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  /** Types a line and returns the output of its commands. */
  async run(line: string): Promise<string> {
    const [before, marker] = [this.output.length, `line-${++this.#markers}`];
    // The marker is not in the echo of the line.
    this.#child.stdin!.write(`${line}; echo "<""${marker}"\r`);
    await until(`"${line}" has run, after ${this.output}`, () => this.output.includes(`<${marker}`, before));
    return this.output.slice(before);
  }

  async close(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}

let bin: string;
beforeAll(() => {
  bin = mkdtempSync(join(tmpdir(), 'completion-'));
  symlinkSync(BIN, join(bin, 'nestjs-maintenance'));
});
afterAll(() => rmSync(bin, { recursive: true }));

describe.each(SHELLS)('completion in $name', ({ name, start, settings, missing }) => {
  if (missing && process.env.CI !== 'true') {
    process.stderr.write(`skipped: ${missing} not found, install with apt-get install ${missing}\n`);
    return it.skip(`needs ${missing}`, () => undefined);
  }
  it(`finds ${name}`, () => expect(missing).toBeUndefined());

  it('completes commands, options and values', async () => {
    const path = [bin, process.env.PATH].join(delimiter);
    const terminal = new Terminal(start, folderWith(), path);
    try {
      for (const line of settings) await terminal.run(line);
      expect(await terminal.run(`nestjs-maintenance stat${TAB}`)).toContain('Maintenance is off');
      const on = await terminal.run(`nestjs-maintenance on --mode read${TAB} --mess${TAB} "Back soon"`);
      expect(on).toContain('Maintenance is ON');
      const status = await terminal.run(`nestjs-maintenance status --js${TAB}`);
      expect(status).toMatch(/"mode": ?"read-only"/);
      expect(status).toMatch(/"message": ?"Back soon"/);
    } finally {
      await terminal.close();
    }
  });
});
