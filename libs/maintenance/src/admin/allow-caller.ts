import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { formatValue } from '../utils/format-value.js';
import { findCallerAddress, type AddressedRequest } from './admin-caller.js';

/**
 * Returns the address of the caller if the window is to admit it.
 *
 * @param allowMe - the member of the body
 * @returns `undefined` if it is not to be admitted
 * @throws {@link InvalidWindowError} if the address is unknown, or that of a proxy, through which all clients come
 */
export function findCallerToAllow(allowMe: unknown, request: AddressedRequest): string | undefined {
  if (allowMe === undefined || allowMe === false) return undefined;
  if (allowMe !== true) throw new InvalidWindowError(`\`allowMe\` must be true or false, not ${formatValue(allowMe)}.`);
  const { address, isProxy } = findCallerAddress(request);
  if (address === null)
    throw new InvalidWindowError('`allowMe`: the address of the caller is not known. Name it in `allowIps`.');
  if (isProxy)
    throw new InvalidWindowError(
      `\`allowMe\`: ${address} is the address of a proxy, through which other clients come too. Let the application ` +
        'trust the proxy (`trust proxy` on Express, `trustProxy` on Fastify), or name your address in `allowIps`.',
    );
  return address;
}
