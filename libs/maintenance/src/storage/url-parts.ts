import { mayQueryHoldPassword } from '../utils/redact-credentials.js';

/** Formats a host and a port. An IPv6 address is put in brackets. */
export function formatHost(host: string, port: number | string): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Encodes a text for the path or the query of a URL. Characters that need no encoding stay readable. */
export function encodeUrlPart(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are among those to encode
  return text.replace(/[%&#+@?\s\u0000-\u001f\u007f]/g, (character) => encodeURIComponent(character));
}

/**
 * Asserts that a URL has known parameters only, each at most once and not empty.
 *
 * @param refuse - creates the error, without the credentials of the URL
 */
export function assertUrlParameters(url: string, known: readonly string[], refuse: (reason: string) => Error): void {
  const { searchParams } = new URL(url);
  for (const name of new Set(searchParams.keys())) {
    if (!known.includes(name)) {
      const shown = mayQueryHoldPassword(url)
        ? 'an unknown parameter'
        : `the unknown parameter ${JSON.stringify(name)}`;
      throw refuse(`has ${shown}`);
    }
    if (searchParams.getAll(name).length > 1 || searchParams.get(name) === '') {
      throw refuse(`must have at most one ${name}, which is not empty`);
    }
  }
}
