import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

interface Manifest {
  version: string;
  homepage: string;
  repository: { url: string; directory: string };
  bugs: { url: string };
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'libs/maintenance/package.json'), 'utf8')) as Manifest;
const [address, owner, name] = /^https:\/\/github\.com\/([\w-]+)\/([\w-]+)/.exec(manifest.homepage)!;
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CODE_OF_CONDUCT.md', '.changeset/README.md'];
const FORMS = readdirSync(join(ROOT, '.github'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(yml|md)$/.test(file))
  .map((file) => `.github/${file}`);

/** Moving the repository means changing `homepage` in the library's package.json, and what this finds then. */
describe('the address of the repository', () => {
  it('is the same in all fields of package.json', () => {
    expect(manifest.repository).toEqual({ type: 'git', url: `git+${address}.git`, directory: 'libs/maintenance' });
    expect(manifest.bugs.url).toBe(`${address}/issues`);
    expect(existsSync(join(ROOT, manifest.repository.directory))).toBe(true);
  });

  it.each([...PAGES, ...FORMS])('is the one that %s uses', (file) => {
    const text = read(file);
    for (const [found] of text.matchAll(/https:\/\/github\.com\/[\w-]+\/nestjs-maintenance(?![\w-])/g)) {
      expect(found).toBe(address);
    }
    for (const [, found] of text.matchAll(/github\.repository == '([^']+)'/g)) expect(found).toBe(`${owner}/${name}`);
  });
});

it.each(PAGES)('the files that %s links to exist', (page) => {
  for (const [, link] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
    expect([link, existsSync(join(ROOT, dirname(page), link!))]).toEqual([link, true]);
  }
});

// npm shows them without the rest of the repository.
it.each(['README.md', 'CHANGELOG.md'])('the packed %s links to the files of its version', (page) => {
  const text = read(`libs/maintenance/${page}`);
  const links = Array.from(text.matchAll(/(?:\]\(|\bsrc(?:set)?=")(?!#)([^)"]+)/g), ([, link]) => link!);
  expect(links.filter((link) => !/^https?:/.test(link))).toEqual([]);
  expect(links).toContainEqual(expect.stringContaining(`${address}/blob/v${manifest.version}/docs/`));
});
