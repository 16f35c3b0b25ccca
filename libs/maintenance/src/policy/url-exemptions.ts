import { pathToRegexp } from 'path-to-regexp';

/**
 * Compiles the paths that stay reachable.
 *
 * @param patterns - paths in Nest's route syntax, or regular expressions that have to match a whole path
 * @returns whether a path in normal form is one of them
 * @throws Error with a sentence that names the pattern that can't be used
 */
export function compilePaths(patterns: readonly (string | RegExp)[]): (path: string) => boolean {
  const fixed = new Set<string>();
  const expressions: RegExp[] = [];
  for (const pattern of patterns) {
    if (pattern instanceof RegExp) expressions.push(whole(pattern));
    else if (/^[\w\-./~]+$/.test(pattern)) fixed.add(normalize(pattern));
    else expressions.push(compile(pattern));
  }
  return (path) => fixed.has(path) || expressions.some((expression) => expression.test(path));
}

function compile(pattern: string): RegExp {
  try {
    return pathToRegexp(normalize(pattern), { sensitive: true, trailing: false }).regexp;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the path ${JSON.stringify(pattern)} is not in Nest's route syntax (${reason}); everything below /docs is written "/docs/{*rest}"`,
      { cause: error },
    );
  }
}

function whole({ source, flags }: RegExp): RegExp {
  // The flags g and y would make a match depend on the one before.
  return new RegExp(`^(?:${source})$`, flags.replace(/[gy]/g, ''));
}

// As in Nest's decorators, a path may come without its first slash. Requests are compared decoded, so patterns are too.
function normalize(pattern: string): string {
  const path = pattern.includes('%') ? decodeURI(pattern) : pattern;
  const absolute = path.startsWith('/') || path.startsWith('{/') ? path : `/${path}`;
  return absolute.length > 1 && absolute.endsWith('/') ? absolute.slice(0, -1) : absolute;
}
