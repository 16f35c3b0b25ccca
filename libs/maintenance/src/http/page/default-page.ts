import { createHash } from 'node:crypto';

import { PAGE_SCRIPT } from './page-script.js';
import { PAGE_STYLE } from './page-style.js';

/**
 * The built-in maintenance page, a Handlebars template that needs nothing from outside: no asset, no font, no icon.
 *
 * Its context: `title`, `message`, `mode`, `readOnly`, `startsAt`, `endsAt`, `retryAfter`, `statusCode`, and what
 * `pageTimes()` adds. The element with `data-status` is what an open page takes over when the window was changed
 * meanwhile.
 */
export const DEFAULT_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
{{#unless readOnly}}
<noscript><meta http-equiv="refresh" content="{{refreshSeconds}}"></noscript>
{{/unless}}
<title>{{title}}</title>
<link rel="icon" href="data:,">
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
<div data-status="{{statusCode}}" data-mode="{{mode}}" data-starts-at="{{startsAt}}" data-ends-at="{{endsAt}}" \
data-retry-after="{{retryAfter}}" data-left="{{#if secondsLeft}}{{secondsLeft}}{{else}}{{retryAfter}}{{/if}}">
<svg viewBox="0 0 48 48" aria-hidden="true"><circle class="ring" cx="24" cy="24" r="22"/>\
<circle class="arc" cx="24" cy="24" r="22" pathLength="1" stroke-dasharray=".125 1" transform="rotate(-90 24 24)"/></svg>
<h1 dir="auto">{{title}}</h1>
{{#if message}}
<p class="message" dir="auto">{{message}}</p>
{{/if}}
{{#if readOnly}}
<p class="note">You can continue reading. Only changes are refused for now: what you just sent was not saved, \
and your browser’s Back button returns you to it.</p>
{{/if}}
{{#if endsAt}}
<dl>
<div><dt>Expected end</dt><dd><time datetime="{{endsAt}}" dir="auto">\
{{#if endsAtText}}{{endsAtText}}{{else}}{{endsAt}}{{/if}}</time></dd></div>
<div class="left" hidden><dt>Time left</dt><dd><span role="timer" aria-live="off"></span></dd></div>
</dl>
{{/if}}
</div>
<p class="again"><a href="">{{#if readOnly}}Continue reading{{else}}Try again{{/if}}</a>
{{#unless readOnly}}
<span class="hint">This page comes back by itself when the maintenance is over.</span>
{{/unless}}
</p>
<p role="status"></p>
</main>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;

const createCspHash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/**
 * The Content-Security-Policy of {@link DEFAULT_PAGE} and of `plainPage()`: their own style and script, requests to
 * their own origin, and nothing else. An application may frame its own pages, so it may frame this one.
 */
export const DEFAULT_PAGE_CSP = [
  "default-src 'none'",
  `style-src ${createCspHash(PAGE_STYLE)}`,
  `script-src ${createCspHash(PAGE_SCRIPT)}`,
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ');
