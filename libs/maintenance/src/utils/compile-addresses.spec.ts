import { BlockList } from 'node:net';
import fc from 'fast-check';
import { compileAddresses } from './compile-addresses.js';

it.each([
  [['10.0.0.0/8'], '10.1.2.3', true],
  [['10.0.0.0/8'], '11.0.0.1', false],
  [['10.9.9.9/8'], '10.1.2.3', true],
  [['192.168.1.128/25'], '192.168.1.127', false],
  [['192.168.1.128/25'], '192.168.1.129', true],
  [['127.0.0.1'], '127.0.0.1', true],
  [['127.0.0.1'], '::ffff:127.0.0.1', true],
  [['::ffff:10.0.0.0/104'], '10.2.3.4', true],
  [['0.0.0.0/0'], '8.8.8.8', true],
  [['0.0.0.0/0'], '::1', false],
  [['::/0'], '2001:db8::1', true],
  [['2001:db8::/33'], '2001:db8:7fff::', true],
  [['2001:db8::/33'], '2001:db8:8000::', false],
  [['fe80::1'], 'fe80::1%eth0', true],
  [['10.0.0.0/8'], '::10.1.2.3', true],
  [['10.0.0.0/8'], '::ffff:012.1.2.3', false],
  [['::1'], '[::1]', false],
  [['10.0.0.0/8', '10.1.0.0/16', '10.0.0.0/16'], '10.200.0.1', true],
  [['10.1.0.0/16', '10.0.0.0/16', '10.1.2.3', '10.1.2.3'], '10.1.255.255', true],
  [['10.1.0.0/16', '10.0.0.0/16', '10.1.2.3'], '10.2.0.0', false],
  [[], '127.0.0.1', false],
  [['127.0.0.1'], undefined, false],
  [['127.0.0.1'], 'localhost', false],
  [['127.0.0.1'], '127.1', false],
])('evaluates %j for the address %s as %s', (entries, address, expected) => {
  expect(compileAddresses(entries)(address)).toBe(expected);
});

it.each([
  '',
  '10',
  '10.1',
  '10.0.0.256',
  '012.0.0.1',
  '10.0.0.0/',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '::1/129',
  'fe80::1%eth0',
  'host',
])('rejects the address %j', (entry) => {
  expect(() => compileAddresses([entry])).toThrow(/neither an IP address nor a CIDR block such as/);
});

it("agrees with Node's BlockList", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const block = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(
    fc.property(fc.array(block, { maxLength: 8 }), address, (blocks, client) => {
      const kind = (text: string): 'ipv6' | 'ipv4' => (text.includes(':') ? 'ipv6' : 'ipv4');
      // Unlike in BlockList, a mapped address counts as IPv4, and no IPv6 range contains an IPv4 address.
      const isMixed = (text: string): boolean =>
        text.includes(':') && (text.includes('.') || /^(::|0:0:0:0:0:)ffff:/i.test(text));
      fc.pre(!isMixed(client) && !blocks.some(([network]) => isMixed(network)));
      const list = new BlockList();
      for (const [network, length] of blocks) {
        if (kind(network) === kind(client)) list.addSubnet(network, length, kind(network));
      }
      const matches = compileAddresses(blocks.map(([network, length]) => `${network}/${length}`));
      expect(matches(client)).toBe(list.check(client, kind(client)));
    }),
    { numRuns: 500 },
  );
});
