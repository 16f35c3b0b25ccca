import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isCurrent, type InstanceReport } from '../../core/instance-report.js';
import { readContent } from './file-content.js';
import { getErrorCode, nullIfMissing } from './file-errors.js';
import { makeFolder, replaceFile } from './replace-file.js';
import { parseReport } from '../parse-report.js';

interface FileRecord {
  report: InstanceReport;
  /** When the file was written, in milliseconds since the epoch. */
  writtenAt: number;
}

// Without an extension: watchers of a development machine (nodemon, jest) follow `*.json`, and would restart the
// application for each record.
const RECORD_NAME_PATTERN = /^[\w-]+$/;

/** Writes the record of one instance into `folder`, and removes records that nobody renewed for `ttl` milliseconds. */
export async function writeReport(folder: string, report: InstanceReport, ttl: number): Promise<void> {
  await makeFolder(folder);
  const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`);
  await replaceFile(join(folder, toRecordName(report.id)), bytes, { durable: false });
  for (const entry of await readdir(folder)) {
    if (await isExpired(folder, entry, ttl)) await rm(join(folder, entry), { force: true });
  }
}

/** The records in `folder` that are younger than `ttl` milliseconds; none where there is no such folder. */
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
  // A broken record, or what a killed process left of one, says nothing about its age itself.
  const stats = await nullIfMissing(stat(path));
  return stats !== null && stats.mtimeMs < Date.now() - ttl;
}

function isRecordCurrent({ report, writtenAt }: FileRecord, ttl: number): boolean {
  return isCurrent(report, Date.now(), ttl, writtenAt);
}

async function readRecord(path: string): Promise<FileRecord | undefined> {
  try {
    const [content, stats] = await Promise.all([readContent(path), nullIfMissing(stat(path))]);
    const report = content && parseReport(content.text ?? '');
    return report && stats ? { report, writtenAt: stats.mtimeMs } : undefined;
  } catch (error) {
    // Not a regular file: a folder, a socket (ENXIO), a pipe.
    const code = getErrorCode(error);
    if (code === undefined || code === 'EISDIR' || code === 'ENXIO') return undefined;
    throw error;
  }
}

// An id may hold what no file name can, and must not lead out of the folder.
function toRecordName(id: string): string {
  if (/^[\w-]{1,100}$/.test(id)) return id;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 16);
  return `${id.replace(/[^\w-]/g, '_').slice(0, 80)}-${hash}`;
}
