import { hostname } from 'node:os';
import type { DiscoveryService } from '@nestjs/core';
import type { HistoryEntry } from '../../core/maintenance-state.js';
import { createStatus } from '../../core/create-status.js';
import { listOccurrences } from '../../core/recurrence.js';
import { isStorageError, type MaintenanceStorageErrorCode } from '../../errors/maintenance-storage.error.js';
import type { StateMonitor } from '../../core/state-monitor.js';
import { SCOPES_METADATA } from '../../maintenance.constants.js';
import type { MaintenanceModuleOptions } from '../../options/maintenance-options.js';
import type { ResolvedOptions } from '../../options/resolved-options.js';
import type { Clock } from '../../utils/clock.js';
import { toIso } from '../../utils/dates.js';
import { findMetadata } from '../../utils/discovery.js';
import { findCallerAddress, getCaller, getCallerName, type AddressedRequest } from '../admin-caller.js';
import type { FleetReader } from './fleet-reader.js';
import type { PanelOccurrence, PanelState } from './panel-state.js';

/** The number of occurrences that the panel shows of a recurring window. */
export const SHOWN_OCCURRENCES = 5;

/** The part of the state that depends on the caller. */
type CallerMember = 'access' | 'sessionEndsAt' | 'operator' | 'callerAddress';

/** The part of the state that is the same for all callers. */
export type SharedState = Omit<PanelState, CallerMember>;

/** The dependencies of {@link PanelStateBuilder}. */
export interface PanelStateDeps {
  options: ResolvedOptions;
  /** The options as given in code. */
  given: MaintenanceModuleOptions | null;
  monitor: StateMonitor;
  storage: { kind: string; location: string };
  fleet: FleetReader;
  discovery: DiscoveryService;
  clock: Clock;
}

/** Builds what the panel shows. */
export class PanelStateBuilder {
  #scopes: string[] | null = null;

  constructor(private readonly deps: PanelStateDeps) {}

  /** Builds the part that is the same for all callers. Never rejects. */
  async buildShared(): Promise<SharedState> {
    const { options, given, monitor, storage, clock } = this.deps;
    const { application, appVersion: version, adminToken, enabled, onStorageFailure } = options;
    const environment = process.env.NODE_ENV;
    // Before the status: a change meanwhile is then in both.
    const fleet = await this.deps.fleet.read();
    return {
      now: toIso(clock.now()),
      status: createStatus(monitor, storage),
      history: (monitor.state?.history ?? []).map(toKnownMembers),
      signIn: adminToken === undefined ? 'guards' : 'token',
      application: {
        name: application,
        ...(version !== undefined && { version }),
        ...(environment && { environment }),
        host: hostname(),
      },
      scopes: this.#getScopes(),
      forcedBy: enabled === undefined ? null : given?.enabled === undefined ? 'MAINTENANCE_MODE' : 'enabled',
      onStorageFailure,
      storageErrorCode: monitor.error === null ? null : getStorageErrorCode(monitor.error),
      programWindows: this.#listProgramWindows(),
      bypassWindows: (monitor.state?.windows ?? []).flatMap(({ id, bypass }) => (bypass ? [id] : [])),
      fleet,
      occurrences: this.#listOccurrences(),
    };
  }

  /** Adds what only this caller may know. */
  addCaller(shared: SharedState, request: AddressedRequest): PanelState {
    const { access, session } = getCaller(request);
    const { address, isProxy } = findCallerAddress(request);
    return {
      ...shared,
      access,
      sessionEndsAt: session && toIso(session.endsAt),
      operator: getCallerName(request),
      callerAddress: isProxy ? null : address,
    };
  }

  // The handlers of an application never change.
  #getScopes(): string[] {
    this.#scopes ??= [...new Set(findMetadata<string[]>(this.deps.discovery, SCOPES_METADATA).flat())].sort();
    return this.#scopes;
  }

  #listProgramWindows(): SharedState['programWindows'] {
    const windows = this.deps.monitor.state?.windows ?? [];
    const owned = windows.filter(({ leaseUntil, isOwned }) => leaseUntil !== undefined || isOwned);
    return Object.fromEntries(owned.map(({ id, leaseUntil }) => [id, leaseUntil === undefined ? 'run' : 'during']));
  }

  #listOccurrences(): Record<string, PanelOccurrence[]> {
    const { monitor, clock } = this.deps;
    const recurring = (monitor.state?.windows ?? []).filter(({ recurrence }) => recurrence !== undefined);
    return Object.fromEntries(
      recurring.map((window) => [
        window.id,
        listOccurrences(window, clock.now(), SHOWN_OCCURRENCES).map(({ startsAt, endsAt }) => ({ startsAt, endsAt })),
      ]),
    );
  }
}

function getStorageErrorCode(error: Error): MaintenanceStorageErrorCode {
  return isStorageError(error) ? error.code : 'unavailable';
}

// Another version may have written more, which may be secret.
function toKnownMembers({ revision, at, action, by, via, windows }: HistoryEntry): HistoryEntry {
  return {
    revision,
    at,
    action,
    ...(by !== undefined && { by }),
    ...(via !== undefined && { via }),
    windows: windows.map(({ id, scope, mode, startsAt, endsAt, message, allowIps, recurrence }) => ({
      id,
      scope,
      mode,
      startsAt,
      endsAt,
      ...(message !== undefined && { message }),
      ...(allowIps !== undefined && { allowIps }),
      ...(recurrence !== undefined && { recurrence }),
    })),
  };
}
