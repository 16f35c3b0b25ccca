import { execFileSync } from 'node:child_process';
import { formatTable } from './tsdoc.mjs';

/** The variables that are no options. */
const OTHER = [
  [
    'MAINTENANCE_CHECK_URL',
    'command line',
    'The address of the application for `run --check`. Default: `http://localhost:$PORT/`',
  ],
  ['MAINTENANCE_WINDOW_ID', 'set by `run`', 'The id of the window, for the command that runs in it'],
  ['MAINTENANCE_BYPASS_URL', 'set by `run`', 'The bypass link, for the command of `--check`'],
  ['MAINTENANCE_BYPASS_HEADER', 'set by `run`', 'A header line that admits the command of `--check`'],
];

/** Lists the environment variables: those of the options, and those of the command line. */
export function createEnvironmentPage() {
  const printed = execFileSync(process.execPath, ['scripts/generate-options-reference.mjs', '--json'], {
    encoding: 'utf8',
  });
  const rows = JSON.parse(printed)
    .filter(({ variable }) => variable)
    .sort((a, b) => a.variable.localeCompare(b.variable))
    .map(({ variable, note, path, default: value, description }) => [
      `\`${variable}\`${note}`,
      `\`${path}\``,
      value ?? '',
      description,
    ]);
  return [
    '# Environment variables',
    'Each variable sets an option; an option in code overrides it. An empty variable counts as unset, and an unknown ' +
      '`MAINTENANCE_*` variable logs a warning at startup. See [configuration](../configuration.md).',
    formatTable(['variable', 'option', 'default', 'description'], rows),
    '## Command line',
    'The command line reads the variables above too, also from the `.env` file in its working directory, and these:',
    formatTable(
      ['variable', 'used', 'description'],
      OTHER.map(([variable, ...cells]) => [`\`${variable}\``, ...cells]),
    ),
  ].join('\n\n');
}

export const OTHER_VARIABLES = OTHER.map(([variable]) => variable);
