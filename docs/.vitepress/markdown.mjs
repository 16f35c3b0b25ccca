import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ROOT, getRewrites } from './pages.mjs';

/**
 * Resolves relative links as GitHub does, by the place of the file in the repository: links to pages lead to the path
 * of the page on the site, links to other files, such as sources, to the repository.
 */
export function resolveLinks(markdown, repositoryUrl) {
  const pages = getRewrites();
  const renderLink = markdown.renderer.rules.link_open;
  markdown.renderer.rules.link_open = (tokens, index, options, env, self) => {
    const token = tokens[index];
    const href = token.attrGet('href') ?? '';
    if (!/^([a-z]+:|#|\/)/.test(href)) {
      const [target, hash] = href.split('#');
      const path = join(dirname(env.realPath ?? env.path), decodeURIComponent(target));
      const file = relative(ROOT, path);
      // A missing file stays as it is, so that the build reports it.
      if (file in pages) token.attrSet('href', `/${pages[file]}${hash ? `#${hash}` : ''}`);
      else if (existsSync(path)) token.attrSet('href', repositoryUrl ? `${repositoryUrl}/blob/main/${file}` : '#');
    }
    return renderLink(tokens, index, options, env, self);
  };
}

/** Returns the anchor of a heading as GitHub writes it, so that a link to it works in both places. */
export function toGitHubAnchor(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** Keeps Vue from evaluating braces in inline code, such as `{{message}}` of a Handlebars template. */
export function showBraces(markdown) {
  const renderCode = markdown.renderer.rules.code_inline;
  markdown.renderer.rules.code_inline = (tokens, index, options, env, self) => {
    tokens[index].attrSet('v-pre', '');
    return renderCode(tokens, index, options, env, self);
  };
}
