import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import Handlebars from 'handlebars';
import type { MaintenanceMode } from '../core/maintenance-window.js';
import { PAGE_SCRIPT, PAGE_STYLE } from './page-assets.js';
import type { PageRefusal } from './page-context.js';
import { createEmptyRefusal, PageRenderer, type PageRendererOptions } from './page-renderer.js';
import { createPageTemplate } from './page-template.js';
import { getPageTimes } from './page-times.js';
import { BUILT_IN_LANGUAGES, ENGLISH } from './page-texts.js';

const NOW = Date.parse('2026-12-01T01:50:00Z');
const REFUSAL: PageRefusal = {
  message: 'Back soon',
  mode: 'full',
  scope: '*',
  startsAt: '2026-12-01T01:00:00.000Z',
  endsAt: '2026-12-01T02:00:00.000Z',
  retryAfter: 600,
  statusCode: 503,
};
const PAGE: PageRendererOptions['page'] = {
  name: 'Tom & Jerry',
  accent: '#c2410c',
  supportUrl: 'mailto:help@shop.example',
  statusUrl: 'https://status.shop.example/?a=1&b=2',
};
const VARIANTS: [string, Partial<PageRefusal>][] = [
  ['with an end', {}],
  ['without an end', { endsAt: null, startsAt: null, retryAfter: null }],
  ['read-only', { mode: 'read-only' }],
  ['in another language than its message', { message: '{{title}} <b>', messageLanguage: 'sw' }],
];

const template = Handlebars.compile(createPageTemplate());

/** Renders the page, and the template that must render the same. */
async function render(
  change: Partial<PageRefusal> = {},
  page: PageRendererOptions['page'] = {},
  lang = 'en',
): Promise<{ html: string; ejected: string; policy: string }> {
  const renderer = await PageRenderer.create({ page });
  const language = await renderer.languages.load(lang);
  const context = renderer.createContext({ ...REFUSAL, ...change }, language, NOW);
  return { html: renderer.renderBuiltIn(context), ejected: template(context), policy: renderer.contentSecurityPolicy };
}

function findBlocks(html: string, tag: string): string[] {
  return [...html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))].map((match) => match[1] ?? '');
}

function createHashSource(text: string | undefined): string {
  return `'sha256-${createHash('sha256')
    .update(text ?? '')
    .digest('base64')}'`;
}

/** Removes the style and the script, whose hashes the content security policy allows. */
function removeAssets(html: string): string {
  return html.replace(PAGE_STYLE, '').replace(PAGE_SCRIPT, '');
}

it('is generated from the script and the style in client/', () => {
  const root = resolve(__dirname, '../../../..');
  execFileSync(process.execPath, ['scripts/generate-page-assets.mjs', '--check'], { cwd: root });
});

describe.each(BUILT_IN_LANGUAGES)('the page in %s', (lang) => {
  it.each(VARIANTS)('is small, complete and the same as its template %s', async (_name, change) => {
    const { html, ejected } = await render(change, PAGE, lang);
    expect(ejected).toBe(html);
    expect(html).toMatch(new RegExp(`^<!doctype html>\n<html lang="${lang}" dir="(ltr|rtl)">`));
    expect(removeAssets(html)).not.toMatch(/\{\{(?!title)|undefined|null"|NaN/);
    expect(Buffer.byteLength(html)).toBeLessThanOrEqual(8192);
    expect(html.match(/<h1[ >]/g)).toHaveLength(1);
    expect(html.match(/<main[ >]/g)).toHaveLength(1);
  });
});

describe('the page', () => {
  it.each([...VARIANTS, ['in the colors of the application', {}]] as typeof VARIANTS)(
    'contains only scripts and styles allowed by its policy %s',
    async (name, change) => {
      const { html, policy } = await render(change, name.startsWith('in the colors') ? PAGE : {});
      expect(findBlocks(html, 'style').map(createHashSource)).toEqual([/style-src (\S+);/.exec(policy)?.[1]]);
      expect(findBlocks(html, 'script').map(createHashSource)).toEqual([/script-src (\S+);/.exec(policy)?.[1]]);
      expect(removeAssets(html)).not.toMatch(/\sstyle=|\son\w+=|<style [^>]|<script [^>]/i);
    },
  );

  it('loads no external resources', async () => {
    const { html } = await render();
    expect(html).not.toMatch(/https?:|\burl\(|@import|\bsrc=|\bxmlns/i);
    expect([...html.matchAll(/\shref="([^"]*)"/g)].map((match) => match[1])).toEqual(['data:,', '']);
  });

  it('has a style and a script of ASCII without template expressions, which no charset can change', () => {
    expect(PAGE_STYLE + PAGE_SCRIPT).toMatch(/^[\n -~]*$/);
    expect(PAGE_STYLE + PAGE_SCRIPT).not.toContain('{{');
    expect(PAGE_SCRIPT).not.toContain('</');
  });

  it.each(['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onload='alert(1)", '</title></style>'])(
    'escapes %s in every text',
    async (hostile) => {
      const texts = Object.fromEntries(Object.keys(ENGLISH).map((name) => [name, hostile]));
      const page = { name: hostile, languages: { en: texts } };
      const change = { message: hostile, scope: hostile, mode: hostile as MaintenanceMode };
      const { html, ejected } = await render(change, page);
      expect(ejected).toBe(html);
      expect(html).not.toContain(hostile);
      expect(removeAssets(html).match(/<(script|img|style)/g)).toEqual(['<style', '<script']);
    },
  );

  it('shows braces instead of interpreting them', async () => {
    const { html } = await render({ message: '{{statusCode}} {{{title}}} {{#if' });
    expect(html).toContain('<p class="message" dir="auto">{{statusCode}} {{{title}}} {{#if</p>');
  });

  it('preserves the line breaks of a message', async () => {
    expect((await render({ message: 'one\ntwo' })).html).toContain('>one\ntwo</p>');
    expect(PAGE_STYLE).toContain('white-space:pre-line');
  });

  it('reloads without scripts, except in read-only mode', async () => {
    const refresh = '<noscript><meta http-equiv="refresh" content="300"></noscript>';
    expect((await render()).html.split('</head>')[0]).toContain(refresh);
    const { html } = await render({ mode: 'read-only' });
    expect(html).not.toContain('http-equiv');
    expect(html).toContain('You can continue reading.');
    expect((await render()).html).not.toContain('You can continue reading.');
  });

  it('passes the remaining time of the window to the script, not Retry-After', async () => {
    expect((await render({ retryAfter: 120 })).html).toContain('data-retry-after="120" data-left="600"');
    expect((await render({ endsAt: null, retryAfter: null })).html).toContain('data-retry-after="" data-left=""');
  });

  it('updates the countdown silently and announces changes in one polite live region', async () => {
    const { html } = await render();
    expect(html).toContain('<dd><span role="timer" aria-live="off">');
    expect(html.match(/role="status"/g)).toHaveLength(1);
  });

  it('shows name and links of the application, and no more than are given', async () => {
    const { html } = await render({}, PAGE);
    expect(html).toContain('<title>Down for maintenance – Tom &amp; Jerry</title>');
    expect(html).toContain('<p class="brand">Tom &amp; Jerry</p>');
    expect(html).toContain('<a href="https://status.shop.example/?a&#x3D;1&amp;b&#x3D;2">Service status</a>');
    expect(html).toContain('<a href="mailto:help@shop.example">Contact support</a>');
    const bare = (await render()).html;
    expect(bare).not.toMatch(/class="(brand|links)"/);
    expect(bare).toContain('<title>Down for maintenance</title>');
    expect((await render({}, { statusUrl: '/status' })).html).not.toContain('Contact support');
  });

  it('is made before there is a window too', async () => {
    const { languages } = await PageRenderer.create({});
    const { html } = await render(createEmptyRefusal(languages.getFallback()));
    expect(html).not.toMatch(/<time|<dl|role="timer"/);
    expect(html).toContain(ENGLISH.message);
  });
});

describe('getPageTimes', () => {
  const now = Date.parse('2026-12-01T02:00:00Z');

  it.each([
    [{ endsAt: null, retryAfter: null }, null, 60],
    [{ endsAt: null, retryAfter: 3600 }, null, 300],
    [{ endsAt: '2026-12-01T02:00:00.001Z', retryAfter: 1 }, 1, 30],
    [{ endsAt: '2026-12-01T02:02:00.000Z', retryAfter: 120 }, 120, 120],
    [{ endsAt: '2026-12-01T01:59:00.000Z', retryAfter: 1 }, 1, 30],
  ])('returns the remaining time and the refresh interval for %j', (refused, secondsLeft, refreshSeconds) => {
    expect(getPageTimes(refused, 'en', now)).toMatchObject({ secondsLeft, refreshSeconds });
  });

  it.each([
    ['en', 'Tuesday, December 1, 2026 at 2:00 AM UTC'],
    ['de', 'Dienstag, 1. Dezember 2026 um 02:00 UTC'],
    ['ja', '2026年12月1日火曜日 2:00 UTC'],
  ])('returns the end in UTC in %s', (lang, text) => {
    const { endsAtText } = getPageTimes({ endsAt: '2026-12-01T02:00:00.000Z', retryAfter: 1 }, lang, now);
    expect(endsAtText?.replace(/\s/g, ' ')).toBe(text);
  });
});
