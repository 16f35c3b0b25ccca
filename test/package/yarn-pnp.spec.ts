import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../tools/waiting.js';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../..');
const YARN = createRequire(join(ROOT, 'package.json')).resolve('@yarnpkg/cli-dist/bin/yarn.js');
const TIMEOUT_MS = 120_000;

interface Ended {
  code: number;
  output: string;
}

interface Manifest {
  dependencies: Record<string, string>;
}

const APPLICATION = `require('reflect-metadata');
const { Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { MaintenanceModule, MaintenanceService } = require('nestjs-maintenance');
class AppModule {}
Module({ imports: [MaintenanceModule.forRoot()] })(AppModule);
void (async () => {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  const url = 'http://127.0.0.1:' + app.getHttpServer().address().port + '/';
  console.log('listening');
  const statuses = [];
  statuses.push((await fetch(url)).status);
  await app.get(MaintenanceService).enable();
  statuses.push((await fetch(url)).status);
  await app.get(MaintenanceService).disable();
  statuses.push((await fetch(url)).status);
  console.log(JSON.stringify({ statuses }));
  process.stdin.once('end', () => app.close()).resume();
})();
`;

let project: string;

/** Runs Yarn in the project without a network: all packages come from the repository. */
async function yarn(...args: string[]): Promise<Ended> {
  const env = {
    PATH: process.env.PATH,
    HOME: project,
    YARN_ENABLE_GLOBAL_CACHE: '0',
    YARN_ENABLE_NETWORK: '0',
    YARN_ENABLE_IMMUTABLE_INSTALLS: '0',
    YARN_ENABLE_TELEMETRY: '0',
  };
  try {
    const { stdout, stderr } = await run(process.execPath, [YARN, ...args], { cwd: project, env });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'yarn-pnp-'));
  const pack = ['pack', '-w', 'nestjs-maintenance', '--ignore-scripts', '--pack-destination', project];
  await run('npm', pack, { cwd: ROOT });
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz'))!;
  // Links to the packages of the repository replace those that Yarn would fetch.
  const link = (name: string): string => `link:${join(ROOT, 'node_modules', name)}`;
  const manifest = createRequire(__filename)(join(ROOT, 'libs/maintenance/package.json')) as Manifest;
  const peers = ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', '@nestjs/config'];
  const own = [...peers, 'nest-commander', 'reflect-metadata', 'rxjs'];
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({
      name: 'shop',
      private: true,
      dependencies: {
        ...Object.fromEntries(own.map((name) => [name, link(name)])),
        'nestjs-maintenance': `file:./${tarball}`,
      },
      resolutions: Object.fromEntries(Object.keys(manifest.dependencies).map((name) => [name, link(name)])),
    }),
  );
  writeFileSync(join(project, '.yarnrc.yml'), 'enableTelemetry: false\nnodeLinker: pnp\n');
  writeFileSync(join(project, 'yarn.lock'), '');
  const installed = await yarn('install');
  if (installed.code !== 0) throw new Error(installed.output);
}, TIMEOUT_MS);

afterAll(() => rmSync(project, { recursive: true, force: true }));

it(
  "command line and service turn maintenance on and off with Yarn Plug'n'Play",
  async () => {
    // Makes sure that this is Plug'n'Play, whose file handles do not implement sync().
    const sync = "fs.promises.open('f', 'w').then((file) => file.sync()).catch((error) => console.log(error.message))";
    expect((await yarn('node', '-e', sync)).output).toMatch(/not implemented/i);

    expect(await yarn('nestjs-maintenance', 'status')).toMatchObject({ code: 0 });
    expect(await yarn('nestjs-maintenance', 'on')).toMatchObject({ code: 0 });
    expect(await yarn('nestjs-maintenance', 'status')).toMatchObject({ code: 3 });
    expect(await yarn('nestjs-maintenance', 'off')).toMatchObject({ code: 0 });

    writeFileSync(join(project, 'main.cjs'), APPLICATION);
    const application = spawn(process.execPath, ['-r', './.pnp.cjs', 'main.cjs'], {
      cwd: project,
      env: { PATH: process.env.PATH, HOME: project },
    });
    let output = '';
    for (const stream of [application.stdout, application.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    const closed = once(application, 'close');
    await until(
      'maintenance was on and off',
      () => output.includes('statuses') || application.exitCode !== null,
      TIMEOUT_MS,
    );
    const { output: instances } = await yarn('nestjs-maintenance', 'instances', '--json');
    application.stdin.end();
    await closed;
    // The output must not contain warnings, such as that reports cannot be written.
    expect(output.trim().split('\n')).toEqual(['listening', '{"statuses":[404,503,404]}']);
    expect(JSON.parse(instances)).toMatchObject({ instances: [{ pid: application.pid }] });
  },
  TIMEOUT_MS,
);
