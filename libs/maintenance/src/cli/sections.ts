import type { Report } from './maintenance-commands.js';

const LABEL_WIDTH = 'planned  '.length;

/** Formats lines as a section: a label before the first line, the others indented. */
export function formatSection(label: string, lines: readonly string[]): string[] {
  const width = Math.max(LABEL_WIDTH, label.length + 2);
  return lines.map((line, index) => (index === 0 ? label : '').padEnd(width) + line);
}

/** Formats a storage: its kind and its full path or address. */
export function formatStorage({ kind, location }: { kind: string; location: string }): string {
  return `${kind} ${location}`;
}

/**
 * Formats the section of the storage.
 *
 * @param more - lines to add
 */
export function formatStorageSection(report: Report, more: string[] = []): string[] {
  const { storage, revision } = report.status;
  const content = report.isStored
    ? `revision ${revision}`
    : `nothing is stored there ${wasStateKnown(report) ? 'any more' : 'yet'}`;
  const line = storage.error === undefined ? content : `fails: ${storage.error}`;
  return formatSection('storage', [formatStorage(storage), line, ...more]);
}

function wasStateKnown({ agreement }: Report): boolean {
  return agreement?.instances.some(({ lineage }) => lineage !== null) ?? false;
}
