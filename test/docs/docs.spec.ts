import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');

/** The guides whose code blocks are complete modules. */
const GUIDES = [
  'admin',
  'authentication',
  'background',
  'bypass',
  'deployment',
  'graphql',
  'microservices',
  'migrate/django',
  'migrate/own-guard',
  'monitoring',
  'planning',
  'public-status',
  'quick-start',
  'read-only',
  'runbook',
  'server-sent-events',
  'service',
  'single-page-applications',
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

// The folder links to the node_modules of the repository, so that its packages are found.
const folder = mkdtempSync(join(tmpdir(), 'docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let problems: Map<string, string[]>;

beforeAll(() => {
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
  mkdirSync(join(folder, 'src'));
  const files = blocks.map((block) => {
    const path = join(folder, 'src', `${getName(block)}.ts`);
    // A block without imports must be a module as well.
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

function getName({ guide, number }: Block): string {
  return `${guide.replace('/', '-')}-${number}`;
}

it('every guide in docs/ contains code blocks', () => {
  expect([...new Set(blocks.map(({ guide }) => guide))]).toEqual(GUIDES);
});

it.each(blocks.map((block) => [getName(block), block] as const))('the code block %s in docs/ compiles', (name) => {
  expect(problems.get(join(folder, 'src', `${name}.ts`))).toEqual([]);
});
