import type { HeldWork } from './in-flight.js';

/** How long a report counts, in milliseconds: somewhat longer than three heartbeats. */
export const REPORT_TTL = 100_000;

/** What one instance of the application says of itself. */
export interface InstanceReport {
  /** Unique for the life of the process. */
  id: string;
  host: string;
  pid: number;
  /** Version of the application, if known. */
  appVersion?: string;
  /** Lineage and revision of the state that the instance applies. */
  lineage: string | null;
  revision: number;
  /** The windows that are open for it, by its own clock. */
  windows?: { id: string; startsAt: string }[];
  /** What its configuration, or the failure of its storage, answers for everything, whatever is stored. */
  forced?: boolean;
  /** Requests, messages and jobs that were admitted before the window and are not done yet; streams are counted apart. */
  inFlight: number;
  streams: number;
  /** The kinds of work that have been in flight longest, at most ten. */
  longest?: HeldWork[];
  /** Work that goes on in the instance and that it can't count, one sentence fragment each: a drain can't vouch for it. */
  uncounted?: string[];
  /** It has ended in good order. */
  stopped?: boolean;
  /** When the instance wrote this, ISO 8601 in UTC. */
  seenAt: string;
  [extra: string]: unknown;
}
