import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

/** The limits of the package; docs/performance.md has what it contains. */
const MAX_FILES = 99;
const MAX_PACKED_BYTES = 485_000;

it('the package is as small as docs/performance.md states', async () => {
  const args = ['pack', '-w', 'nestjs-maintenance', '--dry-run', '--json'];
  const { stdout } = await promisify(execFile)('npm', args, { cwd: resolve(__dirname, '../..') });
  const [{ entryCount, size }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [
    { entryCount: number; size: number },
  ];
  expect(entryCount).toBeLessThanOrEqual(MAX_FILES);
  expect(size).toBeLessThanOrEqual(MAX_PACKED_BYTES);
}, 60_000);
