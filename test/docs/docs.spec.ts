import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');

/** The guides whose blocks are whole modules. */
const GUIDES = [
  'admin',
  'background',
  'bypass',
  'deployment',
  'graphql',
  'microservices',
  'monitoring',
  'planning',
  'read-only',
  'runbook',
  'server-sent-events',
  'temporary',
  'tenants',
  'websockets',
];

interface Block {
  guide: string;
  number: number;
  code: string;
}

const blocks: Block[] = GUIDES.flatMap((guide) => {
  const page = readFileSync(join(ROOT, 'docs', `${guide}.md`), 'utf8');
  return [...page.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code], index) => ({
    guide,
    number: index + 1,
    code: code!,
  }));
});

// Below the repository's own node_modules, so that its packages are found.
const folder = mkdtempSync(join(tmpdir(), 'docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let problems: Map<string, string[]>;

beforeAll(() => {
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
  mkdirSync(join(folder, 'src'));
  const files = blocks.map((block) => {
    const path = join(folder, 'src', `${nameOf(block)}.ts`);
    // A block without imports is a module of its own all the same.
    writeFileSync(path, `${block.code}\nexport {};\n`);
    return path;
  });
  const { options, errors } = ts.parseJsonConfigFileContent(
    {
      extends: join(ROOT, 'tsconfig.base.json'),
      compilerOptions: {
        noEmit: true,
        module: 'preserve',
        moduleResolution: 'bundler',
        lib: ['es2022', 'dom'],
        types: ['node'],
        typeRoots: [join(ROOT, 'node_modules/@types')],
        noUnusedLocals: false,
      },
      files,
    },
    ts.sys,
    folder,
  );
  expect(errors).toEqual([]);
  const program = ts.createProgram(files, options);
  problems = new Map(files.map((file) => [file, [] as string[]]));
  for (const { file, messageText, start } of ts.getPreEmitDiagnostics(program)) {
    const at = file ? `line ${file.getLineAndCharacterOfPosition(start ?? 0).line + 1}: ` : '';
    const message = at + ts.flattenDiagnosticMessageText(messageText, ' ');
    (problems.get(file?.fileName ?? '') ?? problems.values().next().value!).push(message);
  }
}, 120_000);

function nameOf({ guide, number }: Block): string {
  return `${guide}-${number}`;
}

it('finds code in every guide', () => {
  expect([...new Set(blocks.map(({ guide }) => guide))]).toEqual(GUIDES);
});

it.each(blocks.map((block) => [nameOf(block), block] as const))('%s compiles', (name) => {
  expect(problems.get(join(folder, 'src', `${name}.ts`))).toEqual([]);
});
