import type { MaintenanceState } from '../../core/maintenance-state.js';
import { parseState } from '../../core/state-format.js';
import type { VersionedState } from '../state-storage.js';

/** Identifies the content of a storage. */
export interface StateId {
  /** `null` where nothing is stored. */
  lineage: string | null;
  revision: number;
  /** `null` where nothing is stored. */
  version: string | null;
}

/** The content of a storage after a read or a write. */
export interface CacheEntry {
  /** `null` where nothing is stored: that is cached too. */
  content: VersionedState | null;
  id: StateId;
}

/**
 * Creates the entry for what a storage returned.
 *
 * @returns `undefined` for content that is not a state: a custom storage may return anything
 */
export function createEntry(content: VersionedState | null): CacheEntry | undefined {
  if (content === null) return { content, id: { lineage: null, revision: 0, version: null } };
  const { lineage, revision } = (content.state ?? {}) as Partial<MaintenanceState>;
  if (typeof lineage !== 'string' || typeof revision !== 'number') return undefined;
  return { content, id: { lineage, revision, version: content.version } };
}

/** Whether both identify the same content. */
export function isSameState(id: StateId, other: StateId): boolean {
  return id.lineage === other.lineage && id.revision === other.revision && id.version === other.version;
}

/** Whether `id` is a later revision of the lineage of `other`. */
export function isNewerState(id: StateId, other: StateId): boolean {
  return id.lineage === other.lineage && id.revision > other.revision;
}

/** Formats an entry as the text that {@link parseEntry} reads. */
export function formatEntry({ content, id }: CacheEntry, location: string): string {
  return JSON.stringify({ location, version: id.version, state: content?.state });
}

/**
 * Parses the value of a cache entry.
 *
 * @returns `undefined` for a miss, for anything that is not an entry, and for the entry of another storage
 */
export function parseEntry(value: unknown, location: string): CacheEntry | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    const entry = JSON.parse(value) as { location?: unknown; version?: unknown; state?: unknown } | null;
    if (entry?.location !== location) return undefined;
    if (entry.version === null) return createEntry(null);
    if (typeof entry.version !== 'string') return undefined;
    return createEntry({ state: parseState(JSON.stringify(entry.state)), version: entry.version });
  } catch {
    return undefined;
  }
}
