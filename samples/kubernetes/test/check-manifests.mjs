import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

/** The types of the API of Kubernetes, generated from its OpenAPI schema. They also show members that do not exist. */
const MODULES = { v1: 'core/v1', 'apps/v1': 'apps/v1', 'batch/v1': 'batch/v1' };

/** Parses all files of k8s/. */
export function readManifests() {
  return readdirSync('k8s').flatMap((file) =>
    parseAllDocuments(readFileSync(`k8s/${file}`, 'utf8')).map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS();
    }),
  );
}

/** Returns the errors of manifests, as TypeScript reports them. */
export async function checkManifests(manifests) {
  const constants = manifests.map((manifest, index) => {
    const type = `import('kubernetes-types/${MODULES[manifest.apiVersion]}').${manifest.kind}`;
    return `export const manifest${index}: ${type} = ${JSON.stringify(manifest, null, 2)};`;
  });
  mkdirSync('dist', { recursive: true });
  writeFileSync('dist/manifests.ts', constants.join('\n'));
  const options = ['--ignoreConfig', '--noEmit', '--strict', '--types', 'node', '--module', 'preserve'];
  const tsc = ['node_modules/typescript/bin/tsc', ...options, 'dist/manifests.ts'];
  return promisify(execFile)(process.execPath, tsc).then(
    () => '',
    ({ stdout }) => stdout,
  );
}
