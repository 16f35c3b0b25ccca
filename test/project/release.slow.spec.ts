import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

const CHANGELOG = `# Changelog

## Unreleased

The first version.

### Added

- Windows: see [planning](docs/planning.md).

### Fixed

- A leak.

## 0.1.0

- The beginning.
`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-'));
  cpSync(join(ROOT, 'scripts'), join(folder, 'scripts'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, '.changeset'));
  mkdirSync(join(folder, 'libs/maintenance'), { recursive: true });
  cpSync(join(ROOT, '.changeset/config.json'), join(folder, '.changeset/config.json'));
  cpSync(join(ROOT, '.changeset/README.md'), join(folder, '.changeset/README.md'));
  write('package.json', JSON.stringify({ name: 'workspace', private: true, workspaces: ['libs/*'] }));
  write('package-lock.json', JSON.stringify({ name: 'workspace', lockfileVersion: 3, packages: {} }));
  write(
    'libs/maintenance/package.json',
    JSON.stringify({ name: 'nestjs-maintenance', version: '0.1.0', homepage: 'https://github.test/a/b#readme' }),
  );
  mkdirSync(join(folder, 'samples/rest'), { recursive: true });
  write('samples/README.md', '# Samples\n');
  write('samples/rest/package.json', JSON.stringify({ dependencies: { 'nestjs-maintenance': '^0.1.0' } }, null, 2));
  write('CHANGELOG.md', CHANGELOG);
  execFileSync('git', ['init', '--quiet', '--initial-branch', 'main'], { cwd: folder });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(file: string, text: string): void {
  writeFileSync(join(folder, file), text);
}

function read(file: string): string {
  return readFileSync(join(folder, file), 'utf8');
}

function runScript(name: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [`scripts/${name}`, ...args], { cwd: folder, encoding: 'utf8' });
}

it('moves the changesets to the changelog, and sets the version that they ask for', () => {
  write(
    '.changeset/a.md',
    "---\n'nestjs-maintenance': minor\n---\n\nAdded: Scopes,\nfor tenants.\n\nChanged: A name.\n",
  );
  write('.changeset/b.md', "---\n'nestjs-maintenance': patch\n---\n\nFixed: A race.\n");
  write('.changeset/c.md', "---\n'nestjs-maintenance': patch\n---\n");

  expect(runScript('version-packages.mjs')).toMatchObject({ status: 0 });

  expect(JSON.parse(read('libs/maintenance/package.json'))).toMatchObject({ version: '0.2.0' });
  expect(JSON.parse(read('samples/rest/package.json')).dependencies).toEqual({ 'nestjs-maintenance': '^0.2.0' });
  expect(JSON.parse(read('package-lock.json')).packages['libs/maintenance']).toMatchObject({ version: '0.2.0' });
  expect(readdirSync(join(folder, '.changeset')).sort()).toEqual(['README.md', 'config.json']);
  const notes = `Released on ${new Date().toISOString().slice(0, 10)}.

The first version.

### Added

- Windows: see [planning](docs/planning.md).
- Scopes,
  for tenants.

### Changed

- A name.

### Fixed

- A leak.
- A race.
`;
  expect(read('CHANGELOG.md')).toBe(
    `# Changelog\n\n## Unreleased\n\n## 0.2.0\n\n${notes}\n## 0.1.0\n\n- The beginning.\n`,
  );
  expect(runScript('release-notes.mjs', '0.2.0').stdout).toBe(
    notes.replace('](docs/', '](https://github.test/a/b/blob/v0.2.0/docs/'),
  );
}, 60_000);

it('changes nothing if an entry has no heading of the changelog', () => {
  write('.changeset/a.md', "---\n'nestjs-maintenance': minor\n---\n\nScopes.\n");
  const { status, stderr } = runScript('version-packages.mjs');
  expect(status).toBe(1);
  expect(stderr).toContain('.changeset/a.md: "Scopes." must begin with one of Added, Changed,');
  expect(read('CHANGELOG.md')).toBe(CHANGELOG);
});

it('fails for the notes of a version that the changelog does not have', () => {
  expect(runScript('release-notes.mjs', '9.9.9')).toMatchObject({ status: 1, stdout: '' });
});

it('the pending changesets of this repository can be released', () => {
  cpSync(join(ROOT, '.changeset'), join(folder, '.changeset'), { recursive: true });
  cpSync(join(ROOT, 'CHANGELOG.md'), join(folder, 'CHANGELOG.md'));
  expect(runScript('version-packages.mjs')).toMatchObject({ status: 0 });
}, 60_000);
