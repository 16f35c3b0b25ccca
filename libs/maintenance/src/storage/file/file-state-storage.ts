import { rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isBlank } from '../../core/foreign-content.js';
import { REPORT_TTL, type InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { parseState, serializeState } from '../../core/state-format.js';
import { followLinks, LARGEST_STATE, readContent, versionOf, type FileContent } from './file-content.js';
import { codeOf, fileError } from './file-errors.js';
import { lockFile } from './file-lock.js';
import { keepBeside, replaceFile, temporariesOf } from './file-replacement.js';
import { readReports, writeReport } from './file-reports.js';
import { FileWatch } from './file-watch.js';
import { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
import { parseStateAtUrl, tooLargeContent } from '../parse-stored-state.js';

/** Milliseconds that a write waits for other writers. */
const PATIENCE = 8000;

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
  private readonly watches = new Set<FileWatch>();
  private lastWrite: Promise<unknown> = Promise.resolve();

  /** @param path - of the file, absolute or from the working directory; the file need not exist */
  constructor(path: string, options: FileStateStorageOptions = {}) {
    this.location = resolve(path);
    this.reportTtl = options.reportTtl ?? REPORT_TTL;
  }

  /**
   * Reads the state, as JSON or just `1` or `0`.
   *
   * @throws {@link MaintenanceStorageError} `corrupt`, `denied` or `unavailable`
   */
  async read(): Promise<VersionedState | null> {
    // Before the content, so that no change falls between the two.
    await Promise.all([...this.watches].map((watch) => watch.ensure()));
    const content = await this.content();
    if (!content) return null;
    const { version, text } = content;
    if (text === undefined) throw tooLargeContent(LARGEST_STATE, version, this.location);
    return parseStateAtUrl(text, version, this.location);
  }

  /**
   * Writes the state if the file still holds `ifVersion`. Waits up to 8 seconds for other processes that write. What is
   * replaced and was no state is kept beside the file, as `<file>.corrupt-<time>`.
   *
   * @throws {@link MaintenanceStorageError} `conflict`, `denied` or `unavailable`; then the old content stands
   */
  write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const deadline = performance.now() + PATIENCE;
    // Writers of one process wait for each other here, in order, instead of all polling the lock.
    const write = this.lastWrite.then(() => this.replace(next, ifVersion, deadline));
    this.lastWrite = write.catch(() => undefined);
    return write;
  }

  /** Calls back on changes of the file. A folder that comes later, or anew, is watched from the read that follows. */
  async watch(changed: () => void): Promise<() => Promise<void>> {
    // A link's target is replaced in its own folder.
    const target = await followLinks(this.location).catch(() => this.location);
    const watches = [...new Set([this.location, target])].map((path) => new FileWatch(path, changed));
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
    const folder = await this.reportFolder();
    await writeReport(folder, report, this.reportTtl).catch((error: unknown) => {
      throw fileError(error, 'write to', folder);
    });
  }

  /**
   * The records of the instances that reported within the time to live. Broken ones are left out.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async reports(): Promise<InstanceReport[]> {
    const folder = await this.reportFolder();
    return readReports(folder, this.reportTtl).catch((error: unknown) => {
      throw fileError(error, 'read', folder);
    });
  }

  private async replace(next: MaintenanceState, ifVersion: string | null, deadline: number): Promise<string> {
    const bytes = Buffer.from(serializeState(next));
    if (bytes.length > LARGEST_STATE) throw this.tooLarge(bytes.length);
    this.keptAs = undefined;
    const expectVersion = async (): Promise<void> => void (await this.expectVersion(ifVersion));
    await expectVersion();
    const target = await this.target();
    try {
      const lock = await lockFile(target, deadline, expectVersion);
      try {
        await expectVersion();
        for (const leftover of await temporariesOf(target)) await rm(leftover, { force: true });
        await replaceFile(target, bytes, {
          durable: true,
          // Two writers that both believe to hold the lock can't both pass: each made its temporary file before it
          // looked for others, so the later one sees the earlier, or finds its rename done and another version. And a
          // writer that stood still while others removed its temporary file has nothing left to rename.
          beforeRename: async (temporary) => {
            const temporaries = await temporariesOf(target);
            const alone = temporaries.length === 1 && temporaries[0] === temporary;
            if (lock.lost || !alone) throw this.conflict('another process took over the lock during the write');
            const content = await this.expectVersion(ifVersion);
            if (content && !isState(content)) this.keptAs = await keepBeside(target);
          },
        });
      } finally {
        await lock.release();
      }
    } catch (error) {
      throw this.writeError(error, target);
    }
    return versionOf(bytes);
  }

  private async expectVersion(version: string | null): Promise<FileContent | null> {
    const content = await this.content();
    if ((content?.version ?? null) !== version)
      throw this.conflict(content === null ? 'it is gone' : 'somebody else has written it meanwhile');
    return content;
  }

  private async content(): Promise<FileContent | null> {
    try {
      return await readContent(this.location);
    } catch (error) {
      throw fileError(error, 'read', this.location);
    }
  }

  private async target(): Promise<string> {
    try {
      return await followLinks(this.location);
    } catch (error) {
      throw fileError(error, 'read', this.location);
    }
  }

  private async reportFolder(): Promise<string> {
    const target = await this.target();
    // With a dot in front: watchers (nodemon, pm2) leave such folders alone.
    return join(dirname(target), `.${basename(target)}.instances`);
  }

  private writeError(error: unknown, target: string): MaintenanceStorageError {
    // Somebody removed the temporary file: see beforeRename.
    const outrun = codeOf(error) === 'ENOENT' && (error as NodeJS.ErrnoException).syscall === 'rename';
    if (outrun) return this.conflict('another process took over the lock during the write', error);
    // Replacing a file is a change of its folder, except that a file mounted by itself is what is in the way.
    return fileError(error, 'write to', codeOf(error) === 'EBUSY' ? target : dirname(target));
  }

  private conflict(reason: string, cause?: unknown): MaintenanceStorageError {
    const message = `${this.location} was not written: ${reason}. Read it again and decide anew.`;
    return new MaintenanceStorageError('conflict', message, { cause });
  }

  private tooLarge(size: number): MaintenanceStorageError {
    const message =
      `${this.location} was not written: the state has ${size} bytes, and ${LARGEST_STATE} are the most. ` +
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
