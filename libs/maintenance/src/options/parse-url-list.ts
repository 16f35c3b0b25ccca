const REGEXP_LITERAL_PATTERN = /^\/((?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)\s*(?:,|$)/;
/** Characters and quantifiers that never occur in route syntax. */
const REGEXP_ONLY_PATTERN = /[\^$|\\()[\]+?]|\.\*|\{\d+(?:,\d*)?\}/;

/**
 * Parses a list of paths and RegExps, separated by commas. A RegExp is written as `/.../flags` and may contain commas.
 * Text that could be both, such as `/health/`, is a path.
 *
 * @param text - the list
 * @returns paths and RegExps
 * @throws TypeError that names an invalid RegExp
 */
export function parseUrlList(text: string): (string | RegExp)[] {
  const items: (string | RegExp)[] = [];
  for (let rest = text.trim(); rest !== '';) {
    const [literal, source, flags] = REGEXP_LITERAL_PATTERN.exec(rest) ?? [];
    if (literal !== undefined && source !== undefined && REGEXP_ONLY_PATTERN.test(source)) {
      items.push(createRegExp(source, flags ?? ''));
      rest = rest.slice(literal.length).trim();
      continue;
    }
    const comma = rest.indexOf(',');
    const item = (comma === -1 ? rest : rest.slice(0, comma)).trim();
    if (item) items.push(item);
    rest = comma === -1 ? '' : rest.slice(comma + 1).trim();
  }
  return items;
}

function createRegExp(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    throw new TypeError(`a list of paths and regular expressions; /${source}/${flags} is not a regular expression`, {
      cause: error,
    });
  }
}
