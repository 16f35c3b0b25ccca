import { isIpv4Mapped, parseIpAddress, type IpAddress } from './ip-address.js';

/** The addresses of one block or of several that overlap. */
interface AddressRange {
  first: IpAddress;
  last: IpAddress;
}

/**
 * Compiles `exempt.ips` into sorted ranges, so that a look-up takes as many steps as the number of blocks has binary
 * digits. `BlockList` of Node.js compares an address with each block.
 *
 * @param entries - addresses and CIDR blocks, IPv4 and IPv6
 * @returns a function that tells whether an address is listed; an IPv4-mapped IPv6 address counts as IPv4
 * @throws Error that names the entry which is neither an address nor a block
 */
export function compileAddresses(entries: readonly string[]): (address: string | undefined) => boolean {
  const ranges = entries.map(parseBlock);
  const ipv4 = sortRanges(ranges.filter(({ first }) => first.length === 2));
  const ipv6 = sortRanges(ranges.filter(({ first }) => first.length === 8));
  return (text) => {
    const address = text === undefined ? null : parseClientAddress(text);
    return address !== null && isInRanges(address.length === 2 ? ipv4 : ipv6, address);
  };
}

function parseBlock(entry: string): AddressRange {
  const [text = '', length, ...rest] = entry.trim().split('/');
  const network = parseIpAddress(text);
  if (!network || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length)))
    throw new Error(describeInvalidEntry(entry));
  const bits = 16 * network.length;
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) throw new Error(describeInvalidEntry(entry));
  return isIpv4Mapped(network) && prefix >= 96 ? toRange(network.slice(6), prefix - 96) : toRange(network, prefix);
}

function describeInvalidEntry(entry: string): string {
  return `${JSON.stringify(entry)} is neither an IP address nor a CIDR block such as 10.0.0.0/8 or 2001:db8::/32`;
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

function parseClientAddress(text: string): IpAddress | null {
  const zone = text.indexOf('%');
  const address = parseIpAddress(zone === -1 ? text : text.slice(0, zone));
  return address !== null && isIpv4Mapped(address) ? address.slice(6) : address;
}
