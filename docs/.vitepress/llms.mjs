import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, getSections } from './pages.mjs';

/** Returns the first paragraph of a page as one line. */
function getSummary(source) {
  const [paragraph = ''] = source
    .replace(/^---\n[^]*?\n---\n/, '')
    .replace(/^```.*\n[^]*?^```$/gm, '')
    .split('\n\n')
    .filter((block) => /^[^#<|:-]/.test(block.trim()));
  return paragraph
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Writes llms.txt, the list of the pages, and llms-full.txt, their text (https://llmstxt.org). */
export function writeLlmsFiles({ outDir, site }) {
  const sections = getSections().map(({ text, pages }) => ({
    text,
    pages: pages.map((page) => ({ ...page, source: readFileSync(join(ROOT, page.file), 'utf8') })),
  }));
  const list = sections.map(
    ({ text, pages }) =>
      `## ${text}\n\n${pages.map((page) => `- [${page.text}](${site.base}${page.path}.html): ${getSummary(page.source)}`).join('\n')}\n`,
  );
  writeFileSync(join(outDir, 'llms.txt'), [`# ${site.title}\n`, `> ${site.description}\n`, ...list].join('\n'));
  const full = sections.flatMap(({ pages }) => pages.map(({ file, source }) => `<!-- ${file} -->\n\n${source}`));
  writeFileSync(join(outDir, 'llms-full.txt'), full.join('\n'));
}
