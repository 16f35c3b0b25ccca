import { createHash } from 'node:crypto';
import { toInstanceReport, type InstanceReport } from '../core/instance-report.js';
import { MAX_STATE_BYTES } from './state-storage.js';

/** The maximum size of the stored report of an instance, in bytes. */
export const MAX_REPORT_BYTES = MAX_STATE_BYTES;

/** Formats the report of an instance as the text that a storage keeps. Readable for a person who opens the file. */
export function formatReport(report: InstanceReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

/**
 * Parses the report of an instance as a storage keeps it.
 *
 * @param text - the stored text; `undefined` where it is larger than {@link MAX_REPORT_BYTES}
 * @returns `undefined` for anything else: broken reports are ignored
 */
export function parseReport(text: string | undefined): InstanceReport | undefined {
  if (text === undefined) return undefined;
  try {
    return toInstanceReport(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Creates the file name for the report of an instance, without an extension. The id of an instance may contain
 * characters that are not allowed in file names, and must not lead out of the folder.
 */
export function createReportName(id: string): string {
  if (/^[\w-]{1,100}$/.test(id)) return id;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 16);
  return `${id.replace(/[^\w-]/g, '_').slice(0, 80)}-${hash}`;
}
