import { isIpv4Mapped, parseClientAddress, parseIpAddress, type IpAddress } from './ip-address.js';

/** The addresses of one block or of several that overlap. */
interface AddressRange {
  first: IpAddress;
  last: IpAddress;
}

/** Tells whether an address is listed; an IPv4-mapped IPv6 address counts as IPv4. */
export type AddressMatcher = (address: string | undefined) => boolean;

/**
 * Compiles addresses and blocks into sorted ranges, so that a look-up takes as many steps as the number of blocks has
 * binary digits. `BlockList` of Node.js compares an address with each block.
 *
 * @param entries - addresses and CIDR blocks, IPv4 and IPv6
 * @throws Error that names the entry which is neither an address nor a block
 */
export function compileAddresses(entries: readonly string[]): AddressMatcher {
  const ranges = entries.map(toBlock);
  const ipv4 = sortRanges(ranges.filter(({ first }) => first.length === 2));
  const ipv6 = sortRanges(ranges.filter(({ first }) => first.length === 8));
  return (text) => {
    const address = text === undefined ? null : parseClientAddress(text);
    return address !== null && isInRanges(address.length === 2 ? ipv4 : ipv6, address);
  };
}

/** Whether a text is an address or a CIDR block that {@link compileAddresses} takes. */
export function isAddressOrBlock(entry: string): boolean {
  return parseBlock(entry) !== null;
}

/**
 * Describes an entry that is neither an address nor a block.
 *
 * @param shown - the entry, in quotes
 */
export function describeInvalidAddress(shown: string): string {
  return `${shown} is neither an IP address nor a CIDR block such as 10.0.0.0/8 or 2001:db8::/32`;
}

function toBlock(entry: string): AddressRange {
  const block = parseBlock(entry);
  if (block === null) throw new Error(describeInvalidAddress(JSON.stringify(entry)));
  return block;
}

function parseBlock(entry: string): AddressRange | null {
  const [text = '', length, ...rest] = entry.trim().split('/');
  const network = parseIpAddress(text);
  if (!network || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) return null;
  const bits = 16 * network.length;
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) return null;
  return isIpv4Mapped(network) && prefix >= 96 ? toRange(network.slice(6), prefix - 96) : toRange(network, prefix);
}

/** @param prefix - the number of leading bits that all addresses of the block have in common */
function toRange(network: IpAddress, prefix: number): AddressRange {
  const hostMasks = network.map((_, index) => 0xffff >> Math.min(Math.max(prefix - 16 * index, 0), 16));
  return {
    first: network.map((group, index) => group & ~hostMasks[index]!),
    last: network.map((group, index) => group | hostMasks[index]!),
  };
}

/** Sorts ranges, and leaves out those that lie in another: two blocks either do so or have no address in common. */
function sortRanges(ranges: AddressRange[]): AddressRange[] {
  const sorted: AddressRange[] = [];
  // Of blocks that begin alike, the largest comes first.
  ranges.sort((a, b) => compareAddresses(a.first, b.first) || compareAddresses(b.last, a.last));
  for (const range of ranges) {
    const previous = sorted.at(-1);
    if (!previous || compareAddresses(range.first, previous.last) > 0) sorted.push(range);
  }
  return sorted;
}

function isInRanges(sorted: readonly AddressRange[], address: IpAddress): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { first, last } = sorted[middle]!;
    if (compareAddresses(address, first) < 0) high = middle;
    else if (compareAddresses(address, last) > 0) low = middle + 1;
    else return true;
  }
  return false;
}

/** Compares addresses of one version, as a function for `sort()` does. */
function compareAddresses(a: IpAddress, b: IpAddress): number {
  for (let index = 0; index < a.length; index++) {
    const difference = a[index]! - b[index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
