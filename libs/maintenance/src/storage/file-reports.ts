import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDate } from '../state/dates.js';
import type { InstanceReport } from '../state/instance-report.js';
import { orNull } from './file-errors.js';
import { makeFolder, replaceFile } from './file-replacement.js';

/** Writes the record of one instance into `folder`, and removes records that nobody renewed for `ttl` milliseconds. */
export async function writeReport(folder: string, report: InstanceReport, ttl: number): Promise<void> {
  await makeFolder(folder);
  const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`);
  await replaceFile(join(folder, nameOf(report.id)), bytes, { durable: false });
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry);
    if (await isOver(path, ttl)) await rm(path, { force: true });
  }
}

/** The records in `folder` that are younger than `ttl` milliseconds; none where there is no such folder. */
export async function readReports(folder: string, ttl: number): Promise<InstanceReport[]> {
  const entries = (await orNull(readdir(folder))) ?? [];
  const names = entries.filter((entry) => entry.endsWith('.json')).sort();
  const records = await Promise.all(names.map((name) => readRecord(join(folder, name))));
  return records.filter((record) => record !== undefined).filter((record) => isAlive(record, ttl));
}

async function isOver(path: string, ttl: number): Promise<boolean> {
  if (!/\.(?:json|tmp)$/.test(path)) return false;
  const record = path.endsWith('.json') ? await readRecord(path) : undefined;
  if (record) return !isAlive(record, ttl);
  // A broken record, or what a killed process left of one, says nothing about its age itself.
  const stats = await orNull(stat(path));
  return stats !== null && stats.mtimeMs < Date.now() - ttl;
}

function isAlive(record: InstanceReport, ttl: number): boolean {
  return (parseDate(record.seenAt) ?? 0) > Date.now() - ttl;
}

async function readRecord(path: string): Promise<InstanceReport | undefined> {
  const text = await orNull(readFile(path, 'utf8'));
  try {
    const record = JSON.parse(text ?? '') as Partial<InstanceReport> | null;
    const usable = typeof record?.id === 'string' && typeof record.seenAt === 'string';
    return usable ? (record as InstanceReport) : undefined;
  } catch {
    return undefined;
  }
}

// An id may hold what no file name can, and must not lead out of the folder.
function nameOf(id: string): string {
  if (/^[\w-]{1,100}$/.test(id)) return `${id}.json`;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 16);
  return `${id.replace(/[^\w-]/g, '_').slice(0, 80)}-${hash}.json`;
}
