import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ManualClock } from '../testing/manual-clock.js';
import { TryLimiter } from './try-limiter.js';

it('keeps its memory bounded, however many addresses send wrong tokens', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const limiter = new TryLimiter(new ManualClock('2030-12-01T02:00Z'));
  const record = (count: number): void => {
    for (let index = 0; index < count; index++)
      limiter.recordFailure(`2001:db8:${(index >> 16).toString(16)}:${(index & 0xffff).toString(16)}::1`);
  };
  record(10_000);
  collect();
  const before = process.memoryUsage().heapUsed;
  record(500_000);
  collect();
  // Half a million entries would take about 100 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
});
