import type { HistoryEntry } from '../../core/maintenance-state.js';
import type { InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceStatus } from '../../core/maintenance-status.js';
import type { MaintenanceWindow } from '../../core/maintenance-window.js';
import type { MaintenanceStorageErrorCode } from '../../errors/maintenance-storage.error.js';
import type { PendingInstance } from '../../drain/drain-report.js';

/**
 * The configuration of the panel: the JSON in `<script type="application/json" id="panel-config">` of the document.
 * All URLs of the panel are relative to `base`, since a proxy may serve it under another path.
 */
export interface PanelConfig {
  /** The admin endpoints, relative to the document: `'./'`, or `'../'` where its URL ends with a slash. */
  base: './' | '../';
  /** How people sign in: with the token, or by guards of the application. */
  signIn: 'token' | 'guards';
}

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
  /** The name of the caller in the history: that of the user, or the one given at sign-in, else `'token'`. */
  operator: string;
  /** The instance that answers. */
  application: { name?: string; version?: string; environment?: string; host: string };
  /** The scopes that handlers carry, without `'*'`. */
  scopes: string[];
  /** The address of the caller; `null` where it is unknown, or that of a proxy. */
  callerAddress: string | null;
  /** The setting that decides instead of the storage, such as `MAINTENANCE_MODE`; `null` where there is none. */
  forcedBy: string | null;
  onStorageFailure: 'last-known' | 'on' | 'off';
  /** The kind of `status.storage.error`: a change replaces corrupt or lost content, and the others block it. */
  storageErrorCode: MaintenanceStorageErrorCode | null;
  /**
   * The windows of programs, by their ids. Only `during()` is told if its window is turned off: the command of `run`
   * continues, and `run` may have been killed.
   */
  programWindows: Record<string, 'run' | 'during'>;
  /** The ids of the windows that have a bypass. */
  bypassWindows: string[];
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

/** The body of `POST {path}/session`. */
export interface PanelSignIn {
  /** The admin token or the viewer token. */
  token: string;
  /** The name for the history, at most 64 characters. @defaultValue `'token'` */
  name?: string;
}

/** The answer of `POST {path}/session/end`. */
export interface PanelSignOut {
  /** Whether a copy of the cookie is refused by all instances; `false` where the storage could not tell them. */
  everywhere: boolean;
}

/** The answer of `POST {path}/on` to a body with `"bypass": true`: the secrets are in this answer only. */
export interface PanelOnAnswer extends MaintenanceStatus {
  bypass?: {
    /** The bypass token. */
    token: string;
    /** The header in which programs send it. */
    header: string;
    /** The query parameter of the bypass link, which may be any URL of the application. */
    parameter: string;
  };
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
