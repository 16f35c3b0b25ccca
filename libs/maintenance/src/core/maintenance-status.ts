import type { MaintenanceWindow } from './maintenance-window.js';

/**
 * The origin of the answer: the option `enabled`, the stored state, the last state read before the storage failed, or
 * the option `onStorageFailure` if no state is known.
 */
export type StatusSource = 'configuration' | 'storage' | 'last-known' | 'fallback';

/** The status at one moment. It is public and never contains secrets or credentials. */
export interface MaintenanceStatus {
  /** Whether maintenance is on: a window is active, or maintenance is forced on. */
  active: boolean;
  /** The origin of the answer. */
  source: StatusSource;
  /** The revision of the state that this instance applies; 0 if none is stored. */
  revision: number;
  /** The windows that are active now, and those that are planned, in the order of their start. */
  windows: { active: MaintenanceWindow[]; planned: MaintenanceWindow[] };
  /** The storage and its health. */
  storage: {
    /** The kind, such as `file` or `redis`. */
    kind: string;
    /** The location, without credentials. */
    location: string;
    /** Whether the last read succeeded. */
    healthy: boolean;
    /** The time of the last successful read, ISO 8601 in UTC. */
    lastReadAt: string | null;
    /** The error of the last read, if it failed. */
    error?: string;
  };
}
