import { chownSync, mkdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The user that runs the servers where tests run as root. */
const UNPRIVILEGED_ID = 65534;

/** A disk of a few MiB in memory. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  /**
   * Mounts a disk that a server may write. Requires root: `undefined` without it; with CI set, that is an error.
   *
   * @param folder - is empty, or does not exist yet
   */
  static mount(folder: string, megabytes: number): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true });
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], {
      encoding: 'utf8',
    });
    if (status === 0) {
      if (process.getuid?.() === 0) chownSync(folder, UNPRIVILEGED_ID, UNPRIVILEGED_ID);
      return new SmallDisk(folder);
    }
    if (process.env.CI === 'true') throw new Error(`a small disk could not be mounted: ${stderr}`);
    process.stderr.write(`skipped: the full disk, because a small one could not be mounted: ${stderr}`);
    return undefined;
  }

  /** Leaves no byte free. */
  async fill(): Promise<void> {
    const file = await open(join(this.folder, 'filler'), 'w');
    try {
      for (;;) await file.write(Buffer.alloc(4_096));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      await file.close();
    }
  }

  async empty(): Promise<void> {
    await rm(join(this.folder, 'filler'));
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.folder]);
  }
}
