import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { nullIfMissing } from './file-errors.js';

/**
 * Watches one entry of a folder. The folder, because a file that is replaced has another inode; and again whenever the folder is
 * made, or made anew: {@link ensure} finds that out.
 */
export class FileWatcher {
  #watcher: FSWatcher | null = null;
  #inode: number | null = null;
  #isClosed = false;

  constructor(
    private readonly path: string,
    private readonly onChange: () => void,
  ) {}

  /** Makes sure that the folder that is there now is watched. Never rejects: whoever watches reads from time to time as well. */
  async ensure(): Promise<void> {
    const inode = (await nullIfMissing(stat(dirname(this.path))).catch(() => null))?.ino ?? null;
    if (this.#isClosed || (inode === this.#inode && this.#watcher)) return;
    this.#watcher?.close();
    this.#watcher = inode === null ? null : this.#open();
    this.#inode = inode;
  }

  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    this.#watcher = null;
  }

  #open(): FSWatcher | null {
    const name = basename(this.path);
    try {
      const watcher = watch(dirname(this.path), { persistent: false }, (_event, entry) => {
        if (entry === null || entry === name) this.onChange();
      });
      watcher.on('error', () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = null;
      });
      return watcher;
    } catch {
      // No watches are left in the system, or the folder went in this moment.
      return null;
    }
  }
}
