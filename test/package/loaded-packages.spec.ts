import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

interface Loaded {
  options: string;
  needed: string[];
  loaded: string[];
}

it('an application loads only packages that its options need', async () => {
  const program = resolve(__dirname, '../../bench/tools/loaded-packages.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  const found = JSON.parse(stdout) as Loaded[];
  expect(found.length).toBeGreaterThan(5);
  expect(found.map(({ options, loaded }) => [options, loaded])).toEqual(
    found.map(({ options, needed }) => [options, needed]),
  );
}, 120_000);
