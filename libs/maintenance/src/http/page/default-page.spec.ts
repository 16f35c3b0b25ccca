import { createHash } from 'node:crypto';

import Handlebars from 'handlebars';

import { DEFAULT_PAGE, DEFAULT_PAGE_CSP } from './default-page.js';
import { PAGE_SCRIPT } from './page-script.js';
import { PAGE_STYLE } from './page-style.js';
import { getPageTimes } from './page-times.js';
import { renderPlainPage } from './plain-page.js';

const render = Handlebars.compile(DEFAULT_PAGE, { strict: false });

const refusal = {
  title: 'Under maintenance',
  message: 'Back soon',
  mode: 'full',
  readOnly: false,
  scope: '*',
  startsAt: '2026-12-01T01:00:00.000Z',
  endsAt: '2026-12-01T02:00:00.000Z',
  retryAfter: 600,
  statusCode: 503,
};

const page = (change: object = {}): string => {
  const context = { ...refusal, ...change };
  return render({ ...context, ...getPageTimes(context, Date.parse('2026-12-01T01:50:00Z')) });
};

const blocks = (html: string, tag: string): string[] =>
  [...html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))].map((match) => match[1] ?? '');

const hash = (text = ''): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

// The page without the style and script whose hashes the content security policy allows.
const markup = (html: string): string => html.replace(PAGE_STYLE, '').replace(PAGE_SCRIPT, '');

const variants: [string, string][] = [
  ['with an end', page()],
  ['without an end', page({ endsAt: null, startsAt: null, retryAfter: null })],
  ['read-only', page({ mode: 'read-only', readOnly: true })],
  ['plain', renderPlainPage({ title: 'Under maintenance', message: 'Back soon', statusCode: 503 })],
];

describe.each(variants)('page %s', (name, html) => {
  it('has one title, a language and a main landmark', () => {
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(html.match(/<h1[ >]/g)).toHaveLength(1);
    expect(html.match(/<main[ >]/g)).toHaveLength(1);
    expect(html).toContain('<title>Under maintenance</title>');
    expect(html).toContain('<meta name="robots" content="noindex">');
  });

  it('contains only scripts and styles allowed by its content security policy', () => {
    expect(blocks(html, 'style').map(hash)).toEqual([/style-src (\S+);/.exec(DEFAULT_PAGE_CSP)?.[1]]);
    const scripts = blocks(html, 'script').map(hash);
    expect(scripts).toEqual(name === 'plain' ? [] : [/script-src (\S+);/.exec(DEFAULT_PAGE_CSP)?.[1]]);
    expect(markup(html)).not.toMatch(/\sstyle=|\son\w+=|<style [^>]|<script [^>]/i);
  });

  it('loads no external resources', () => {
    expect(html).not.toMatch(/https?:|\burl\(|@import|\bsrc=|\bxmlns/i);
    expect([...html.matchAll(/\shref="([^"]*)"/g)].map((match) => match[1])).toEqual(['data:,', '']);
  });

  it('contains no template expressions and stays small', () => {
    expect(html).not.toMatch(/\{\{|undefined|null"|NaN"/);
    expect(Buffer.byteLength(html)).toBeLessThan(8192);
  });
});

describe('default page', () => {
  it('has one style and one script without template expressions', () => {
    expect(PAGE_STYLE).not.toContain('{{');
    expect(PAGE_SCRIPT).not.toContain('{{');
    // ASCII only, so that no charset can change the hashes.
    expect(PAGE_STYLE + PAGE_SCRIPT).toMatch(/^[\n -~]*$/);
    expect(DEFAULT_PAGE).not.toContain('{{{');
    expect(DEFAULT_PAGE).not.toContain('{{&');
  });

  it.each(['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onload='alert(1)", '</title></style>'])(
    'escapes %s in every text set by an operator',
    (hostile) => {
      const html = page({ title: hostile, message: hostile, scope: hostile, mode: hostile });
      expect(html).not.toContain(hostile);
      expect(markup(html).match(/<(script|img|style)/g)).toEqual(['<style', '<script']);
    },
  );

  it('shows braces instead of interpreting them', () => {
    const html = page({ message: '{{statusCode}} {{{title}}} {{#if' });
    expect(html).toContain('<p class="message" dir="auto">{{statusCode}} {{{title}}} {{#if</p>');
  });

  it('preserves the line breaks of a message', () => {
    expect(page({ message: 'one\ntwo' })).toContain('>one\ntwo</p>');
    expect(PAGE_STYLE).toContain('white-space: pre-line');
  });

  it('shows the end in UTC without scripts', () => {
    const time = '<time datetime="2026-12-01T02:00:00.000Z" dir="auto">Tue, 01 Dec 2026 02:00 UTC</time>';
    expect(page()).toContain(time);
    expect(render(refusal)).toContain('dir="auto">2026-12-01T02:00:00.000Z</time>');
    expect(page({ endsAt: null })).not.toMatch(/<time|<dl|role="timer"/);
  });

  it('reloads without scripts, except in read-only mode', () => {
    const refresh = '<noscript><meta http-equiv="refresh" content="300"></noscript>';
    expect(page().split('</head>')[0]).toContain(refresh);
    const readOnly = page({ mode: 'read-only', readOnly: true });
    expect(readOnly).not.toContain('http-equiv');
    expect(readOnly).toContain('You can continue reading.');
    expect(page()).not.toContain('You can continue reading.');
  });

  it('passes the remaining time of the window to the script, not Retry-After', () => {
    expect(page({ retryAfter: 120 })).toContain('data-retry-after="120" data-left="600"');
    expect(render(refusal)).toContain('data-retry-after="600" data-left="600"');
    expect(page({ endsAt: null, retryAfter: null })).toContain('data-retry-after="" data-left=""');
  });

  it('updates the countdown silently and announces changes in one polite live region', () => {
    expect(page()).toContain('<dd><span role="timer" aria-live="off">');
    expect(page().match(/role="status"/g)).toHaveLength(1);
  });
});

describe('pageTimes', () => {
  const now = Date.parse('2026-12-01T02:00:00Z');

  it.each([
    [{ endsAt: null, retryAfter: null }, null, 60],
    [{ endsAt: null, retryAfter: 3600 }, null, 300],
    [{ endsAt: '2026-12-01T02:00:00.001Z', retryAfter: 1 }, 1, 30],
    [{ endsAt: '2026-12-01T02:02:00.000Z', retryAfter: 120 }, 120, 120],
    [{ endsAt: '2026-12-01T01:59:00.000Z', retryAfter: 1 }, 1, 30],
  ])('returns the remaining time and the refresh interval for %j', (refused, secondsLeft, refreshSeconds) => {
    expect(getPageTimes(refused, now)).toMatchObject({ secondsLeft, refreshSeconds });
  });
});

describe('plainPage', () => {
  it('escapes the message of the operator', () => {
    const html = renderPlainPage({ title: `<b>&"'`, message: '</p><script>alert("1")</script>', statusCode: 503 });
    expect(html).toContain('<title>&lt;b&gt;&amp;&quot;&#39;</title>');
    expect(html).toContain('&lt;/p&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;');
    expect(html).not.toContain('<script');
    expect(html).toContain('Status 503');
  });
});
