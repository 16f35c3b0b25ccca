import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { describeWithChromium, launchChromium } from '../browser/chromium.js';

const ROOT = resolve(__dirname, '../..');
/** The site is built for a path, as GitHub Pages serves it. */
const BASE = '/nestjs-maintenance/';
const PHONE = { width: 375, height: 740 };
const DESKTOP = { width: 1280, height: 900 };
const WIDE_PAGES = ['index', 'configuration', 'command-line', 'performance', 'readme'].map((name) => `${name}.html`);
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
  '.woff2': 'font/woff2',
};

const folder = mkdtempSync(join(tmpdir(), 'site-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  // A dead link fails the build.
  await promisify(execFile)(process.execPath, ['node_modules/vitepress/bin/vitepress.js', 'build', 'docs'], {
    cwd: ROOT,
    env: { ...process.env, DOCS_BASE: BASE, DOCS_OUT_DIR: folder, NODE_ENV: 'production' },
  });
}, 180_000);

function listPages(): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.html') && file !== '404.html')
    .sort();
}

const readSite = (file: string): string => readFileSync(join(folder, file), 'utf8');

describe('the files of the docs site', () => {
  it('have a heading for every link within the site', () => {
    const missing = listPages().flatMap((page) =>
      [...readSite(page).matchAll(/<a[^>]* href="([^"]*)"/g)]
        .map(([, href]) => new URL(href!, `http://site${BASE}${page}`))
        .filter(({ host }) => host === 'site')
        .filter(({ pathname, hash }) => {
          const path = pathname.slice(BASE.length) || 'index';
          const file = extname(path) ? path : `${path}.html`;
          if (!pathname.startsWith(BASE) || !existsSync(join(folder, file))) return true;
          return hash !== '' && !readSite(file).includes(`id="${decodeURIComponent(hash.slice(1))}"`);
        })
        .map(({ pathname, hash }) => `${page}: ${pathname}${hash}`),
    );
    expect([...new Set(missing)]).toEqual([]);
  });

  it('include llms.txt with every page of the sidebar, and llms-full.txt with their text', () => {
    const list = readSite('llms.txt');
    const linked = [...list.matchAll(/^- \[.+?\]\(([^)]+)\): .+/gm)].map(([, path]) => path!.slice(BASE.length));
    expect(linked.sort()).toEqual(listPages().filter((page) => !['index.html', 'readme.html'].includes(page)));
    expect(readSite('llms-full.txt')).toContain(readFileSync(join(ROOT, 'docs/runbook.md'), 'utf8'));
  });
});

describeWithChromium('the docs site in Chromium', () => {
  let server: Server;
  let browser: Browser;
  let origin: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = new URL(request.url!, 'http://site').pathname;
      const file = join(folder, path.slice(BASE.length) || 'index.html');
      if (!path.startsWith(BASE) || !existsSync(file)) return response.writeHead(404).end();
      return response.writeHead(200, { 'content-type': TYPES[extname(file)] }).end(readFileSync(file));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  /** Opens a page, and collects requests to other hosts, failed responses and errors of the console. */
  async function open(options: Parameters<Browser['newContext']>[0]): Promise<{
    context: BrowserContext;
    page: Page;
    problems: string[];
  }> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(origin)) problems.push(request.url());
    });
    page.on('response', (response) => {
      if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`);
    });
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    return { context, page, problems };
  }

  it.each([
    ['every page on a phone', PHONE, () => listPages()],
    ['pages with wide tables, code and pictures on a desktop', DESKTOP, () => WIDE_PAGES],
  ])(
    'shows %s without horizontal scrolling, errors and requests to other hosts',
    async (_pages, viewport, getFiles) => {
      const { context, page, problems } = await open({ viewport });
      for (const file of getFiles()) {
        await page.goto(`${origin}${BASE}${file}`, { waitUntil: 'load' });
        await page.waitForSelector('#app [class*=VP]');
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        if (width > viewport.width) problems.push(`${file} is ${width}px wide`);
        const broken = await page.evaluate(() =>
          [...document.images].filter((image) => image.naturalWidth === 0).map(({ src }) => src),
        );
        problems.push(...broken.map((src) => `${file} shows no picture from ${src}`));
      }
      expect(problems).toEqual([]);
      await context.close();
    },
    120_000,
  );

  it('finds a page by a word of its text', async () => {
    const { context, page, problems } = await open({ viewport: DESKTOP });
    await page.goto(`${origin}${BASE}quick-start.html`);
    await page.click('#local-search button');
    await page.fill('.VPLocalSearchBox input', 'in-flight');
    await page.click('.VPLocalSearchBox a[href*="internals/in-flight"]');
    await page.waitForURL('**/internals/in-flight.html*');
    expect(await page.textContent('h1')).toContain('In-flight');
    expect(problems).toEqual([]);
    await context.close();
  });

  it('is dark if the reader prefers it, and by its switch', async () => {
    const { context, page } = await open({ viewport: DESKTOP, colorScheme: 'dark' });
    await page.goto(`${origin}${BASE}runbook.html`);
    const getBackground = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.body).getPropertyValue('background-color'));
    expect(await getBackground()).toBe('rgb(27, 27, 31)');
    await page.click('.VPNavBar .VPSwitchAppearance');
    await page.waitForFunction(() => !document.documentElement.classList.contains('dark'));
    expect(await getBackground()).toBe('rgb(255, 255, 255)');
    await context.close();
  });
});
