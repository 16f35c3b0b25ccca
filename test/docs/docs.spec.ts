import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { completeFragment, FRAGMENT_PAGES } from './code-fragments.js';

const ROOT = resolve(__dirname, '../..');

/** Pages whose code other tests run, and pages that are generated from the sources. */
const OTHERS = /^docs\/(custom-storage|storage-recipes|reference\/.*)\.md$/;

interface Block {
  page: string;
  number: number;
  code: string;
}

const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.md') && !file.startsWith('.vitepress'))
  .map((file) => `docs/${file}`)
  .concat('README.md')
  .filter((file) => !OTHERS.test(file))
  .sort();

const blocks: Block[] = pages.flatMap((page) => {
  const source = readFileSync(join(ROOT, page), 'utf8');
  return [...source.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code], index) => ({
    page,
    number: index + 1,
    code: FRAGMENT_PAGES.has(page) ? completeFragment(code!) : code!,
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

function getName({ page, number }: Block): string {
  return `${page.replace(/^docs\/|\.md$/g, '').replace('/', '-')}-${number}`;
}

it('completes only blocks of pages that have some', () => {
  expect([...FRAGMENT_PAGES].filter((page) => !blocks.some((block) => block.page === page))).toEqual([]);
});

it.each(blocks.map((block) => [block.page, block.number, block] as const))(
  'compiles %s, code block %i',
  (...[, , block]) => {
    expect(problems.get(join(folder, 'src', `${getName(block)}.ts`))).toEqual([]);
  },
);
