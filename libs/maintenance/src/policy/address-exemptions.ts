import ipaddr from 'ipaddr.js';
import { memoize } from '../utils/memoize.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The length of the longest address, in characters: IPv6 with an embedded IPv4 address. */
const MAX_ADDRESS_LENGTH = 45;

/**
 * Compiles `exempt.ips`. A look-up costs one step per prefix length in use, however many blocks are listed, and less
 * for a client that has sent a request before.
 *
 * @param entries - addresses and CIDR blocks, IPv4 and IPv6
 * @returns a function that tells whether an address is listed; an IPv4-mapped IPv6 address counts as IPv4
 * @throws Error that names the entry which is neither an address nor a block
 */
export function compileAddresses(entries: readonly string[]): (address: string | undefined) => boolean {
  const blocks = { ipv4: new Map<number, Set<string>>(), ipv6: new Map<number, Set<string>>() };
  for (const entry of entries) {
    const [network, length] = parseBlock(entry);
    const networks = blocks[network.kind()];
    const known = networks.get(length) ?? new Set();
    networks.set(length, known.add(maskBytes(toBytes(network), length)));
  }
  const isListed = (address: string): boolean => {
    const client = parseClientAddress(address);
    if (!client) return false;
    const bytes = toBytes(client);
    for (const [length, networks] of blocks[client.kind()]) if (networks.has(maskBytes(bytes, length))) return true;
    return false;
  };
  // Parsing is the most expensive step, and most clients send many requests.
  const isKnown = memoize(isListed, MAX_ADDRESS_LENGTH);
  return (address) => address !== undefined && isKnown(address);
}

function parseBlock(entry: string): [Address, number] {
  const [address = '', length, ...rest] = entry.trim().split('/');
  const network = parseAddress(address);
  if (!network || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length)))
    throw new Error(describeInvalidEntry(entry));
  const bits = network.kind() === 'ipv4' ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) throw new Error(describeInvalidEntry(entry));
  if (network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && prefix >= 96) {
    return [network.toIPv4Address(), prefix - 96];
  }
  return [network, prefix];
}

function describeInvalidEntry(entry: string): string {
  return `${JSON.stringify(entry)} is neither an IP address nor a CIDR block such as 10.0.0.0/8 or 2001:db8::/32`;
}

// Accepts four decimal parts only: programs read "10.1" and "012.0.0.1" as different addresses.
function parseAddress(address: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return ipaddr.IPv4.parse(address);
  if (!address.includes(':') || address.includes('%')) return undefined;
  try {
    return ipaddr.IPv6.parse(address);
  } catch {
    return undefined;
  }
}

function parseClientAddress(address: string): Address | undefined {
  const zone = address.indexOf('%');
  const parsed = parseAddress(zone === -1 ? address : address.slice(0, zone));
  return parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed;
}

/** Returns a string with one character per byte. */
function toBytes(address: Address): string {
  return String.fromCharCode(...address.toByteArray());
}

function maskBytes(bytes: string, length: number): string {
  const whole = length >> 3;
  const rest = length & 7;
  const prefix = bytes.slice(0, whole);
  return rest === 0 ? prefix : prefix + String.fromCharCode(bytes.charCodeAt(whole) & (0xff << (8 - rest)));
}
