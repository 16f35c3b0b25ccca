import type { MaintenanceWindow, StoredWindow } from './maintenance-window.js';

/** The number of changes that the history of a state keeps. */
export const MAX_HISTORY_ENTRIES = 50;

/** The interface through which a change was made. */
export type ChangeSource = 'code' | 'cli' | 'http';

/** An entry of the history: one change of the state. Members that this version does not know are kept. */
export interface HistoryEntry {
  /** The revision that the change made. */
  revision: number;
  /** The time of the change, ISO 8601 in UTC. */
  at: string;
  /**
   * The kind of change: `'on'` started windows and `'off'` ended them, `'plan'` created planned windows and `'cancel'`
   * removed them before their start. A revision that ends some windows and cancels others has an entry for each.
   */
  action: 'on' | 'plan' | 'change' | 'off' | 'cancel';
  /** The author: a user name, `user@host` or `token`. */
  by?: string;
  /** The interface through which it was made. */
  via?: ChangeSource;
  /** The windows that it affected. The times of a recurring window are those of one occurrence. */
  windows: Pick<
    MaintenanceWindow,
    'id' | 'scope' | 'mode' | 'startsAt' | 'endsAt' | 'message' | 'allowIps' | 'recurrence'
  >[];
  [extra: string]: unknown;
}

/** The content of a storage. Members that this version does not know are kept. */
export interface MaintenanceState {
  /** The version of this format. */
  format: 1;
  /** A random id, created with the first write. Revisions are comparable within one lineage only. */
  lineage: string;
  /** The number of writes; each adds one. */
  revision: number;
  windows: StoredWindow[];
  /** Newest first, at most 50 entries. */
  history: HistoryEntry[];
  [extra: string]: unknown;
}

/** The lineage of a state that was written by hand as `1` or `0`. */
export const HANDWRITTEN_LINEAGE = 'handwritten';
