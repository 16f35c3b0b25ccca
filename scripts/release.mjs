// Publishes the library, unless the registry has this version, and tells the release workflow which version it was.
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';

const { name, version } = JSON.parse(readFileSync('libs/maintenance/package.json', 'utf8'));

function isPublished() {
  const { status, stdout, stderr } = spawnSync('npm', ['view', `${name}@${version}`, 'version'], { encoding: 'utf8' });
  if (status === 0) return stdout.trim() === version;
  if (/\bE404\b/.test(stderr)) return false;
  throw new Error(`npm view failed:\n${stderr}`);
}

if (isPublished()) {
  console.log(`${name} ${version} is published already.`);
} else {
  execFileSync('npm', ['publish', '--workspace', name, ...process.argv.slice(2)], { stdio: 'inherit' });
  if (process.env.GITHUB_OUTPUT) appendFileSync(process.env.GITHUB_OUTPUT, `version=${version}\n`);
}
