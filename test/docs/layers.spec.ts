import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Linter } from 'eslint';

const ROOT = resolve(__dirname, '../..');
const SOURCE = join(ROOT, 'libs/maintenance/src');

interface Layers {
  ROOMS: Record<string, { contents: string; imports: string[] }>;
  ROOT_FILES: Record<string, string[]>;
}

const { ROOMS, ROOT_FILES } = JSON.parse(
  execFileSync(
    process.execPath,
    ['--input-type=module', '-e', "console.log(JSON.stringify(await import('./eslint.layers.mjs')))"],
    { cwd: ROOT, encoding: 'utf8' },
  ),
) as Layers;

function formatNames(names: string[]): string {
  return names.length === 0 ? 'nothing' : names.map((name) => `\`${name}\``).join(', ');
}

describe('the layers of the library', () => {
  it('name every folder and every file in src', () => {
    const entries = readdirSync(SOURCE);
    expect(entries.filter((name) => !name.includes('.')).sort()).toEqual(Object.keys(ROOMS).sort());
    expect(entries.filter((name) => name.endsWith('.ts')).sort()).toEqual(Object.keys(ROOT_FILES).sort());
  });

  it('form no circle', () => {
    const visit = (room: string, path: string[]): void => {
      expect(path).not.toContain(room);
      for (const imported of ROOMS[room]?.imports ?? []) visit(imported, [...path, room]);
    };
    for (const room of Object.keys(ROOMS)) visit(room, []);
  });

  it.each(Object.entries(ROOMS))('CONTRIBUTING.md lists the contents and the imports of %s/', (room, layer) => {
    const page = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8').replace(/ +/g, ' ');
    expect(page).toContain(`| \`${room}/\` | ${layer.contents} | ${formatNames(layer.imports)} |`);
  });

  it.each([
    ['core/x.ts', "import '../storage/y.js';", 1],
    ['core/x.ts', "import '../utils/y.js'; import './y.js';", 0],
    ['core/x.ts', "import '@nestjs/common'; export * from 'node:fs';", 2],
    ['storage/redis/x.ts', "export * from '../../http/y.js';", 1],
    ['storage/redis/x.ts', "void import('../../cli/y.js'); void import('../y.js');", 1],
    ['storage/storage.providers.ts', "import '../options/y.js';", 0],
    ['http/x.ts', "import '../maintenance.module.js'; import '../maintenance.constants.js';", 1],
    ['s3.ts', "import './http/y.js';", 1],
    ['unlisted.ts', "import './utils/y.js';", 1],
  ])('ESLint checks the imports of %s: %s', async (file, code, count) => {
    const linted = await lint(join(SOURCE, file), code);
    expect(linted.map(({ ruleId }) => ruleId)).toEqual(Array(count).fill('layers/import-direction'));
  });
});

/** Lints code as if it stood in a file. */
async function lint(filePath: string, code: string): Promise<Linter.LintMessage[]> {
  const program = `
    const { ESLint } = await import('eslint');
    const { default: layers } = await import('./eslint.layers.mjs');
    const { default: tseslint } = await import('typescript-eslint');
    const eslint = new ESLint({ overrideConfigFile: true, overrideConfig: [tseslint.configs.base, layers] });
    const [{ messages }] = await eslint.lintText(${JSON.stringify(code)}, { filePath: ${JSON.stringify(filePath)} });
    console.log(JSON.stringify(messages));`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return JSON.parse(printed) as Linter.LintMessage[];
}
