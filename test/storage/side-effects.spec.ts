import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

describe('FileStateStorage in a process that only reads', () => {
  it('installs no signal handlers and patches no Node.js API', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'side-effects-'));
    try {
      const program = [join(__dirname, 'reader.mjs'), join(folder, 'state.json')];
      const { stdout } = await promisify(execFile)(process.execPath, program);
      const { reading, writing } = JSON.parse(stdout);
      expect(reading).toEqual({ handlers: 0, patched: false });
      // The lock of the first write does both; if it no longer does, the check above proves nothing.
      expect(writing).toEqual({ handlers: 1, patched: true });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
