import { readdir, rm, stat } from 'node:fs/promises';
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

/** Writes the report of an instance into `folder`, and removes reports that are older than `ttl` milliseconds. */
export async function writeReport(folder: string, report: InstanceReport, ttl: number): Promise<void> {
  await makeFolder(folder);
  const name = createReportName(report.id);
  await replaceFile(join(folder, name), Buffer.from(formatReport(report)), { durable: false });
  for (const entry of await readdir(folder)) {
    if (entry !== name && (await isExpired(folder, entry, ttl))) await rm(join(folder, entry), { force: true });
  }
}

/** Returns the reports in `folder` that are younger than `ttl` milliseconds; none if the folder does not exist. */
export async function readReports(folder: string, ttl: number): Promise<InstanceReport[]> {
  const entries = (await nullIfMissing(readdir(folder))) ?? [];
  const names = entries.filter((entry) => RECORD_NAME_PATTERN.test(entry)).sort();
  const records = await Promise.all(names.map((name) => readRecord(join(folder, name))));
  return records.flatMap((record) => (record && isRecordCurrent(record, ttl) ? [record.report] : []));
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
