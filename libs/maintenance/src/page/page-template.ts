import { createLayout } from './page-layout.js';

const EXPLANATION = `{{!--
  The built-in maintenance page of nestjs-maintenance as a Handlebars template. Set \`response.template\` to its path.

  lang, dir           the language of the reader, such as "de", and its direction
  texts               the texts of the page in this language: texts.tryAgain, texts.expectedEnd, ...
  title, message      the heading, and the message of the window; messageLanguage if it is another one
  mode, readOnly      "full" or "read-only"; true for a read-only window
  startsAt, endsAt    ISO 8601 in UTC; endsAtText is the end in words
  retryAfter, secondsLeft, refreshSeconds, statusCode, scope
  name, logo, accent, onAccent, supportUrl, statusUrl, hasLinks
                      the options in \`response.page\`
  and the members that \`response.context\` adds.

  The script shows the end in the time zone of the reader and a countdown, and opens the application again once
  maintenance is over. It needs the element with \`data-status\`, the attributes of \`main\`, and \`[role=status]\`.
--}}
`;

/** Creates the Handlebars template that renders the same as the built-in page. */
export function createPageTemplate(): string {
  const layout = createLayout({
    value: (name) => `{{${name}}}`,
    text: (name) => `{{texts.${name}}}`,
    inline: (name, content, otherwise = '') => write(name, content, otherwise, ''),
    lines: (name, content, otherwise = '') => write(name, content, otherwise, '\n'),
  });
  return EXPLANATION + layout;
}

/** @param lineBreak - follows each tag that stands in a line of its own, which Handlebars leaves out */
function write(name: string, content: string, otherwise: string, lineBreak: string): string {
  if (content === '') return `{{#unless ${name}}}${lineBreak}${otherwise}{{/unless}}${lineBreak}`;
  const alternative = otherwise === '' ? '' : `{{else}}${lineBreak}${otherwise}`;
  return `{{#if ${name}}}${lineBreak}${content}${alternative}{{/if}}${lineBreak}`;
}
