import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

describe('FileStateStorage', () => {
  it('installs no signal handlers and patches no Node.js API', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'side-effects-'));
    try {
      const program = [join(__dirname, 'reader.mjs'), join(folder, 'state.json')];
      const { stdout } = await promisify(execFile)(process.execPath, program);
      expect(JSON.parse(stdout)).toEqual({ listeners: [], patched: [] });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
