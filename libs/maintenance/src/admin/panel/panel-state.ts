import type { HistoryEntry } from '../../core/maintenance-state.js';
import type { InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceStatus } from '../../core/maintenance-status.js';
import type { MaintenanceWindow } from '../../core/maintenance-window.js';
import type { PendingInstance } from '../../drain/drain-report.js';

/** The content of the panel: the answer of `GET {path}/panel/state`, and of the events of `{path}/panel/events`. */
export interface PanelState {
  /** The time of the server, ISO 8601 in UTC: the panel shows times relative to it. */
  now: string;
  status: MaintenanceStatus;
  /** Newest first. */
  history: HistoryEntry[];
  /** Whether the caller may change anything, or only look. */
  access: 'change' | 'view';
  /** How people sign in: with the token, or by guards of the application. */
  signIn: 'token' | 'guards';
  /** The end of the session, ISO 8601 in UTC; `null` without a session. */
  sessionEndsAt: string | null;
  /** The instance that answers. */
  application: { name?: string; version?: string; environment?: string; host: string };
  /** The scopes that handlers carry, without `'*'`. */
  scopes: string[];
  /** The address of the caller; `null` where it is unknown, or that of a proxy. */
  callerAddress: string | null;
  /** The setting that decides instead of the storage, such as `MAINTENANCE_MODE`; `null` where there is none. */
  forcedBy: string | null;
  onStorageFailure: 'last-known' | 'on' | 'off';
  fleet: PanelFleet;
  /** For each window that recurs, the next occurrences. */
  occurrences: Record<string, PanelOccurrence[]>;
}

/** The instances and their drain. */
export interface PanelFleet {
  /** Empty where the storage keeps no reports or fails, see `error`. */
  instances: InstanceReport[];
  /** `null` while no window is active. */
  drain: { drained: boolean; pending: PendingInstance[] } | null;
  /** Why the instances are unknown. */
  error?: string;
}

/** One occurrence of a window, its times in ISO 8601, UTC. */
export interface PanelOccurrence {
  startsAt: string;
  endsAt: string | null;
}

/** The answer of `POST {path}/panel/preview`, whose body is that of `POST {path}/on`. */
export interface PanelPreview {
  /** The page that a browser would get, complete. */
  html: string;
  /** The problem document that other clients would get. */
  json: Record<string, unknown>;
  occurrences: PanelOccurrence[];
  /** The stored windows that cover a part of the same time and scope. */
  overlaps: MaintenanceWindow[];
}

/** The answer of `POST {path}/session`. */
export interface PanelSession {
  access: 'change' | 'view';
  /** ISO 8601 in UTC. */
  endsAt: string;
}

/** The body of a 409 where the state has another revision than the caller saw. */
export interface PanelConflict {
  statusCode: 409;
  message: string;
  code: 'conflict';
  /** The revision of the stored state. */
  revision: number;
  /** The changes since then, newest first. */
  changes: HistoryEntry[];
}
