import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BIN, folderWith, run } from '../cli/program.js';

it('turns maintenance on and off on a file system without fsync and futimes', async () => {
  const cwd = folderWith();
  const program = ['--import', join(__dirname, 'patched-fs.mjs'), BIN];
  expect(await run(['on'], { cwd, program })).toMatchObject({ code: 0, stderr: '' });
  expect(await run(['status'], { cwd, program })).toMatchObject({ code: 3 });
  expect(await run(['off'], { cwd, program })).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(readFileSync(join(cwd, 'maintenance-state.json'), 'utf8'))).toMatchObject({ windows: [] });
});
