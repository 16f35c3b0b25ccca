import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { nullIfMissing } from './file-errors.js';

/**
 * Watches one entry of a folder. Watches the folder and not the file, because a replaced file has another inode; and
 * again after the folder was created or recreated, which {@link FileWatcher.ensure} detects.
 */
export class FileWatcher {
  #watcher: FSWatcher | null = null;
  #inode: number | null = null;
  #isClosed = false;

  /**
   * @param path - the file; it need not exist, nor its folder
   * @param onChange - called when the file may have changed
   */
  constructor(
    private readonly path: string,
    private readonly onChange: () => void,
  ) {}

  /** Watches the current folder if it is not watched yet. Never rejects: the file is polled as well. */
  async ensure(): Promise<void> {
    const inode = (await nullIfMissing(stat(dirname(this.path))).catch(() => null))?.ino ?? null;
    if (this.#isClosed || (inode === this.#inode && this.#watcher)) return;
    this.#watcher?.close();
    this.#watcher = inode === null ? null : this.#open();
    this.#inode = inode;
  }

  /** Ends the watch. */
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
      // The system has no watches left, or the folder was just deleted.
      return null;
    }
  }
}
