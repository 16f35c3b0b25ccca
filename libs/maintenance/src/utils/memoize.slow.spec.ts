import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { memoize } from './memoize.js';

it('keeps no reference to the long string that a key was sliced from', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const isLong = memoize((text) => text.length > 100, 256);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < 5_000; index++) {
    const url = `/made-up-path-${index}?${'x'.repeat(12_000)}`;
    isLong(Buffer.from(url).toString('latin1').split('?')[0]!);
  }
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000);
  expect(isLong('/made-up-path-1')).toBe(false);
});
