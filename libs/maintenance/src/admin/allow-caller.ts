import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { formatValue } from '../utils/format-value.js';
import { normalizeClientAddress } from '../utils/ip-address.js';
import type { BodyRequest } from './json-body.js';

/**
 * Returns the address of the caller if the window is to admit it.
 *
 * @param allowMe - the member of the body
 * @returns `undefined` if it is not to be admitted
 * @throws {@link InvalidWindowError} if the address is unknown, or that of a proxy, through which all clients come
 */
export function findCallerToAllow(allowMe: unknown, { ip, headers }: BodyRequest): string | undefined {
  if (allowMe === undefined || allowMe === false) return undefined;
  if (allowMe !== true) throw new InvalidWindowError(`\`allowMe\` must be true or false, not ${formatValue(allowMe)}.`);
  const address = ip === undefined ? null : normalizeClientAddress(ip);
  if (address === null)
    throw new InvalidWindowError('`allowMe`: the address of the caller is not known. Name it in `allowIps`.');
  const forwarded = headers['x-forwarded-for'];
  if (
    forwarded !== undefined &&
    !forwarded.split(',').some((entry) => normalizeClientAddress(entry.trim()) === address)
  )
    throw new InvalidWindowError(
      `\`allowMe\`: ${address} is the address of a proxy, through which other clients come too. Let the application ` +
        'trust the proxy (`trust proxy` on Express, `trustProxy` on Fastify), or name your address in `allowIps`.',
    );
  return address;
}
