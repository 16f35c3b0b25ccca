import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';

const run = promisify(execFile);
const START_TIMEOUT_MS = 60_000;

/**
 * Starts a registry on this machine. Everything but the library comes from the registry that npm is configured to use.
 *
 * @param {import('./runtimes.mjs').Runtime} node - Verdaccio needs Node 22
 * @param {string} folder - where Verdaccio and its packages are stored
 * @returns `env`, with which npm uses the registry and a cache of its own, and `stop()`
 */
export async function startRegistry(node, folder) {
  mkdirSync(folder, { recursive: true });
  const path = [dirname(node.command), process.env.PATH].join(delimiter);
  const ownEnv = { ...process.env, PATH: path };
  const getSetting = async (name) => (await run('npm', ['config', 'get', name], { env: ownEnv })).stdout.trim();
  const [registry, cafile, port] = await Promise.all([getSetting('registry'), getSetting('cafile'), getFreePort()]);
  // One of its dependencies asks for the tag `cjs` of node-fetch, which not every mirror has.
  const manifest = { private: true, dependencies: { verdaccio: '^6.10.4' }, overrides: { 'node-fetch': '^2.7.0' } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const install = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  await run('npm', install, { cwd: folder, env: ownEnv });

  const config = {
    storage: join(folder, 'storage'),
    uplinks: { upstream: { url: registry, cache: false, maxage: '10m', timeout: '60s', max_fails: 10 } },
    packages: {
      'nestjs-maintenance': { access: '$all', publish: '$all', unpublish: '$all' },
      '**': { access: '$all', proxy: 'upstream' },
    },
    web: { enable: false },
    log: { type: 'stdout', format: 'pretty', level: 'warn' },
    max_body_size: '20mb',
  };
  writeFileSync(join(folder, 'config.yaml'), stringify(config));
  // Of npm's settings, Verdaccio knows only the registry.
  const caFile = cafile === 'null' ? {} : { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS ?? cafile };
  const program = join(folder, 'node_modules/verdaccio/bin/verdaccio');
  const args = [program, '--config', join(folder, 'config.yaml'), '--listen', `127.0.0.1:${port}`];
  const child = spawn(node.command, args, { env: { ...ownEnv, ...caFile }, cwd: folder });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));

  const url = `http://127.0.0.1:${port}/`;
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await fetch(`${url}-/ping`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`Verdaccio did not start:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  // npm publishes only with a token, which Verdaccio does not look at where everybody may publish.
  writeFileSync(join(folder, 'npmrc'), `registry=${url}\n//127.0.0.1:${port}/:_authToken=none\n`);
  return {
    url,
    env: { ...ownEnv, npm_config_userconfig: join(folder, 'npmrc'), npm_config_cache: join(folder, 'cache') },
    async stop() {
      if (child.exitCode !== null) return;
      child.kill();
      await once(child, 'exit');
    },
  };
}

async function getFreePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
