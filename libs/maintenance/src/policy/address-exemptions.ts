import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Compiles addresses and CIDR blocks. A look-up costs one step for each prefix length in use, however many blocks there are.
 *
 * @param entries - addresses and CIDR blocks, IPv4 and IPv6
 * @returns whether an address is one of them or in one of the blocks; an IPv4-mapped IPv6 address counts as IPv4
 * @throws Error with a sentence that names the entry that can't be used
 */
export function compileAddresses(entries: readonly string[]): (address: string | undefined) => boolean {
  const blocks = { ipv4: new Map<number, Set<string>>(), ipv6: new Map<number, Set<string>>() };
  for (const entry of entries) {
    const [network, length] = parseBlock(entry);
    const ofKind = blocks[network.kind()];
    const known = ofKind.get(length) ?? new Set();
    ofKind.set(length, known.add(masked(network, length)));
  }
  if (entries.length === 0) return () => false;
  return (address) => {
    const client = address === undefined ? undefined : parseClient(address);
    if (!client) return false;
    for (const [length, networks] of blocks[client.kind()]) if (networks.has(masked(client, length))) return true;
    return false;
  };
}

function parseBlock(entry: string): [Address, number] {
  const [address = '', length, ...rest] = entry.trim().split('/');
  const network = parseStrictly(address);
  if (!network || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length)))
    throw new Error(unusable(entry));
  const bits = network.kind() === 'ipv4' ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) throw new Error(unusable(entry));
  if (network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && prefix >= 96) {
    return [network.toIPv4Address(), prefix - 96];
  }
  return [network, prefix];
}

function unusable(entry: string): string {
  return `${JSON.stringify(entry)} is neither an IP address nor a CIDR block such as 10.0.0.0/8 or 2001:db8::/32`;
}

// Four decimal parts only: "10.1" and "012.0.0.1" mean different addresses to different programs.
function parseStrictly(address: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return ipaddr.IPv4.parse(address);
  return ipaddr.IPv6.isValid(address) && !address.includes('%') ? ipaddr.IPv6.parse(address) : undefined;
}

function parseClient(address: string): Address | undefined {
  const zone = address.indexOf('%');
  const parsed = parseStrictly(zone === -1 ? address : address.slice(0, zone));
  return parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed;
}

function masked(address: Address, length: number): string {
  const bytes = address.toByteArray();
  const whole = length >> 3;
  let key = '';
  for (let index = 0; index < whole; index++) key += String.fromCharCode(bytes[index] as number);
  const rest = length & 7;
  return rest === 0 ? key : key + String.fromCharCode((bytes[whole] as number) & (0xff << (8 - rest)));
}
