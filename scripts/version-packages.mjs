// Sets the version that the changesets ask for, also in the samples, and moves their entries to CHANGELOG.md.
// The release workflow runs it.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseChangeset, releaseChangelog } from './changelog.mjs';

const MANIFEST = 'libs/maintenance/package.json';
const readVersion = () => JSON.parse(readFileSync(MANIFEST, 'utf8')).version;

const entries = readdirSync('.changeset')
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .sort()
  .flatMap((name) => parseChangeset(`.changeset/${name}`, readFileSync(`.changeset/${name}`, 'utf8')));
const before = readVersion();
execFileSync(process.execPath, ['node_modules/@changesets/cli/bin.js', 'version'], { stdio: 'inherit' });
const version = readVersion();
if (version !== before) {
  const changelog = readFileSync('CHANGELOG.md', 'utf8');
  const today = new Date().toISOString().slice(0, 10);
  writeFileSync('CHANGELOG.md', releaseChangelog(changelog, version, today, entries));
  for (const sample of readdirSync('samples', { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const manifest = `samples/${sample.name}/package.json`;
    const range = /(?<="nestjs-maintenance": ")[^"]*/;
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(range, `^${version}`));
  }
  // The lock file names the version too.
  execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts', '--no-audit'], { stdio: 'inherit' });
}
