import type { PageContext } from './page-context.js';
import { PAGE_SCRIPT, PAGE_STYLE } from './page-assets.js';
import type { PageTexts } from './page-texts.js';

/** The name of a value in the layout. */
export type ValueName = Extract<keyof PageContext, string>;

/** How the values and the conditions of the layout are written: rendered at once, or as a template. */
export interface LayoutSyntax {
  /** A value of the context, escaped; nothing for `null`. */
  value: (name: ValueName) => string;
  /** A text of the language, escaped. */
  text: (name: keyof PageTexts) => string;
  /** A part of a line that is there if a value is. */
  inline: (name: ValueName, content: string, otherwise?: string) => string;
  /** Whole lines that are there if a value is, each with its line break. */
  lines: (name: ValueName, content: string, otherwise?: string) => string;
}

/** Returns the rule with the color of the application, which follows the style of the page. */
export function getAccentRule(accent: string, onAccent: string): string {
  return `:root{--accent:${accent};--on-accent:${onAccent};}`;
}

/**
 * Creates the maintenance page. It needs nothing from outside: no asset, no font, no icon.
 *
 * An open page takes over the element with `data-status` if the window was changed meanwhile.
 *
 * @param syntax - how values and conditions are written
 */
export function createLayout({ value, text, inline, lines }: LayoutSyntax): string {
  return `<!doctype html>
<html lang="${value('lang')}" dir="${value('dir')}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${lines('readOnly', '', `<noscript><meta http-equiv="refresh" content="${value('refreshSeconds')}"></noscript>\n`)}\
<title>${value('title')}${inline('name', ` – ${value('name')}`)}</title>
<link rel="icon" href="data:,">
<style>${PAGE_STYLE}${inline('accent', getAccentRule(value('accent'), value('onAccent')))}</style>
</head>
<body>
<main data-soon="${text('anyMoment')}" data-changed="${text('endChanged')}" data-opening="${text('opening')}" \
data-accepted="${text('acceptedAgain')}">
${lines(
  'logo',
  `<p class="brand"><img src="${value('logo')}" alt="${value('name')}"></p>\n`,
  lines('name', `<p class="brand">${value('name')}</p>\n`),
)}\
<div data-status="${value('statusCode')}" data-mode="${value('mode')}" data-starts-at="${value('startsAt')}" \
data-ends-at="${value('endsAt')}" data-retry-after="${value('retryAfter')}" \
data-left="${inline('secondsLeft', value('secondsLeft'), value('retryAfter'))}">
<svg viewBox="0 0 48 48" aria-hidden="true"><circle class="ring" cx="24" cy="24" r="22"/>\
<circle class="arc" cx="24" cy="24" r="22" pathLength="1" stroke-dasharray=".125 1" transform="rotate(-90 24 24)"/></svg>
<h1>${value('title')}</h1>
<p class="message" dir="auto"${inline('messageLanguage', ` lang="${value('messageLanguage')}"`)}>${value('message')}</p>
${lines('readOnly', `<p class="note">${text('readOnlyNote')}</p>\n`)}\
${lines(
  'endsAt',
  `<dl>
<div><dt>${text('expectedEnd')}</dt><dd><time datetime="${value('endsAt')}">${value('endsAtText')}</time></dd></div>
<div class="left" hidden><dt>${text('timeLeft')}</dt><dd><span role="timer" aria-live="off"></span></dd></div>
</dl>
`,
)}\
</div>
<p class="again"><a href="">${inline('readOnly', text('continueReading'), text('tryAgain'))}</a>
${lines('readOnly', '', `<span class="hint">${text('returnsByItself')}</span>\n`)}\
</p>
${lines(
  'hasLinks',
  `<p class="links">
${lines('statusUrl', `<a href="${value('statusUrl')}">${text('status')}</a>\n`)}\
${lines('supportUrl', `<a href="${value('supportUrl')}">${text('support')}</a>\n`)}\
</p>
`,
)}\
<p role="status"></p>
</main>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}
