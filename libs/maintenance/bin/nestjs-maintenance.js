#!/usr/bin/env node
import { readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

try {
  const { run } = await import('../dist/esm/cli/standalone.js');
  await run(process.argv, version);
} catch (error) {
  const missing = missingPackage(error);
  if (missing === undefined) throw error;
  const others = missing === 'nest-commander' ? '' : ` ${missing}`;
  console.error(
    `error: the command line needs the package ${missing}: run \`npm install nest-commander${others}\` first.`,
  );
  process.exitCode = 1;
}

// A package, not a file of this one.
function missingPackage(error) {
  if (!['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes(error?.code)) return undefined;
  return /^Cannot find (?:package|module) '((?:@[\w.-]+\/)?[\w-][\w.-]*)['/]/.exec(error.message)?.[1];
}
