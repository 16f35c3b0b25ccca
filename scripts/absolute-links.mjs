/**
 * Makes the relative links and pictures of a page at the top of the repository absolute, for places where the other
 * files are missing: the page of the package on npm, and the notes of a release.
 *
 * @param text - Markdown
 * @param manifest - the package.json of the library; the links lead to the files of its version
 */
export function makeLinksAbsolute(text, { homepage, version }) {
  const repository = homepage.replace(/#.*/, '');
  const addRaw = (start) => `${start}${repository}/raw/v${version}/`;
  return text
    .replace(/!\[[^\]]*\]\((?!https?:|#)/g, addRaw)
    .replace(/\b(?:src|srcset)="(?!https?:)/g, addRaw)
    .replace(/\]\((?!https?:|#)/g, (start) => `${start}${repository}/blob/v${version}/`);
}
