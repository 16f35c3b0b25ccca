import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isCurrent, type InstanceReport } from '../../core/instance-report.js';
import { readContent } from './file-content.js';
import { getErrorCode } from '../error-code.js';
import { createReportName, formatReport, parseReport } from '../report-codec.js';
import { nullIfMissing } from './file-errors.js';
import { makeFolder, replaceFile } from './replace-file.js';

interface FileRecord {
  report: InstanceReport;
  /** When the file was written, in milliseconds since the epoch. */
  writtenAt: number;
}

// Without an extension: nodemon and Jest watch `*.json`, and would restart the application for each report.
const RECORD_NAME_PATTERN = /^[\w-]+$/;

/** How often a report is written where other processes remove the empty folder meanwhile. */
const MAX_WRITE_ATTEMPTS = 3;

/**
 * Writes the report of an instance into `folder`, and removes reports that are older than `ttl` milliseconds.
 *
 * @returns whether it created the folder
 */
export async function writeReport(folder: string, report: InstanceReport, ttl: number): Promise<boolean> {
  const name = createReportName(report.id);
  const isCreated = await replaceRecord(folder, name, formatReport(report));
  for (const entry of (await nullIfMissing(readdir(folder))) ?? []) {
    if (entry !== name && (await isExpired(folder, entry, ttl))) await rm(join(folder, entry), { force: true });
  }
  return isCreated;
}

/** Whether an instance has shut down and left no request in flight. */
export function isFinished({ stopped, inFlight }: InstanceReport): boolean {
  return stopped === true && inFlight === 0;
}

/**
 * Removes the reports of all instances if every instance is finished.
 *
 * @param andFolder - whether to remove the folder too, unless it contains anything else
 */
export async function removeFinishedReports(folder: string, ttl: number, andFolder: boolean): Promise<void> {
  const reports = await readReports(folder, ttl);
  if (!reports.every(isFinished)) return;
  for (const { id } of reports) await rm(join(folder, createReportName(id)), { force: true });
  if (andFolder) await rmdir(folder);
}

/** Returns the reports in `folder` that are younger than `ttl` milliseconds; none if the folder does not exist. */
export async function readReports(folder: string, ttl: number): Promise<InstanceReport[]> {
  const entries = (await nullIfMissing(readdir(folder))) ?? [];
  const names = entries.filter((entry) => RECORD_NAME_PATTERN.test(entry)).sort();
  const records = await Promise.all(names.map((name) => readRecord(join(folder, name))));
  return records.flatMap((record) => (record && isRecordCurrent(record, ttl) ? [record.report] : []));
}

async function replaceRecord(folder: string, name: string, text: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      const isCreated = await makeFolder(folder);
      await replaceFile(join(folder, name), Buffer.from(text), { durable: false });
      return isCreated;
    } catch (error) {
      if (getErrorCode(error) !== 'ENOENT' || attempt === MAX_WRITE_ATTEMPTS) throw error;
    }
  }
}

async function isExpired(folder: string, entry: string, ttl: number): Promise<boolean> {
  const isRecord = RECORD_NAME_PATTERN.test(entry);
  if (!isRecord && !entry.endsWith('.tmp')) return false;
  const path = join(folder, entry);
  const record = isRecord ? await readRecord(path) : undefined;
  if (record) return !isRecordCurrent(record, ttl);
  // A broken report, or the temporary file of a killed process: only the file system knows its age.
  const stats = await nullIfMissing(stat(path));
  return stats !== null && stats.mtimeMs < Date.now() - ttl;
}

function isRecordCurrent({ report, writtenAt }: FileRecord, ttl: number): boolean {
  return isCurrent(report, Date.now(), ttl, writtenAt);
}

async function readRecord(path: string): Promise<FileRecord | undefined> {
  try {
    const [content, stats] = await Promise.all([readContent(path), nullIfMissing(stat(path))]);
    const report = content && parseReport(content.text);
    return report && stats ? { report, writtenAt: stats.mtimeMs } : undefined;
  } catch (error) {
    // Not a regular file, but a folder, a socket (ENXIO) or a pipe.
    const code = getErrorCode(error);
    if (code === undefined || code === 'EISDIR' || code === 'ENXIO') return undefined;
    throw error;
  }
}
