/** An address as numbers of 16 bits: two for IPv4, eight for IPv6. */
export type IpAddress = readonly number[];

/** The length of the longest address in characters: IPv6 with an embedded IPv4 address. */
const MAX_ADDRESS_LENGTH = 45;

/**
 * Parses an address. It runs for each request that a window covers, so it looks at each character once; `ipaddr.js`
 * takes fifty times as long.
 *
 * @param text - IPv4 as four decimal numbers, since programs read "10.1" and "012.0.0.1" as different addresses; IPv6
 *   in each form of RFC 4291, section 2.2, without a zone
 * @returns `null` for any other text
 */
export function parseIpAddress(text: string): IpAddress | null {
  if (text.length > MAX_ADDRESS_LENGTH) return null;
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text, 0);
}

/** Whether an address is an IPv4-mapped IPv6 address: the last two of its numbers are one of IPv4. */
export function isIpv4Mapped(address: IpAddress): boolean {
  return address.length === 8 && address[5] === 0xffff && address.every((group, index) => index > 4 || group === 0);
}

/**
 * Parses the address of a client as Node and adapters return it. An IPv4-mapped IPv6 address counts as IPv4, and a zone
 * is ignored.
 *
 * @returns `null` for any other text
 */
export function parseClientAddress(text: string): IpAddress | null {
  const address = parseIpAddress(stripZone(text));
  return address !== null && isIpv4Mapped(address) ? address.slice(6) : address;
}

/**
 * Returns the address of a client as it is written in a list of addresses: IPv4 in its short form, without a zone.
 *
 * @returns `null` for a text that is not an address
 */
export function normalizeClientAddress(text: string): string | null {
  const address = parseClientAddress(text);
  if (address === null) return null;
  return address.length === 2 ? address.flatMap((group) => [group >> 8, group & 0xff]).join('.') : stripZone(text);
}

function stripZone(text: string): string {
  const zone = text.indexOf('%');
  return zone === -1 ? text : text.slice(0, zone);
}

function parseIpv6(text: string): IpAddress | null {
  const gap = text.indexOf('::');
  if (gap === -1) {
    const groups = parseGroups(text, 0, text.length);
    return groups?.length === 8 ? groups : null;
  }
  const first = parseGroups(text, 0, gap);
  const last = parseGroups(text, gap + 2, text.length);
  if (first === null || last === null || first.length + last.length >= 8) return null;
  // The deprecated `::10.0.0.1` is read as `::ffff:10.0.0.1`.
  if (gap === 0 && last.length === 2 && text.indexOf(':', 2) === -1) last.unshift(0xffff);
  for (let missing = 8 - first.length - last.length; missing > 0; missing--) first.push(0);
  for (const group of last) first.push(group);
  return first;
}

/** Parses hexadecimal numbers with colons between; an IPv4 address may stand at the end of the text. */
function parseGroups(text: string, start: number, end: number): number[] | null {
  const groups: number[] = [];
  let next = start;
  while (next < end) {
    const colon = text.indexOf(':', next);
    const groupEnd = colon === -1 ? end : colon;
    const group = groupEnd - next <= 4 ? parseNumber(text, next, groupEnd, 16) : NaN;
    if (Number.isNaN(group)) {
      const embedded = groupEnd === text.length ? parseIpv4(text, next) : null;
      return embedded && groups.concat(embedded);
    }
    groups.push(group);
    next = groupEnd + 1;
    // A colon at the end separates nothing.
    if (next === end) return null;
  }
  return groups;
}

function parseIpv4(text: string, start: number): number[] | null {
  const octets: number[] = [];
  let next = start;
  while (next <= text.length) {
    const dot = text.indexOf('.', next);
    const end = dot === -1 ? text.length : dot;
    const hasLeadingZero = end - next > 1 && text[next] === '0';
    const octet = hasLeadingZero ? NaN : parseNumber(text, next, end, 10);
    if (!(octet <= 255)) return null;
    octets.push(octet);
    next = end + 1;
  }
  const [a = 0, b = 0, c = 0, d = 0] = octets;
  return octets.length === 4 ? [(a << 8) | b, (c << 8) | d] : null;
}

/** Parses digits, in upper or lower case; NaN for any other text. */
function parseNumber(text: string, start: number, end: number, radix: 10 | 16): number {
  let value = start === end ? NaN : 0;
  for (let index = start; index < end; index++) value = value * radix + parseDigit(text.charCodeAt(index), radix);
  return value;
}

function parseDigit(code: number, radix: 10 | 16): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return radix === 16 && letter >= 97 && letter <= 102 ? letter - 87 : NaN;
}
