import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { describeInvalidAddress, isAddressOrBlock } from '../utils/compile-addresses.js';
import { formatValue } from '../utils/format-value.js';

/** The number of addresses and blocks that a window admits, so that windows and their history fit into a state. */
const MAX_ALLOWED_IPS = 100;

/**
 * Parses the addresses and blocks that a window is to admit.
 *
 * @returns an empty list where the window is to admit none; `undefined` where nothing is given
 * @throws {@link InvalidWindowError} that names the entry which is neither an address nor a block
 */
export function parseAllowedIps(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (value === null) return [];
  if (!Array.isArray(value)) {
    throw new InvalidWindowError(
      `\`allowIps\` must be an array of IP addresses and CIDR blocks, not ${formatValue(value)}.`,
    );
  }
  const addresses = value.map((entry: unknown) => {
    if (typeof entry === 'string' && isAddressOrBlock(entry)) return entry.trim();
    throw new InvalidWindowError(`\`allowIps\`: ${describeInvalidAddress(formatValue(entry))}.`);
  });
  return assertCount([...new Set(addresses)]);
}

/**
 * Returns the addresses and blocks that a window admits after a change.
 *
 * @param fields - `allowIps` replaces the list, `allowIp` is added to it
 * @param before - the list so far, which is returned where it stays the same
 * @returns `undefined` for none
 * @throws {@link InvalidWindowError} for too many
 */
export function changeAllowedIps(
  { allowIps, allowIp }: { allowIps?: readonly string[]; allowIp?: string },
  before: readonly string[] = [],
): readonly string[] | undefined {
  const given = allowIps ?? before;
  const all = allowIp === undefined || given.includes(allowIp) ? given : [...given, allowIp];
  if (all.length === 0) return undefined;
  const isSame = all.length === before.length && all.every((address, index) => address === before[index]);
  return isSame ? before : assertCount(all);
}

function assertCount(addresses: readonly string[]): readonly string[] {
  if (addresses.length <= MAX_ALLOWED_IPS) return addresses;
  throw new InvalidWindowError(
    `\`allowIps\` has ${addresses.length} entries; a window admits at most ${MAX_ALLOWED_IPS}. ` +
      'Use CIDR blocks, or the option `exempt.ips`.',
  );
}
