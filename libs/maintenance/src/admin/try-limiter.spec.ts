import { ManualClock } from '../testing/manual-clock.js';
import { MAX_TRIES, MAX_TRIES_PER_ADDRESS, TRY_PERIOD_MS, TryLimiter } from './try-limiter.js';

const START = Date.parse('2030-12-01T02:00Z');

function fail(limiter: TryLimiter, times: number, ip: string | undefined): void {
  for (let index = 0; index < times; index++) limiter.recordFailure(ip);
}

describe('TryLimiter', () => {
  it('limits an address for the rest of the period', async () => {
    const clock = new ManualClock(START);
    const limiter = new TryLimiter(clock);
    fail(limiter, MAX_TRIES_PER_ADDRESS - 1, '203.0.113.1');
    expect(limiter.getWaitSeconds('203.0.113.1')).toBe(0);
    await clock.moveTo(START + 60_000);
    fail(limiter, 1, '203.0.113.1');
    expect(limiter.getWaitSeconds('203.0.113.1')).toBe((TRY_PERIOD_MS - 60_000) / 1000);
    expect(limiter.getWaitSeconds('203.0.113.2')).toBe(0);
    await clock.moveTo(START + TRY_PERIOD_MS);
    expect(limiter.getWaitSeconds('203.0.113.1')).toBe(0);
  });

  it.each([
    ['an IPv6 network of 64 bits', '2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:db8:1:3::1'],
    ['an IPv4 address written as IPv6', '203.0.113.1', '::ffff:203.0.113.1', '203.0.113.2'],
    ['an address with a zone', 'fe80::1%eth0', 'fe80::2%eth1', 'fe81::1'],
    ['addresses that are unknown', undefined as never, 'not an address', '203.0.113.1'],
  ])('counts %s as one', (_title, first, same, other) => {
    const limiter = new TryLimiter(new ManualClock(START));
    fail(limiter, MAX_TRIES_PER_ADDRESS, first);
    expect(limiter.getWaitSeconds(same)).toBeGreaterThan(0);
    expect(limiter.getWaitSeconds(other)).toBe(0);
  });

  it('limits all addresses together', () => {
    const limiter = new TryLimiter(new ManualClock(START));
    for (let host = 0; host < MAX_TRIES; host++) limiter.recordFailure(`203.0.113.${host}`);
    expect(limiter.getWaitSeconds('198.51.100.1')).toBe(TRY_PERIOD_MS / 1000);
  });

  it('starts again where the clock was set back', () => {
    let now = START;
    const limiter = new TryLimiter({ now: () => now, wake: () => () => undefined });
    fail(limiter, MAX_TRIES, '203.0.113.1');
    now -= 86_400_000;
    expect(limiter.getWaitSeconds('203.0.113.1')).toBe(0);
    fail(limiter, MAX_TRIES_PER_ADDRESS, '203.0.113.1');
    expect(limiter.getWaitSeconds('203.0.113.1')).toBe(TRY_PERIOD_MS / 1000);
  });
});
