import type { MaintenanceWindow } from './maintenance-window.js';

/**
 * Who gives the answer: the option `enabled`; the stored state; the last state that was read before the storage failed; or
 * the policy for a storage that fails with nothing known.
 */
export type StatusSource = 'configuration' | 'storage' | 'last-known' | 'fallback';

/** The state seen at one moment. Public: it never holds secrets or credentials. */
export interface MaintenanceStatus {
  /** Some window is active now, or maintenance is forced on. */
  active: boolean;
  source: StatusSource;
  /** Revision of the state that this instance applies; 0 where nothing is stored. */
  revision: number;
  windows: { active: MaintenanceWindow[]; planned: MaintenanceWindow[] };
  storage: {
    kind: string;
    location: string;
    healthy: boolean;
    /** When the storage last answered, ISO 8601 in UTC. */
    lastReadAt: string | null;
    error?: string;
  };
}
