/** Checks the messages of the commits since the last tag, or else since the commit that adds commitlint. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

function git(...args) {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

function skip(reason) {
  console.log(`Commit messages were not checked: ${reason}.`);
  process.exit(0);
}

if (!existsSync('.git')) skip('this is no git repository');
if (git('rev-parse', '--is-shallow-repository') === 'true') skip('the clone is shallow, run `git fetch --unshallow`');

const start =
  git('describe', '--tags', '--abbrev=0') ||
  git('log', '--diff-filter=A', '--format=%H', '--max-count=1', '--', 'commitlint.config.mjs');
if (start === '') skip('there is neither a tag nor a commit that adds commitlint.config.mjs');

const { status } = spawnSync('npx', ['--no-install', 'commitlint', '--from', start, '--to', 'HEAD'], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
