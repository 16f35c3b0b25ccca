import { compilePaths } from './url-exemptions.js';

// Paths are compared decoded: a client sends %E2%80%A8 for the line separator.
const AROUND = ['/orders/\u2028/ping', '/ping\u2028/orders', '/orders/\u2029/ping\u2028', '/orders\u0085/ping'];

describe('compilePaths', () => {
  it.each(['', 'd', 'g', 'i', 'm', 's', 'u', 'v', 'y', 'gm', 'my', 'dgimsuy', 'dgimsvy'])(
    'matches only the whole path with the flags "%s"',
    (flags) => {
      for (const source of ['\\/ping', '^\\/ping$', '\\/ping|\\/pong', '^\\/ping|\\/pong$', '\\/(?:ping|pong)']) {
        const matches = compilePaths([new RegExp(source, flags)]);
        // Twice, with other paths in between: a match must not depend on the previous one.
        for (let round = 0; round < 2; round++) {
          expect([source, matches('/ping')]).toEqual([source, true]);
          for (const path of [...AROUND, '/pings', '/x/ping', '/ping/', '/pong/x', '/x/pong']) {
            expect([source, path, matches(path)]).toEqual([source, path, false]);
          }
        }
      }
    },
  );

  it('neither uses nor changes the lastIndex of the given expression', () => {
    const given = /\/ping/g;
    given.lastIndex = 3;
    const matches = compilePaths([given]);
    expect(['/ping', '/ping', '/ping/x'].map(matches)).toEqual([true, true, false]);
    expect(given.lastIndex).toBe(3);
  });
});
