// Builds the library as ES modules and as CommonJS, then the applications. TypeScript's own incremental state makes a
// second run cheap.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';

function tsc(project) {
  const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const library = 'libs/maintenance';
tsc(`${library}/tsconfig.json`);
tsc(`${library}/tsconfig.cjs.json`);
mkdirSync(`${library}/dist/cjs`, { recursive: true });
writeFileSync(`${library}/dist/cjs/package.json`, '{ "type": "commonjs" }\n');
