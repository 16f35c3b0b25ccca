import { rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isBlank } from '../../core/foreign-content.js';
import { REPORT_TTL_MS, type InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { parseState, serializeState } from '../../core/state-format.js';
import { followLinks, MAX_STATE_BYTES, readContent, hashContent, type FileContent } from './file-content.js';
import { getErrorCode, toFileError } from './file-errors.js';
import { lockFile } from './file-lock.js';
import { keepCorruptCopy, replaceFile, findTemporaryFiles } from './replace-file.js';
import { readReports, writeReport } from './file-reports.js';
import { FileWatcher } from './file-watcher.js';
import { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
import { parseStateAtUrl, createTooLargeError } from '../parse-stored-state.js';

/** Milliseconds that a write waits for other writers. */
const LOCK_TIMEOUT_MS = 8000;

/** Settings of a {@link FileStateStorage}. */
export interface FileStateStorageOptions {
  /** Milliseconds after which the report of an instance that wrote no other is forgotten. Default: 100000. */
  reportTtl?: number;
}

/**
 * Keeps the state in a file: for one machine, where any number of processes may read and write it. For several
 * machines, and instead of a network file system, use S3 or Redis.
 *
 * A write replaces the file as a whole and returns when a power cut can't undo it. An existing file keeps its owner and
 * mode; a link to it stays. The folder has to exist. A new file can be read by its owner only, who is the folder's
 * owner where root makes it. Reading writes nothing: a read-only mount is enough for an application that only reads.
 *
 * @example
 * ```ts
 * MaintenanceModule.forRoot({ storage: new FileStateStorage('/var/lib/shop/maintenance-state.json') });
 * ```
 */
export class FileStateStorage implements StateStorage {
  readonly kind = 'file';
  /** The absolute path of the file. */
  readonly location: string;
  /**
   * Where the last write has kept what was not a state.
   *
   * @internal
   */
  keptAs: string | undefined;
  private readonly reportTtl: number;
  private readonly watches = new Set<FileWatcher>();
  private lastWrite: Promise<unknown> = Promise.resolve();

  /** @param path - of the file, absolute or from the working directory; the file need not exist */
  constructor(path: string, options: FileStateStorageOptions = {}) {
    this.location = resolve(path);
    this.reportTtl = options.reportTtl ?? REPORT_TTL_MS;
  }

  /**
   * Reads the state, as JSON or just `1` or `0`.
   *
   * @throws {@link MaintenanceStorageError} `corrupt`, `denied` or `unavailable`
   */
  async read(): Promise<VersionedState | null> {
    // Before the content, so that no change falls between the two.
    await Promise.all([...this.watches].map((watch) => watch.ensure()));
    const content = await this.readContent();
    if (!content) return null;
    const { version, text } = content;
    if (text === undefined) throw createTooLargeError(MAX_STATE_BYTES, version, this.location);
    return parseStateAtUrl(text, version, this.location);
  }

  /**
   * Writes the state if the file still holds `ifVersion`. Waits up to 8 seconds for other processes that write. What is
   * replaced and was no state is kept beside the file, as `<file>.corrupt-<time>`.
   *
   * @throws {@link MaintenanceStorageError} `conflict`, `denied` or `unavailable`; then the old content stands
   */
  write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const deadline = performance.now() + LOCK_TIMEOUT_MS;
    // Writers of one process wait for each other here, in order, instead of all polling the lock.
    const write = this.lastWrite.then(() => this.replace(next, ifVersion, deadline));
    this.lastWrite = write.catch(() => undefined);
    return write;
  }

  /** Calls back on changes of the file. A folder that comes later, or anew, is watched from the read that follows. */
  async watch(changed: () => void): Promise<() => Promise<void>> {
    // A link's target is replaced in its own folder.
    const target = await followLinks(this.location).catch(() => this.location);
    const watches = [...new Set([this.location, target])].map((path) => new FileWatcher(path, changed));
    for (const watch of watches) this.watches.add(watch);
    await Promise.all(watches.map((watch) => watch.ensure()));
    return async () => {
      for (const watch of watches) {
        this.watches.delete(watch);
        watch.close();
      }
    };
  }

  /**
   * Keeps the record of an instance in the folder `.<file>.instances`, and removes those of instances that have gone.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async report(report: InstanceReport): Promise<void> {
    const folder = await this.findReportFolder();
    await writeReport(folder, report, this.reportTtl).catch((error: unknown) => {
      throw toFileError(error, 'write to', folder);
    });
  }

  /**
   * The records of the instances that reported within the time to live. Broken ones are left out.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async reports(): Promise<InstanceReport[]> {
    const folder = await this.findReportFolder();
    return readReports(folder, this.reportTtl).catch((error: unknown) => {
      throw toFileError(error, 'read', folder);
    });
  }

  private async replace(next: MaintenanceState, ifVersion: string | null, deadline: number): Promise<string> {
    const bytes = Buffer.from(serializeState(next));
    if (bytes.length > MAX_STATE_BYTES) throw this.createTooLargeError(bytes.length);
    this.keptAs = undefined;
    const expectVersion = async (): Promise<void> => void (await this.expectVersion(ifVersion));
    await expectVersion();
    const target = await this.findTarget();
    try {
      const lock = await lockFile(target, deadline, expectVersion);
      try {
        await expectVersion();
        for (const leftover of await findTemporaryFiles(target)) await rm(leftover, { force: true });
        await replaceFile(target, bytes, {
          durable: true,
          // Two writers that both believe to hold the lock can't both pass: each made its temporary file before it
          // looked for others, so the later one sees the earlier, or finds its rename done and another version. And a
          // writer that stood still while others removed its temporary file has nothing left to rename.
          beforeRename: async (temporary) => {
            const temporaries = await findTemporaryFiles(target);
            const alone = temporaries.length === 1 && temporaries[0] === temporary;
            if (lock.isLost || !alone)
              throw this.createConflictError('another process took over the lock during the write');
            const content = await this.expectVersion(ifVersion);
            if (content && !isState(content)) this.keptAs = await keepCorruptCopy(target);
          },
        });
      } finally {
        await lock.release();
      }
    } catch (error) {
      throw this.toWriteError(error, target);
    }
    return hashContent(bytes);
  }

  private async expectVersion(version: string | null): Promise<FileContent | null> {
    const content = await this.readContent();
    if ((content?.version ?? null) !== version)
      throw this.createConflictError(content === null ? 'it is gone' : 'somebody else has written it meanwhile');
    return content;
  }

  private async readContent(): Promise<FileContent | null> {
    try {
      return await readContent(this.location);
    } catch (error) {
      throw toFileError(error, 'read', this.location);
    }
  }

  private async findTarget(): Promise<string> {
    try {
      return await followLinks(this.location);
    } catch (error) {
      throw toFileError(error, 'read', this.location);
    }
  }

  private async findReportFolder(): Promise<string> {
    const target = await this.findTarget();
    // With a dot in front: watchers (nodemon, pm2) leave such folders alone.
    return join(dirname(target), `.${basename(target)}.instances`);
  }

  private toWriteError(error: unknown, target: string): MaintenanceStorageError {
    // Somebody removed the temporary file: see beforeRename.
    const outrun = getErrorCode(error) === 'ENOENT' && (error as NodeJS.ErrnoException).syscall === 'rename';
    if (outrun) return this.createConflictError('another process took over the lock during the write', error);
    // Replacing a file is a change of its folder, except that a file mounted by itself is what is in the way.
    return toFileError(error, 'write to', getErrorCode(error) === 'EBUSY' ? target : dirname(target));
  }

  private createConflictError(reason: string, cause?: unknown): MaintenanceStorageError {
    const message = `${this.location} was not written: ${reason}. Read it again and decide anew.`;
    return new MaintenanceStorageError('conflict', message, { cause });
  }

  private createTooLargeError(size: number): MaintenanceStorageError {
    const message =
      `${this.location} was not written: the state has ${size} bytes, and ${MAX_STATE_BYTES} are the most. ` +
      'End windows that are no longer needed.';
    return new MaintenanceStorageError('unavailable', message);
  }
}

/** Whether there is a state in a file, or nothing that is worth keeping. */
function isState({ text }: FileContent): boolean {
  if (text === undefined) return false;
  try {
    return isBlank(text) || parseState(text) !== undefined;
  } catch {
    return false;
  }
}
