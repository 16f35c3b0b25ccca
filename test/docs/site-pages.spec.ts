import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
/** The home page of the site has no place in the sidebar. */
const WITHOUT_PLACE = ['index.md'];

it('the sidebar of the docs site lists every page in docs/ once', () => {
  const printed = execFileSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      "console.log(JSON.stringify((await import('./docs/.vitepress/pages.mjs')).SECTIONS))",
    ],
    { cwd: ROOT, encoding: 'utf8' },
  );
  const sections = JSON.parse(printed) as { pages: [string, string][] }[];
  const listed = sections.flatMap(({ pages }) => pages.map(([, file]) => file));
  const pages = readdirSync(resolve(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.md') && !file.startsWith('.vitepress') && !WITHOUT_PLACE.includes(file),
  );
  expect(pages.filter((page) => !listed.includes(`docs/${page}`))).toEqual([]);
  expect(listed).toEqual([...new Set(listed)]);
});
