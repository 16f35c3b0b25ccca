import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { KNOWN_VARIABLES } from './environment.js';
import { findDefinition } from './option-table.js';

const ROOT = resolve(__dirname, '../../../..');
const SCRIPT = 'scripts/generate-options-reference.mjs';

interface DocumentedOption {
  path: string;
  variable?: string;
  default?: string;
}

const documented = JSON.parse(
  execFileSync(process.execPath, [SCRIPT, '--json'], { cwd: ROOT, encoding: 'utf8' }),
) as DocumentedOption[];

/** Returns a default as TSDoc writes it. */
function formatDefault(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'function') return '`(request) => request.user`';
  return `\`${JSON.stringify(value).replaceAll('"', "'")}\``;
}

describe('the TSDoc of the options', () => {
  it.each(documented.map((option) => [option.path, option] as const))(
    'names the variable and the default of %s',
    (path, option) => {
      const definition = findDefinition(path);
      expect(definition).toBeDefined();
      expect(option.variable).toBe(definition?.variable);
      expect(option.default).toBe(formatDefault(definition?.default));
    },
  );

  it('names every variable', () => {
    const variables = documented.flatMap(({ variable }) => variable ?? []);
    expect(variables.sort()).toEqual([...KNOWN_VARIABLES].sort());
  });
});

it('docs/configuration.md lists the options as their TSDoc describes them', () => {
  execFileSync(process.execPath, [SCRIPT, '--check'], { cwd: ROOT });
});
