import { createHash } from 'node:crypto';
import { escapeHtml } from './escape-html.js';
import { PAGE_SCRIPT, PAGE_STYLE } from './page-assets.js';
import type { PageBranding } from './page-branding.js';
import type { PageContext } from './page-context.js';
import { createLayout, getAccentRule } from './page-layout.js';

/** Renders the built-in page. */
export function renderBuiltInPage(context: PageContext): string {
  const write = (value: unknown): string =>
    typeof value === 'string' || typeof value === 'number' ? escapeHtml(String(value)) : '';
  const choose = (name: string, content: string, otherwise = ''): string => (context[name] ? content : otherwise);
  return createLayout({
    value: (name) => write(context[name]),
    text: (name) => write(context.texts[name]),
    inline: choose,
    lines: choose,
  });
}

/**
 * Creates the Content-Security-Policy of the built-in page: its own style and script, requests to its own origin, and
 * nothing else. An application may frame its own pages, so it may frame this one.
 */
export function createContentSecurityPolicy({ accent, onAccent }: Pick<PageBranding, 'accent' | 'onAccent'>): string {
  const style = PAGE_STYLE + (accent === null || onAccent === null ? '' : getAccentRule(accent, onAccent));
  return [
    "default-src 'none'",
    `style-src ${createHashSource(style)}`,
    `script-src ${createHashSource(PAGE_SCRIPT)}`,
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join('; ');
}

function createHashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
