import { loadPathToRegexp } from '../packages.cjs';
import { memoize } from '../utils/memoize.js';

/** The length up to which the result for a path is cached, in characters: longer paths rarely come twice. */
const MAX_CACHED_PATH_LENGTH = 256;

/**
 * Compiles `exempt.urls`. A pattern is tried only on paths that begin with the same segment, so that a long list costs
 * little.
 *
 * @param patterns - paths in Nest's route syntax, or regular expressions that have to match a whole path
 * @returns a function that tells whether a path in normal form matches
 * @throws Error that names the pattern which is not in Nest's route syntax
 */
export function compilePaths(patterns: readonly (string | RegExp)[]): (path: string) => boolean {
  const fixed = new Set<string>();
  const below = new Map<string, RegExp[]>();
  const anywhere: RegExp[] = [];
  for (const pattern of patterns) {
    if (pattern instanceof RegExp) anywhere.push(anchorPattern(pattern));
    else if (/^[\w\-./~]+$/.test(pattern)) fixed.add(normalizePattern(pattern));
    else {
      const { expression, segment } = compilePattern(pattern);
      if (segment === null) anywhere.push(expression);
      else below.set(segment, [...(below.get(segment) ?? []), expression]);
    }
  }
  const matches = (expressions: readonly RegExp[] | undefined, path: string): boolean =>
    expressions?.some((expression) => expression.test(path)) === true;
  if (below.size === 0 && anywhere.length === 0) return (path) => fixed.has(path);
  const isListed = (path: string): boolean =>
    fixed.has(path) || matches(below.get(getFirstSegment(path)), path) || matches(anywhere, path);
  return memoize(isListed, MAX_CACHED_PATH_LENGTH);
}

/** @returns `segment`: the first segment of every path that matches; `null` where that differs */
function compilePattern(pattern: string): { expression: RegExp; segment: string | null } {
  const { parse, pathToRegexp } = loadPathToRegexp();
  try {
    const path = normalizePattern(pattern);
    const [first] = parse(path).tokens;
    const text = first?.type === 'text' ? first.value : '';
    // A text that ends within the first segment may continue with a parameter.
    const segment = text.indexOf('/', 1) === -1 ? null : getFirstSegment(text);
    return { expression: pathToRegexp(path, { sensitive: true, trailing: false }).regexp, segment };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the path ${JSON.stringify(pattern)} is not in Nest's route syntax (${reason}); ` +
        'everything below /docs is written "/docs/{*rest}"',
      { cause: error },
    );
  }
}

/** Returns `/docs` for `/docs/a/b`. */
function getFirstSegment(path: string): string {
  const end = path.indexOf('/', 1);
  return end === -1 ? path : path.slice(0, end);
}

function anchorPattern({ source, flags }: RegExp): RegExp {
  // With the flag m, ^ and $ would also match at a line separator within the path. With g or y, a match would depend
  // on the one before.
  return new RegExp(`^(?:${source})$`, flags.replace(/[gmy]/g, ''));
}

// As in Nest's decorators, a path may come without its first slash. Requests are compared decoded, so patterns are too.
function normalizePattern(pattern: string): string {
  const path = pattern.includes('%') ? decodeURI(pattern) : pattern;
  const absolute = path.startsWith('/') || path.startsWith('{/') ? path : `/${path}`;
  return absolute.length > 1 && absolute.endsWith('/') ? absolute.slice(0, -1) : absolute;
}
