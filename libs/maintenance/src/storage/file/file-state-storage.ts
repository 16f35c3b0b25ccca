import { rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isBlank } from '../../core/foreign-content.js';
import { REPORT_TTL_MS, type InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { parseState } from '../../core/state-format.js';
import type { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import { getErrorCode } from '../error-code.js';
import { parseStateAtUrl, serializeStoredState } from '../state-codec.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
import { createConflictError, createOversizedContentError, describeConflict } from '../storage-errors.js';
import { followLinks, hashContent, readContent, type FileContent } from './file-content.js';
import { nullIfMissing, toFileError } from './file-errors.js';
import { lockFile } from './file-lock.js';
import { isFinished, readReports, removeFinishedReports, writeReport } from './file-reports.js';
import { FileWatcher } from './file-watcher.js';
import { findTemporaryFiles, keepCorruptCopy, replaceFile } from './replace-file.js';

/** A write waits so many milliseconds for other writers, then continues without the lock. */
const LOCK_TIMEOUT_MS = 5_000;

/** Settings of a {@link FileStateStorage}. */
export interface FileStateStorageOptions {
  /**
   * How long the report of an instance counts, in milliseconds.
   *
   * @defaultValue 100000
   */
  reportTtl?: number;
}

/**
 * Stores the state in a file, for any number of processes on one machine. For several machines use S3 or Redis, not a
 * network file system.
 *
 * A write replaces the file atomically and resolves when a power cut can't undo it. An existing file keeps its owner,
 * its mode and the symbolic links to it. The folder has to exist. A new file is readable by its owner only; if root
 * creates it, that is the owner of the folder. Reading never writes: an application that only reads needs no more than
 * a read-only mount.
 *
 * @example
 * ```ts
 * MaintenanceModule.forRoot({ storage: new FileStateStorage('/var/lib/shop/maintenance-state.json') });
 * ```
 */
export class FileStateStorage implements StateStorage {
  /** Always `'file'`. */
  readonly kind = 'file';
  /** The absolute path of the file. */
  readonly location: string;
  /**
   * The copy that the last write kept of content that was not a state.
   *
   * @internal
   */
  keptAs: string | undefined;
  private readonly reportTtl: number;
  /** Whether the folder of the reports is removed with them: one that an operator has created keeps its rights. */
  private hasCreatedReportFolder = false;
  private readonly watches = new Set<FileWatcher>();
  private lastWrite: Promise<unknown> = Promise.resolve();

  /**
   * @param path - of the file, absolute or relative to the working directory; the file need not exist
   * @param options - settings
   */
  constructor(path: string, options: FileStateStorageOptions = {}) {
    this.location = resolve(path);
    this.reportTtl = options.reportTtl ?? REPORT_TTL_MS;
  }

  /**
   * Reads the state, as JSON or just `1` or `0`.
   *
   * @returns `null` if the file does not exist
   * @throws {@link MaintenanceStorageError} `corrupt`, `denied` or `unavailable`
   */
  async read(): Promise<VersionedState | null> {
    // Before the content is read, so that no change is missed in between.
    await Promise.all([...this.watches].map((watch) => watch.ensure()));
    const content = await this.readContent();
    if (!content) return null;
    const { version, text } = content;
    if (text === undefined) throw createOversizedContentError(version, this.location);
    return parseStateAtUrl(text, version, this.location);
  }

  /**
   * Writes the state if the file still has the version `ifVersion`. Waits up to 8 seconds for other writers. Content
   * that is replaced and was not a state is kept as `<file>.corrupt-<time>`.
   *
   * @returns the new version
   * @throws {@link MaintenanceStorageError} `conflict`, `denied` or `unavailable`; the old content is unchanged then
   */
  write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const deadline = performance.now() + LOCK_TIMEOUT_MS;
    // Writes of one process queue here, in order, instead of all polling the lock.
    const write = this.lastWrite.then(() => this.replace(next, ifVersion, deadline));
    this.lastWrite = write.catch(() => undefined);
    return write;
  }

  /**
   * Calls back when the file changes. A folder that is created or recreated later is watched from the next read on.
   *
   * @returns a function that ends the watch
   */
  async watch(changed: () => void): Promise<() => Promise<void>> {
    // The target of a link is replaced in its own folder.
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
   * Stores the report of an instance in the folder `.<file>.instances`, and removes expired reports. Where no state is
   * stored, the instance that shuts down last removes all reports: tests and first tries leave no files.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async report(report: InstanceReport): Promise<void> {
    const folder = await this.findReportFolder();
    try {
      if (await writeReport(folder, report, this.reportTtl)) this.hasCreatedReportFolder = true;
    } catch (error) {
      throw toFileError(error, 'write to', folder);
    }
    if (isFinished(report)) await this.removeUnneededReports(folder).catch(() => undefined); // they expire
  }

  /**
   * Returns the reports that have not expired. Broken ones are ignored.
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
    const bytes = serializeStoredState(next, this.location);
    this.keptAs = undefined;
    const expectVersion = async (): Promise<void> => void (await this.expectVersion(ifVersion));
    await expectVersion();
    const target = await this.findTarget();
    try {
      const release = await lockFile(target, deadline, expectVersion);
      try {
        await expectVersion();
        for (const leftover of await findTemporaryFiles(target)) await rm(leftover, { force: true });
        await replaceFile(target, bytes, {
          durable: true,
          // Two writers can't both pass, even without the lock: each creates its temporary file before it looks for
          // others, so the later one sees the file of the earlier, or a new version after its rename. A writer whose
          // temporary file was removed by another has nothing left to rename.
          beforeRename: async (temporary) => {
            const temporaries = await findTemporaryFiles(target);
            const isAlone = temporaries.length === 1 && temporaries[0] === temporary;
            if (!isAlone) throw this.createOvertakenError();
            const content = await this.expectVersion(ifVersion);
            if (content && !isState(content)) this.keptAs = await keepCorruptCopy(target);
          },
        });
      } finally {
        await release();
      }
    } catch (error) {
      throw this.toWriteError(error, target);
    }
    return hashContent(bytes);
  }

  // A drain reads reports only while a state is stored, or in an instance that reports itself. So after the last report
  // has been written, either it is found, or nothing waits for this instance.
  private async removeUnneededReports(folder: string): Promise<void> {
    const isStored = (await nullIfMissing(stat(this.location))) !== null;
    if (!isStored) await removeFinishedReports(folder, this.reportTtl, this.hasCreatedReportFolder);
  }

  private async expectVersion(version: string | null): Promise<FileContent | null> {
    const content = await this.readContent();
    if ((content?.version ?? null) !== version) {
      throw createConflictError(this.location, describeConflict(content === null));
    }
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
    // With a leading dot, so that nodemon and pm2 do not watch the folder.
    return join(dirname(target), `.${basename(target)}.instances`);
  }

  private toWriteError(error: unknown, target: string): MaintenanceStorageError {
    // Another writer removed the temporary file: see `beforeRename`.
    const isOvertaken = getErrorCode(error) === 'ENOENT' && (error as NodeJS.ErrnoException).syscall === 'rename';
    if (isOvertaken) return this.createOvertakenError(error);
    // Replacing a file needs write access to its folder; only EBUSY is about the file, which is a mount point.
    return toFileError(error, 'write to', getErrorCode(error) === 'EBUSY' ? target : dirname(target));
  }

  private createOvertakenError(cause?: unknown): MaintenanceStorageError {
    return createConflictError(this.location, 'another writer changed it during the write', cause);
  }
}

/** Whether a file contains a state, or nothing that is worth keeping. */
function isState({ text }: FileContent): boolean {
  if (text === undefined) return false;
  try {
    return isBlank(text) || parseState(text) !== undefined;
  } catch {
    return false;
  }
}
