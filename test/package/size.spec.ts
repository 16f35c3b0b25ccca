import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

interface Packed {
  size: number;
  entryCount: number;
}

const ROOT = resolve(__dirname, '../..');

it('packs at most 195 KB in 60 files', () => {
  const output = execFileSync('npm', ['pack', '-w', 'nestjs-maintenance', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ size, entryCount }] = JSON.parse(output) as [Packed];
  expect(size).toBeLessThanOrEqual(195_000);
  expect(entryCount).toBeLessThanOrEqual(60);
});
