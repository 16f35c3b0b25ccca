import { createHash } from 'node:crypto';
import type { PanelConfig } from './panel-state.js';

/** The document of the panel, in parts: only its configuration differs between requests. */
export interface PanelAssets {
  style: string;
  script: string;
}

/** Renders the document of the panel. It contains nothing secret and nothing that anybody has written. */
export function renderPanelDocument({ style, script }: PanelAssets, config: PanelConfig): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>Maintenance</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<div id="panel"></div>
<noscript>The panel needs JavaScript. Without it, turn maintenance on and off with <code>npx nestjs-maintenance</code>.</noscript>
<script type="application/json" id="panel-config">${JSON.stringify(config).replaceAll('<', '\\u003c')}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

/**
 * Returns the headers of the document. The policy admits its own script and style, and requests to its own origin.
 *
 * @param pageStyles - the styles of the maintenance page: a preview in a frame has the policy of the panel
 */
export function createPanelHeaders({ style, script }: PanelAssets, pageStyles: string[]): Record<string, string> {
  const policy = [
    "default-src 'none'",
    `script-src ${createHashSource(script)}`,
    `style-src ${[...new Set([style, ...pageStyles].map(createHashSource))].join(' ')}`,
    'img-src data:',
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    // The name is that of the policy in client/page-preview.tsx, the only place that makes HTML of a text.
    "require-trusted-types-for 'script'",
    'trusted-types maintenance-panel',
  ];
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Content-Security-Policy': policy.join('; '),
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    'X-Robots-Tag': 'noindex',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    // With `no-referrer`, some browsers send `Origin: null` for the requests of the page.
    'Referrer-Policy': 'same-origin',
  };
}

/** Returns the styles inside a page. */
export function findStyles(html: string): string[] {
  return [...html.matchAll(/<style[^>]*>([^]*?)<\/style>/gi)].map(([, style]) => style!);
}

function createHashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
