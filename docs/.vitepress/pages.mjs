import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** The sidebar: titles and Markdown files by section. A file that does not exist yet is left out. */
export const SECTIONS = [
  {
    text: 'Introduction',
    pages: [
      ['What and why', 'docs/introduction.md'],
      ['Quick start', 'docs/quick-start.md'],
      ['How it works', 'docs/how-it-works.md'],
      ['Samples', 'samples/README.md'],
      ['Compatibility', 'docs/compatibility.md'],
      ['Limitations', 'docs/limits.md'],
    ],
  },
  {
    text: 'Guides',
    pages: [
      ['Configuration', 'docs/configuration.md'],
      ['Command line', 'docs/command-line.md'],
      ['MaintenanceService', 'docs/service.md'],
      ['Admin endpoints', 'docs/admin.md'],
      ['Admin panel', 'docs/panel.md'],
      ['Exemptions', 'docs/exemptions.md'],
      ['Bypass link', 'docs/bypass.md'],
      ['Authentication', 'docs/authentication.md'],
      ['Planned and recurring windows', 'docs/planning.md'],
      ['Read-only mode', 'docs/read-only.md'],
      ['Parts, tenants and regions', 'docs/tenants.md'],
      ['Temporary maintenance', 'docs/temporary.md'],
      ['Page and response', 'docs/response.md'],
      ['Public status', 'docs/public-status.md'],
      ['Single-page applications', 'docs/single-page-applications.md'],
      ['Background jobs', 'docs/background.md'],
    ],
  },
  {
    text: 'Coming from elsewhere',
    isCollapsed: true,
    pages: [
      ['A guard of your own', 'docs/migrate/own-guard.md'],
      ['Laravel', 'docs/migrate/laravel.md'],
      ['django-maintenance-mode', 'docs/migrate/django.md'],
      ['A page in the proxy', 'docs/migrate/proxy.md'],
    ],
  },
  {
    text: 'Transports',
    pages: [
      ['GraphQL', 'docs/graphql.md'],
      ['WebSockets', 'docs/websockets.md'],
      ['Microservices', 'docs/microservices.md'],
      ['Server-sent events', 'docs/server-sent-events.md'],
    ],
  },
  {
    text: 'Storages',
    pages: [
      ['Choose a storage', 'docs/choose-a-storage.md'],
      ['Redis', 'docs/redis.md'],
      ['Postgres', 'docs/postgres.md'],
      ['MySQL and MariaDB', 'docs/mysql.md'],
      ['S3', 'docs/s3.md'],
      ['Cache', 'docs/cache.md'],
      ['Custom storage', 'docs/custom-storage.md'],
      ['Storage recipes', 'docs/storage-recipes.md'],
    ],
  },
  {
    text: 'Operations',
    pages: [
      ['Runbook', 'docs/runbook.md'],
      ['Migration recipes', 'docs/recipes.md'],
      ['Kubernetes, systemd, pm2', 'docs/deployment.md'],
      ['Docker and Compose', 'docs/docker.md'],
      ['Serverless', 'docs/serverless.md'],
      ['The page in front (proxies)', 'docs/in-front.md'],
      ['Monitoring', 'docs/monitoring.md'],
      ['Troubleshooting', 'docs/troubleshooting.md'],
    ],
  },
  {
    text: 'Reference',
    pages: [
      ['Environment variables', 'docs/reference/environment.md'],
      ['Decorators', 'docs/reference/decorators.md'],
      ['MaintenanceService', 'docs/reference/service.md'],
      ['Errors', 'docs/reference/errors.md'],
      ['Messages', 'docs/reference/messages.md'],
      ['Commands', 'docs/reference/commands.md'],
      ['HTTP', 'docs/reference/http.md'],
    ],
  },
  {
    text: 'Internals',
    pages: [
      ['In-flight tracking', 'docs/internals/in-flight.md'],
      ['Performance', 'docs/performance.md'],
      ['Benchmarks', 'bench/README.md'],
      ['Demo shop', 'apps/demo/README.md'],
      ['Contributing', 'CONTRIBUTING.md'],
      ['Security policy', 'SECURITY.md'],
      ['Changelog', 'CHANGELOG.md'],
    ],
  },
];

/** The pages that have no place in the sidebar. */
const OTHER_PAGES = { 'README.md': 'readme', 'docs/index.md': 'index' };

/** The paths on the site of the pages outside docs/. Those in docs/ keep their names. */
const MOVED = {
  'bench/README.md': 'benchmarks',
  'apps/demo/README.md': 'demo',
  'samples/README.md': 'samples',
  'CONTRIBUTING.md': 'contributing',
  'SECURITY.md': 'security',
  'CHANGELOG.md': 'changelog',
};

const toSitePath = (file) => OTHER_PAGES[file] ?? MOVED[file] ?? file.replace(/^docs\//, '').replace(/\.md$/, '');
const isThere = (file) => existsSync(join(ROOT, file));

/** Returns the sections with the pages that exist, and the path of each on the site. */
export function getSections() {
  return SECTIONS.map(({ pages, ...section }) => ({
    ...section,
    pages: pages.filter(([, file]) => isThere(file)).map(([text, file]) => ({ text, file, path: toSitePath(file) })),
  })).filter(({ pages }) => pages.length > 0);
}

/** Maps each Markdown file that is a page to its file on the site. */
export function getRewrites() {
  const files = [...SECTIONS.flatMap(({ pages }) => pages.map(([, file]) => file)), ...Object.keys(OTHER_PAGES)];
  return Object.fromEntries(files.filter(isThere).map((file) => [file, `${toSitePath(file)}.md`]));
}

/** Returns the Markdown files of the repository that are not pages, as patterns. */
export function getExcluded() {
  const pages = Object.keys(getRewrites());
  const folders = new Set(pages.map((file) => file.split('/').slice(0, -1).join('/')));
  const exclude = (folder) =>
    readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (!entry.isDirectory()) return path.endsWith('.md') && !pages.includes(path) ? [path] : [];
      const hasPages = [...folders].some((name) => name === path || name.startsWith(`${path}/`));
      return hasPages ? exclude(path) : [`${path}/**`];
    });
  return exclude('');
}
