import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { Terminal } from '@xterm/headless';
import { until } from '../tools/waiting.js';
import { BIN, folderWith } from './program.js';

const COLUMNS = 88;
/** More lines than any session has. */
const MAX_ROWS = 100;
const PROMPT = '\u001B[32m$\u001B[39m ';

/** Commands that run one after the other in a terminal, as an operator types them. */
export class TerminalSession {
  output = '';
  readonly #closed: Promise<unknown>;
  /** Names that differ on each machine, each with the one in the picture. */
  readonly #names: [string, string][];

  /** @param commands - lines of a shell, such as `npx nestjs-maintenance status` */
  constructor(commands: readonly string[], stateFile: string) {
    const folder = folderWith();
    this.#names = [
      [`${userInfo().username}@${hostname()}`, 'ann@ops-1'],
      [stateFile, '/srv/shop/maintenance-state.json'],
    ];
    const npx = join(folder, 'npx');
    // Finds the command line of this repository as npx finds that of an application.
    writeFileSync(npx, `#!/bin/sh\nshift\nexec '${process.execPath}' '${BIN}' "$@"\n`);
    chmodSync(npx, 0o755);
    const lines = commands.flatMap((command) => [`printf '%s\\n' '${PROMPT}${command}'`, command]);
    writeFileSync(join(folder, 'session.sh'), [`stty cols ${COLUMNS} rows 40`, ...lines].join('\n'));
    const child = spawn('script', ['--quiet', '--command', 'sh session.sh', '/dev/null'], {
      cwd: folder,
      env: {
        PATH: [folder, process.env.PATH].join(delimiter),
        HOME: folder,
        TERM: 'xterm-256color',
        MAINTENANCE_STORAGE: `file:${stateFile}`,
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.#closed = once(child, 'close');
  }

  async shows(text: string): Promise<void> {
    await until(`the terminal shows ${JSON.stringify(text)}, after ${this.output}`, () => this.output.includes(text));
  }

  /** Waits for the end of the commands, and returns the screen that they leave. */
  async end(): Promise<Terminal> {
    await this.#closed;
    const terminal = new Terminal({ cols: COLUMNS, rows: MAX_ROWS, allowProposedApi: true });
    const data = this.#names.reduce((text, [own, shown]) => text.replaceAll(own, shown), this.output);
    await new Promise<void>((resolve) => terminal.write(data, resolve));
    return terminal;
  }
}

/** Returns the lines of a screen, without the empty ones at its end. */
export function readLines(terminal: Terminal): string[] {
  const lines = Array.from({ length: MAX_ROWS }, (_, row) => {
    return terminal.buffer.active.getLine(row)!.translateToString(true);
  });
  while (lines.at(-1) === '') lines.pop();
  return lines;
}
