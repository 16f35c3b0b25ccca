import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';

const ROOT = resolve(__dirname, '../..');
const BIN = resolve(ROOT, 'libs/maintenance/bin/nestjs-maintenance.cjs');
const PAGES = ['recipes', 'in-front'].map((name) => readFileSync(resolve(ROOT, `docs/${name}.md`), 'utf8'));
const RECIPES = PAGES[0]!;

interface Job {
  kind: string;
  metadata: { annotations?: Record<string, string> };
  spec: {
    backoffLimit: number;
    template: { spec: { restartPolicy: string; containers: { command: string[] }[] } };
  };
}

function findBlocks(page: string, language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, code]) => code!);
}

/** Parses the documents of all YAML blocks. */
function parseYaml(page: string): unknown[] {
  return findBlocks(page, 'yaml').flatMap((block) =>
    parseAllDocuments(block).map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as unknown;
    }),
  );
}

const isMigration = ({ spec }: Job): boolean => spec.template.spec.containers[0]!.command.join(' ').includes('migrate');

describe('the YAML in the guides', () => {
  it.each(PAGES)('parses (%#)', (page) => {
    expect(parseYaml(page).length).toBeGreaterThan(0);
  });

  it('never repeats a migration', () => {
    const jobs = (parseYaml(RECIPES) as Job[]).filter(({ kind }) => kind === 'Job');
    expect(jobs.map((job) => [isMigration(job), job.spec.backoffLimit])).toEqual([
      [true, 0],
      [true, 0],
      [false, 3],
    ]);
    expect(jobs.map(({ spec }) => spec.template.spec.restartPolicy)).toEqual(['Never', 'Never', 'Never']);
  });

  it('turns maintenance off only after the upgrade of Helm', () => {
    const hooks = (parseYaml(RECIPES) as Job[]).filter(({ metadata }) => metadata?.annotations);
    expect(hooks.map((job) => [job.metadata.annotations!['helm.sh/hook'], isMigration(job)])).toEqual([
      ['pre-upgrade', true],
      ['post-upgrade', false],
    ]);
    // `sh -e` stops at the first command that fails.
    expect(hooks[0]!.spec.template.spec.containers[0]!.command.slice(0, 2)).toEqual(['sh', '-ec']);
    expect(hooks[1]!.spec.template.spec.containers[0]!.command.at(-1)).toBe('off');
  });

  it('deploys only after the migration in GitHub Actions', () => {
    const workflow = parseYaml(RECIPES).find(
      (document): document is { jobs: Record<string, { needs?: string }> } =>
        typeof document === 'object' && document !== null && 'jobs' in document,
    );
    expect(workflow?.jobs.deploy?.needs).toBe('migrate');
  });
});

it('uses only commands and options that exist', () => {
  const lines = [...RECIPES.replaceAll(/[[\],']/g, '').matchAll(/nestjs-maintenance ([a-z]+)([^\n]*)/g)];
  expect(lines.length).toBeGreaterThan(8);
  for (const [, command = '', rest = ''] of lines) {
    const help = execFileSync(process.execPath, [BIN, command, '--help'], { encoding: 'utf8' });
    expect(help).toContain(`Usage: nestjs-maintenance ${command} `);
    const [own = ''] = rest.split(' -- ');
    for (const [option] of own.matchAll(/--[a-z-]+/g)) expect(help).toContain(option);
  }
});

it.each(findBlocks(RECIPES, 'sh'))('is valid for a shell: %s', (block) => {
  execFileSync('bash', ['-n'], { input: block });
});
