import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { isIpv4Mapped, parseIpAddress } from './ip-address.js';

it.each([
  ['10.0.0.1', [0x0a00, 0x0001]],
  ['2001:db8::1', [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]],
  ['2001:DB8:0:0:0:0:0:1', [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]],
  ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
  ['1:2:3:4:5:6:7::', [1, 2, 3, 4, 5, 6, 7, 0]],
  ['64:ff9b::192.0.2.33', [0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0x0221]],
  ['::ffff:10.0.0.1', [0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0001]],
  ['::10.0.0.1', [0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0001]],
])('reads %j', (text, address) => {
  expect(parseIpAddress(text)).toEqual(address);
});

it.each([
  '',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '0x1.2.3.4',
  '1.2.3.+4',
  ' 1.2.3.4',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4::5:6:7:8',
  '1::00002',
  '1::g',
  '1.2.3.4::',
  '::1.2.3.4:5',
  '::ffff:012.0.0.1',
  '[::1]',
  '::1%eth0',
  `::${'0'.repeat(50)}1.2.3.4`,
])('does not read %j', (text) => {
  expect(parseIpAddress(text)).toBeNull();
});

it.each([
  ['::ffff:10.0.0.1', true],
  ['::fffe:10.0.0.1', false],
  ['1::ffff:10.0.0.1', false],
  ['10.0.0.1', false],
])('knows whether %j is mapped: %s', (text, isMapped) => {
  expect(isIpv4Mapped(parseIpAddress(text)!)).toBe(isMapped);
});

/** Reads an address by `ipaddr.js`, but only what all programs read alike. */
function parseByLibrary(text: string): number[] | null {
  const embedded = text.slice(text.lastIndexOf(':') + 1);
  if (embedded.includes('.') && !ipaddr.IPv4.isValidFourPartDecimal(embedded)) return null;
  if (!text.includes(':'))
    return ipaddr.IPv4.isValidFourPartDecimal(text) ? toGroups(ipaddr.parse(text).toByteArray()) : null;
  return ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text).parts : null;
}

function toGroups([a = 0, b = 0, c = 0, d = 0]: number[]): number[] {
  return [a * 256 + b, c * 256 + d];
}

const group = fc.oneof(
  fc.integer({ min: 0, max: 0x1ffff }).map((value) => value.toString(16)),
  fc.constantFrom('0', '00', '0000', '00000', 'ffff', 'FFFF', ''),
);
const octet = fc.oneof(fc.nat(300).map(String), fc.constantFrom('0', '00', '01', '0x1', ''));
const ipv4 = fc.array(octet, { minLength: 3, maxLength: 5 }).map((octets) => octets.join('.'));
const ipv6 = fc
  .tuple(fc.array(group, { maxLength: 9 }), fc.constantFrom('', ':', '::'), fc.array(group, { maxLength: 5 }))
  .map(([head, colons, tail]) => head.join(':') + colons + tail.join(':'));
const mixed = fc.tuple(ipv6, fc.constantFrom('', ':', '::'), ipv4).map((parts) => parts.join(''));
const mapped = ipv4.map((text) => `::ffff:${text}`);
const characters = fc.string({ unit: fc.constantFrom(...'0123456789abcdefF:.x'), maxLength: 45 });

it('agrees with ipaddr.js', () => {
  const texts = fc
    .oneof(fc.ipV4(), fc.ipV6(), ipv4, ipv6, mixed, mapped, characters)
    .filter((text) => text.length <= 45);
  fc.assert(
    fc.property(texts, (text) => expect(parseIpAddress(text)).toEqual(parseByLibrary(text))),
    { numRuns: 2_000 },
  );
});
