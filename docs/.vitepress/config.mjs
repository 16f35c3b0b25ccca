import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitepress';
import { writeLlmsFiles } from './llms.mjs';
import { resolveLinks, showBraces, toGitHubAnchor } from './markdown.mjs';
import { ROOT, getExcluded, getRewrites, getSections } from './pages.mjs';

const { version, description, repository } = JSON.parse(
  readFileSync(join(ROOT, 'libs/maintenance/package.json'), 'utf8'),
);
const repositoryUrl = repository?.url.replace(/^git\+/, '').replace(/\.git$/, '');
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="#0b6356"/>' +
  '<path d="M8 7v10M16 7v10" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>';

export default defineConfig({
  title: 'nestjs-maintenance',
  description,
  lang: 'en',
  // A site that is not at the root of its host, as on GitHub Pages, has its path here: /nestjs-maintenance/
  base: process.env.DOCS_BASE ?? '/',
  // The whole repository, so that links to README.md and other folders work on the site as they do on GitHub.
  srcDir: ROOT,
  srcExclude: getExcluded(),
  rewrites: getRewrites(),
  outDir: process.env.DOCS_OUT_DIR ?? join(ROOT, 'build/site'),
  cacheDir: join(ROOT, 'build/vitepress-cache'),
  head: [['link', { rel: 'icon', href: `data:image/svg+xml,${encodeURIComponent(ICON)}` }]],
  markdown: {
    theme: { light: 'github-light', dark: 'github-dark' },
    anchor: { slugify: toGitHubAnchor },
    languageAlias: { caddyfile: 'nginx', haproxy: 'nginx' },
    config: (markdown) => {
      resolveLinks(markdown, repositoryUrl);
      showBraces(markdown);
    },
  },
  vite: {
    // Files beside the configuration of VitePress, never the .env file of the demo.
    envDir: import.meta.dirname,
    publicDir: join(ROOT, 'docs/images'),
    plugins: [prepareReadme()],
  },
  buildEnd: writeLlmsFiles,
  themeConfig: {
    logo: { src: `data:image/svg+xml,${encodeURIComponent(ICON)}`, alt: '' },
    nav: [
      { text: 'Quick start', link: '/quick-start' },
      { text: 'Runbook', link: '/runbook' },
      { text: 'Reference', link: '/configuration' },
      { text: version, items: [{ text: 'Changelog', link: '/changelog' }] },
    ],
    sidebar: getSections().map(({ text, isCollapsed = false, pages }) => ({
      text,
      collapsed: isCollapsed,
      items: pages.map((page) => ({ text: page.text, link: `/${page.path}` })),
    })),
    outline: { level: [2, 3] },
    search: {
      provider: 'local',
      options: {
        // README.md repeats what the pages explain.
        _render: (source, env, markdown) => (env.relativePath === 'readme.md' ? '' : markdown.render(source, env)),
      },
    },
    ...(repositoryUrl && {
      socialLinks: [{ icon: 'github', link: repositoryUrl }],
      editLink: { pattern: `${repositoryUrl}/edit/main/:path` },
    }),
  },
});

/** Removes the badges of README.md, which would load images from another host, and makes its pictures relative. */
function prepareReadme() {
  return {
    name: 'prepare-readme',
    enforce: 'pre',
    transform: (source, id) =>
      id === join(ROOT, 'README.md')
        ? source.replace(/^\[!\[.*\n/gm, '').replaceAll('"docs/images/', '"./docs/images/')
        : undefined,
  };
}
