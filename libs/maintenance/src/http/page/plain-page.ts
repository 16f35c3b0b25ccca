import { PAGE_STYLE } from './page-style.js';

const HTML_ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => HTML_ENTITIES[character] ?? '');

/**
 * Renders a page without a template engine and without a script, for requests whose template or context fails. It has
 * the style and the Content-Security-Policy of the built-in page.
 */
export function renderPlainPage(page: { title: string; message: string; statusCode: number }): string {
  const title = escapeHtml(page.title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="60">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
<h1 dir="auto">${title}</h1>
<p class="message" dir="auto">${escapeHtml(page.message)}</p>
<p class="again"><a href="">Try again</a> <span class="hint">Status ${page.statusCode}</span></p>
</main>
</body>
</html>
`;
}
