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
  /** Requests that were admitted before the window and are not answered yet; streams are counted apart. */
  inFlight: number;
  streams: number;
  /** When the instance wrote this, ISO 8601 in UTC. */
  seenAt: string;
  [extra: string]: unknown;
}
