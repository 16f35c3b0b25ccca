import type { MaintenanceWindow, StoredWindow } from './maintenance-window.js';

/** The number of changes that a state remembers. */
export const MAX_HISTORY_ENTRIES = 50;

/** Where a change came from. */
export type ChangeSource = 'code' | 'cli' | 'http';

/** One change of the state: when, who, what and from where. Members that this version does not know are kept. */
export interface HistoryEntry {
  /** The revision that the change made. */
  revision: number;
  /** When, ISO 8601 in UTC. */
  at: string;
  /**
   * What was done: `'on'` started windows and `'off'` ended them, `'plan'` made windows for later and `'cancel'` removed such windows
   * before they started. One revision may end some windows and cancel others; it has an entry for each then.
   */
  action: 'on' | 'plan' | 'change' | 'off' | 'cancel';
  /** Who did it: a user, `user@host` or `token`. */
  by?: string;
  /** From where. */
  via?: ChangeSource;
  /** The windows concerned, as far as a reader needs them. The times of a recurring one are those of one occurrence. */
  windows: Pick<MaintenanceWindow, 'id' | 'scope' | 'mode' | 'startsAt' | 'endsAt' | 'message' | 'recurrence'>[];
  [extra: string]: unknown;
}

/** What a storage holds. Members that this version does not know are kept. */
export interface MaintenanceState {
  /** Version of this format. */
  format: 1;
  /** Random, made with the first write; revisions compare within one lineage only. */
  lineage: string;
  /** Grows by one with each write. */
  revision: number;
  windows: StoredWindow[];
  /** Newest first, at most 50 entries. */
  history: HistoryEntry[];
  [extra: string]: unknown;
}

/** The lineage of a state that somebody wrote by hand as `1` or `0`. */
export const HANDWRITTEN_LINEAGE = 'handwritten';
