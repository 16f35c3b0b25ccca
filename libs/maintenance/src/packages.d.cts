import type * as Cookie from 'cookie';
import type * as Croner from 'croner' with { 'resolution-mode': 'import' };
import type Negotiator from 'negotiator';
import type onHeaders from 'on-headers';
import type * as PathToRegexp from 'path-to-regexp';
import type vary from 'vary';

/** Loads the package when it is first called: the start of an application does not wait for it. */
export function loadCookie(): typeof Cookie;
/** Loads the package when it is first called: only windows that recur need it. */
export function loadCroner(): typeof Croner;
/** Loads the package when it is first called. */
export function loadNegotiator(): typeof Negotiator;
/** Loads the package when it is first called. */
export function loadOnHeaders(): typeof onHeaders;
/** Loads the package when it is first called. */
export function loadPathToRegexp(): typeof PathToRegexp;
/** Loads the package when it is first called. */
export function loadVary(): typeof vary;
/**
 * Loads a module of the application, an ES module or CommonJS.
 *
 * @param url - its URL
 * @param path - its path, for Jest, which has no `import()`
 */
export function importModule(url: string, path: string): Promise<Record<string, unknown>>;
