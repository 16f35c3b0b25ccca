import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'disk-'));
const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], {
  encoding: 'utf8',
});
const reason = error?.message ?? stderr;
if (status !== 0) {
  rmSync(folder, { recursive: true });
  if (process.env.CI === 'true') throw new Error(`a small disk could not be mounted: ${reason}`);
  process.stderr.write(`skipped: a small disk could not be mounted (${reason.trim()}), run as root\n`);
}

(status === 0 ? describe : describe.skip)('FileStateStorage on a failing disk', () => {
  const path = join(folder, 'state.json');
  const write = (name: string) =>
    spawnSync(process.execPath, [join(__dirname, 'writer.mjs'), path, name, '1'], { input: 'go\n', encoding: 'utf8' });

  afterAll(() => {
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  });

  it('keeps the old state and names the full disk if it fills up during a write', () => {
    expect(write('first').status).toBe(0);
    const before = readFileSync(path, 'utf8');
    const { bavail, bsize } = statfsSync(folder);
    const filler = join(folder, 'filler');
    // Leaves space for the lock and half of a state.
    writeFileSync(filler, Buffer.alloc(bavail * bsize - 50_000));
    const { stderr: message, status: failed } = write('second');
    expect(failed).toBe(1);
    expect(message).toContain(`ENOSPC: there is no space left for ${folder}`);
    expect(message).toContain("code: 'unavailable'");
    expect(readFileSync(path, 'utf8')).toBe(before);
    rmSync(filler);
    expect(write('third').status).toBe(0);
    expect(readFileSync(path, 'utf8')).not.toBe(before);
  });

  it('rejects a write as denied and names the file system that is mounted read-only', () => {
    const before = readFileSync(path, 'utf8');
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    const { stderr: message, status: failed } = write('fourth');
    expect(failed).toBe(1);
    expect(message).toContain(`EROFS: ${folder} is on a read-only file system`);
    expect(message).toContain("code: 'denied'");
    expect(readFileSync(path, 'utf8')).toBe(before);
  });
});
