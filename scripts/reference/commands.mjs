import { execFileSync } from 'node:child_process';

const BIN = 'libs/maintenance/bin/nestjs-maintenance.cjs';

/** Returns the help of the program, or of one command. */
function readHelp(...command) {
  const environment = { ...process.env, NO_COLOR: '1', COLUMNS: '100' };
  delete environment.FORCE_COLOR;
  return execFileSync(process.execPath, [BIN, ...command, '--help'], { encoding: 'utf8', env: environment }).trim();
}

/** Describes each command by its help, as the built program prints it. */
export function createCommandsPage() {
  const help = readHelp();
  const names = [...help.slice(help.indexOf('\nCommands:')).matchAll(/^ {2}([a-z]+)/gm)]
    .map(([, name]) => name)
    .filter((name) => name !== 'help');
  const block = (text) => `\`\`\`text\n${text}\n\`\`\``;
  return [
    '# Commands',
    'The commands with their options, as `--help` prints them. The [guide](../command-line.md) shows what to use them for.',
    block(help),
    ...names.flatMap((name) => [`## ${name}`, block(readHelp(name))]),
  ].join('\n\n');
}
