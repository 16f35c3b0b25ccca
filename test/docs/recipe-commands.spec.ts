import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { start, type Running } from '../e2e/application.js';

const ROOT = resolve(__dirname, '../..');
const GUIDE = readFileSync(join(ROOT, 'docs/recipes.md'), 'utf8');

/** Returns the first code block of a section of the guide in a language. */
function getBlock(section: string, language: string): string {
  const text = GUIDE.split(/^##+ /m).find((part) => part.startsWith(`${section}\n`))!;
  return new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'm').exec(text)![1]!;
}

interface Job {
  spec: { template: { spec: { containers: { command: string[] }[] } } };
}
interface Workflow {
  jobs: { migrate: { steps: { run?: string }[] } };
}
type Play = { tasks: { 'ansible.builtin.command'?: { cmd: string } }[] }[];

const getCommand = ({ spec }: Job): string[] => spec.template.spec.containers[0]!.command;
const inShell = (script: string): string[] => ['sh', '-c', script];

const [hook, lastHook] = parseAllDocuments(getBlock('Helm hooks', 'yaml')).map((job) => job.toJS() as Job);
const { steps } = (parse(getBlock('GitHub Actions', 'yaml')) as Workflow).jobs.migrate;
const unit = /^ExecStart=\/srv\/shop\/current\/(.*)$/m.exec(getBlock('systemd', 'ini'))!;
const [play] = parse(getBlock('Ansible', 'yaml')) as Play;

const DRIZZLE = 'drizzle-kit migrate';
/** The command of each recipe, and the migration that it runs. */
const RECIPES: [string, string[], string][] = [
  ['Drizzle', inShell(getBlock('Drizzle', 'sh')), DRIZZLE],
  ['TypeORM', inShell(getBlock('TypeORM', 'sh')), 'typeorm migration:run -d data-source.js'],
  ['Prisma', inShell(getBlock('Prisma', 'sh')), 'prisma migrate deploy'],
  ['the Kubernetes Job', getCommand(parse(getBlock('Kubernetes Job', 'yaml')) as Job), DRIZZLE],
  ['GitHub Actions', inShell(steps.at(-1)!.run!), DRIZZLE],
  ['systemd', inShell(unit[1]!), DRIZZLE],
  ['Ansible', inShell(play!.tasks[0]!['ansible.builtin.command']!.cmd), DRIZZLE],
];

describe('the commands in docs/recipes.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'recipes-'));
  const calls = join(folder, 'calls.txt');
  let running: Running;

  beforeAll(async () => {
    mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
    const bin = join(ROOT, 'libs/maintenance/bin/nestjs-maintenance.cjs');
    symlinkSync(bin, join(folder, 'node_modules/.bin/nestjs-maintenance'));
    for (const name of ['prisma', 'typeorm', 'drizzle-kit']) {
      writeScript(`node_modules/.bin/${name}`, `echo "${name} $*" >> calls.txt; exit "$MIGRATION_EXIT_CODE"`);
    }
    writeScript('deploy.sh', 'echo deploy.sh >> calls.txt');
    // Finds local programs as npx does, in less time.
    writeScript('npx', 'exec "node_modules/.bin/$@"');
    running = await start('express');
  });
  afterEach(() => running.maintenance.disable());
  afterAll(async () => {
    await running.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function writeScript(path: string, script: string): void {
    writeFileSync(join(folder, path), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, path), 0o755);
  }

  /** Runs a command, and returns its exit code and the lines that the migration and the deployment leave. */
  async function run([program, ...args]: string[], migrationExitCode: number): Promise<[number | null, string]> {
    rmSync(calls, { force: true });
    const child = spawn(program!, args, {
      cwd: folder,
      env: {
        PATH: [folder, process.env.PATH].join(delimiter),
        MAINTENANCE_STORAGE: `file:${running.stateFile}`,
        MIGRATION_EXIT_CODE: String(migrationExitCode),
      },
      stdio: 'ignore',
    });
    const [exitCode] = (await once(child, 'close')) as [number | null];
    await running.maintenance.refresh();
    return [exitCode, existsSync(calls) ? readFileSync(calls, 'utf8') : ''];
  }

  it.each(RECIPES)('%s: maintenance stays on after a failed migration', async (_recipe, command, migration) => {
    expect(await run(command, 7)).toEqual([7, `${migration}\n`]);
    expect((await running.call('/')).status).toBe(503);
  });

  it.each(RECIPES)('%s: maintenance is off after a migration', async (_recipe, command, migration) => {
    expect(await run(command, 0)).toEqual([0, `${migration}\n`]);
    expect(running.maintenance.isActive()).toBe(false);
  });

  it('deploys in the same run, but not after a failed migration', async () => {
    const command = inShell(getBlock('Deploying in the same run', 'sh'));
    expect(await run(command, 7)).toEqual([7, 'prisma migrate deploy\n']);
    expect(running.maintenance.isActive()).toBe(true);
    await running.maintenance.disable();
    expect(await run(command, 0)).toEqual([0, 'prisma migrate deploy\ndeploy.sh\n']);
    expect(running.maintenance.isActive()).toBe(false);
  });

  it.each([
    ['a failed migration', 7],
    ['a migration', 0],
  ])('Helm: maintenance stays on after %s, until the last hook', async (_outcome, exitCode) => {
    expect(await run(getCommand(hook!), exitCode)).toEqual([exitCode, `${DRIZZLE}\n`]);
    expect(running.maintenance.isActive()).toBe(true);
    expect(await run(getCommand(lastHook!), 0)).toEqual([0, '']);
    expect(running.maintenance.isActive()).toBe(false);
  });
});
