import {
  ALL_SCOPES,
  findLastEnding,
  type MaintenanceMode,
  type MaintenanceWindow,
  type StoredWindow,
} from './maintenance-window.js';

/** A period of maintenance that is planned, as clients see it. */
export interface PlannedMaintenance {
  /** The scope: `'*'` for the whole application. */
  scope: string;
  /** The mode: `'full'` refuses every call, `'read-only'` those that write. */
  mode: MaintenanceMode;
  /** The message in the language of the reader; `null` where the operator has given none. */
  message: string | null;
  /** The first moment, ISO 8601 in UTC. */
  startsAt: string;
  /** The first moment after it, ISO 8601 in UTC; `null`: until it is turned off. */
  endsAt: string | null;
}

/**
 * The status that all clients may see, without anything of operators or addresses.
 *
 * Where several windows are active, `mode` is `'full'` if one of them is full, and the other members describe only the
 * windows of that mode.
 */
export interface PublicStatus {
  /** Whether maintenance is on. */
  active: boolean;
  /** The mode; `null` while maintenance is off. */
  mode: MaintenanceMode | null;
  /** The scopes of the active windows; `'*'` is the whole application. Empty while maintenance is off. */
  scopes: string[];
  /** The message in the language of the reader; `null` where the operator has given none. */
  message: string | null;
  /** The start, ISO 8601 in UTC; `null` while maintenance is off, or forced on by the configuration. */
  startsAt: string | null;
  /** The end, ISO 8601 in UTC; `null` where it is not known. The window that ends last counts. */
  endsAt: string | null;
  /** The periods to come, in the order of their start; of a recurring window, the next one. */
  planned: PlannedMaintenance[];
}

/** The windows at one moment. */
export interface WindowsInForce {
  /** The answer for every call, whatever the windows; `null` if the windows decide. */
  forced: boolean | null;
  active: readonly StoredWindow[];
  planned: readonly StoredWindow[];
}

/**
 * Creates the status that all clients may see.
 *
 * @param windows - the windows
 * @param scopes - the scopes to which the status is narrowed; empty for all. Windows on everything always count
 * @param getMessage - returns the message of a window in the language of the reader
 */
export function createPublicStatus(
  { forced, active, planned }: WindowsInForce,
  scopes: readonly string[],
  getMessage: (window: MaintenanceWindow) => string | null,
): PublicStatus {
  const off: PublicStatus = {
    active: false,
    mode: null,
    scopes: [],
    message: null,
    startsAt: null,
    endsAt: null,
    planned: [],
  };
  // While maintenance is forced on or off, no window starts or ends it.
  if (forced !== null) return forced ? { ...off, active: true, mode: 'full', scopes: [ALL_SCOPES] } : off;
  const isAsked = ({ scope }: MaintenanceWindow): boolean =>
    scopes.length === 0 || scope === ALL_SCOPES || scopes.includes(scope);
  off.planned = planned.filter(isAsked).map((window) => {
    const { scope, mode, startsAt, endsAt } = window;
    return { scope, mode, message: getMessage(window), startsAt, endsAt };
  });
  const asked = active.filter(isAsked);
  if (asked.length === 0) return off;
  const mode = asked.some((window) => window.mode === 'full') ? 'full' : 'read-only';
  const strictest = asked.filter((window) => window.mode === mode);
  const last = findLastEnding(strictest);
  return {
    active: true,
    mode,
    scopes: [...new Set(strictest.map(({ scope }) => scope))].sort(),
    message: getMessage(last),
    startsAt: last.startsAt,
    endsAt: last.endsAt,
    planned: off.planned,
  };
}
