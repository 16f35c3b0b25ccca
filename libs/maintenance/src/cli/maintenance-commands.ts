import { findDisagreements } from '../drain/agreement.js';
import { waitForAgreement, readAgreement, type Agreement } from '../drain/wait-for-agreement.js';
import { waitForDrain } from '../drain/wait-for-drain.js';
import type { DrainReport } from '../drain/drain-report.js';
import { assertSupportsReports } from '../drain/assert-supports-reports.js';
import { readLiveInstances } from '../drain/instance-reports.js';
import { createBypass } from '../policy/bypass.js';
import type { Change, ChangeOrigin } from '../core/window-changes.js';
import { SystemClock, type Clock } from '../utils/clock.js';
import { MaintenanceForcedError } from '../errors/maintenance-forced.error.js';
import { getLeases } from '../core/lease-changes.js';
import type { HistoryEntry, MaintenanceState } from '../core/maintenance-state.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { nextOccurrence, currentOccurrence } from '../core/recurrence.js';
import { StateMonitor } from '../core/state-monitor.js';
import { createStatus } from '../core/create-status.js';
import {
  parseDisableOptions,
  parseEnableOptions,
  type DisableOptions,
  type EnableOptions,
} from '../core/window-options.js';
import { unwrapCache } from '../storage/cache/cached-state-storage.js';
import type { FileStateStorage } from '../storage/file/file-state-storage.js';
import { StateReader } from '../storage/state-reader.js';
import type { WriteResult } from '../storage/state-writer.js';
import { WindowWriter, type WindowStart } from '../storage/window-writer.js';
import { describeFileAccess } from './file-access.js';
import { getOperator } from './get-operator.js';
import type { Target } from './target-finder.js';

/** The result of a command that reads. */
export interface Report {
  status: MaintenanceStatus;
  /** The time of the status, in milliseconds since the epoch. */
  now: number;
  history: HistoryEntry[];
  /** The end of each lease (ISO 8601), by the id of its window. */
  leases: ReadonlyMap<string, string>;
  /** Whether a state is stored. */
  isStored: boolean;
  /** Owner and mode of the state file, if not every user may read it. */
  access?: string;
  /** The states that the instances apply; missing if the reports can't be read, or if the option `enabled` is set. */
  agreement?: Agreement;
}

/** The result of a command that changes the state. */
export interface ChangeReport extends Report {
  /** The change; `null` if nothing had to be changed. */
  change: Change | null;
  /** Whether the change replaced content that was not a state. */
  replacedCorrupt: boolean;
  /** Whether that content never was a state. */
  replacedForeign: boolean;
  /** The file to which the replaced content was moved, if it was kept. */
  keptAs?: string;
  /** The bypass token, if one was created. Only its hash is stored. */
  token?: string;
  /**
   * Whether `--wait` is about to wait for the instances, so that those that have not applied the change are not
   * reported yet.
   */
  isAwaited?: boolean;
}

/**
 * The time for which `on`, `off` and `run` wait for the instances to apply a change, in milliseconds: enough for
 * notifications. Instances that poll may take longer, and are reported as not having applied the change yet.
 */
export const AGREEMENT_TIMEOUT_MS = 3_000;

/** The options of `on`; times in milliseconds since the epoch, the duration in milliseconds. */
export interface OnRequest extends Pick<
  EnableOptions,
  'scope' | 'mode' | 'message' | 'messages' | 'retryAfter' | 'allowIps' | 'ifRevision'
> {
  startsAt?: number;
  endsAt?: number;
  /** The length of the window, instead of an end; the length of each occurrence if the window recurs. */
  duration?: number;
  /** Whether to create a bypass token. */
  bypass?: boolean;
  /** The schedule of a recurring window. */
  every?: { cron: string; timeZone: string };
}

/** No window has the id that was given. The message lists the windows that exist. */
class NoSuchWindowError extends Error {
  override readonly name = 'NoSuchWindowError';
}

/** Reads the state and the states that the instances apply. A failing storage is reported in the status. */
export async function readStatus(target: Target, clock: Clock = new SystemClock()): Promise<Report> {
  const monitor = createMonitor(target, clock);
  await monitor.refresh();
  const report = createReport(monitor, target, clock);
  if (report.status.source !== 'storage') return report;
  return { ...report, agreement: await readAgreement(target.storage, monitor.state, clock) };
}

/** Returns the error if the stored state can't be read; `undefined` also if the option `enabled` decides anyway. */
export function findStorageFailure({ status: { storage, source } }: Report): string | undefined {
  return storage.healthy || source === 'configuration'
    ? undefined
    : (storage.error ?? 'The storage could not be read.');
}

/**
 * Reads the instances that report to the storage, and the states that they apply.
 *
 * @throws {@link MaintenanceStorageError} if the storage fails to list them, or does not support reports
 */
export async function readInstances(
  target: Target,
  clock: Clock = new SystemClock(),
): Promise<Report & Required<Pick<Report, 'agreement'>>> {
  assertSupportsReports(target.storage);
  const monitor = createMonitor(target, clock);
  // Before the reports: an instance that applies a later revision is then not taken for one that is behind.
  await monitor.refresh();
  const instances = await readLiveInstances(target.storage, clock);
  const report = createReport(monitor, target, clock);
  const isStoredStateKnown = report.status.storage.healthy;
  const disagreements = isStoredStateKnown ? findDisagreements(monitor.state, instances, clock.now()) : [];
  return { ...report, agreement: { instances, disagreements } };
}

/**
 * Starts a window, or changes the active one of the same scope and mode, and waits up to 3 s until the instances
 * apply it.
 *
 * @param options - `isAwaited`: the caller waits for the instances itself
 * @throws {@link InvalidWindowError}, {@link MaintenanceForcedError}, {@link MaintenanceStorageError}
 */
export async function turnOn(
  target: Target,
  request: OnRequest,
  { isAwaited = false }: { isAwaited?: boolean } = {},
  clock: Clock = new SystemClock(),
): Promise<ChangeReport> {
  assertNotForced(target);
  const window = parseOnRequest(request, clock.now());
  const bypass = request.bypass ? createBypass() : undefined;
  const writer = new WindowWriter(target.storage, clock, target.force);
  const written = await writer.start({ ...window, bypass: bypass?.stored }, createOrigin());
  return {
    ...createChangeReport(written, target, clock),
    token: bypass?.token,
    agreement: await waitForAgreement(target.storage, written.state, isAwaited ? 0 : AGREEMENT_TIMEOUT_MS, clock),
    isAwaited,
  };
}

/**
 * Waits until every instance applies the stored state and has finished its requests from before the window.
 *
 * @param timeout - in milliseconds
 * @param onProgress - called after each read of the reports
 * @param signal - aborts the wait
 * @throws {@link MaintenanceInactiveError} if maintenance is turned off meanwhile
 * @throws {@link MaintenanceStorageError}
 */
export function drainTarget(
  { storage }: Target,
  timeout: number,
  onProgress: (report: DrainReport) => void,
  signal?: AbortSignal,
): Promise<DrainReport> {
  return waitForDrain({ storage, clock: new SystemClock(), timeout, onProgress, signal });
}

/**
 * Ends windows, and waits up to 3 s until the instances apply the change.
 *
 * @throws {@link NoSuchWindowError}, {@link MaintenanceForcedError}, {@link MaintenanceStorageError}
 */
export async function turnOff(
  target: Target,
  which: DisableOptions,
  clock: Clock = new SystemClock(),
): Promise<ChangeReport> {
  assertNotForced(target);
  const selected = parseDisableOptions(which);
  const written = await new WindowWriter(target.storage, clock, target.force).end(selected, createOrigin());
  if (written.change === null && selected.id !== undefined) assertNoOtherWindows(written.state, selected, clock.now());
  return {
    ...createChangeReport(written, target, clock),
    agreement: await waitForAgreement(target.storage, written.state, AGREEMENT_TIMEOUT_MS, clock),
  };
}

/**
 * Converts the options of `on` to a window.
 *
 * @throws {@link InvalidWindowError} for options that can't be used
 */
export function parseOnRequest(request: OnRequest, now: number): WindowStart {
  const { scope, mode, message, messages, retryAfter, allowIps, ifRevision } = request;
  const { startsAt, endsAt, duration, every } = request;
  const isFixedLength = duration !== undefined && every === undefined;
  const end = isFixedLength ? (startsAt ?? now) + duration : endsAt;
  const options: EnableOptions = {
    scope,
    mode,
    message,
    messages,
    retryAfter,
    allowIps,
    ifRevision,
    startsAt: startsAt === undefined ? undefined : new Date(startsAt),
    endsAt: end === undefined ? undefined : new Date(end),
    recurrence: every && { ...every, duration: duration! },
  };
  return { ...parseEnableOptions(options, now), ...(isFixedLength && { durationMs: duration }) };
}

// The id was probably mistyped: if other windows exist, "Nothing was on." would be misleading.
function assertNoOtherWindows(state: MaintenanceState | null, { id, scope }: DisableOptions, now: number): void {
  const existing = (state?.windows ?? []).filter(
    (window) => currentOccurrence(window, now) ?? nextOccurrence(window, now),
  );
  if (existing.length === 0) return;
  const shown = existing.map(
    (window) => `${window.id} (${currentOccurrence(window, now) ? 'on' : 'planned'}, scope ${window.scope})`,
  );
  throw new NoSuchWindowError(
    `No window has the id ${JSON.stringify(id)}${scope === undefined ? '' : ` and the scope ${JSON.stringify(scope)}`}; ` +
      `nothing was changed. Existing windows: ${shown.join(', ')}.`,
  );
}

/**
 * Asserts that the stored state decides.
 *
 * @throws {@link MaintenanceForcedError} if the option `enabled` is set
 */
export function assertNotForced({ enabled }: Target): void {
  if (enabled !== undefined) throw new MaintenanceForcedError(enabled);
}

/** Returns the operator, for the history. */
export function createOrigin(): ChangeOrigin {
  return { by: getOperator(), via: 'cli' };
}

// Never started, so it neither watches nor polls. It only turns a state into a status, as in the application.
function createMonitor({ storage, enabled, onStorageFailure }: Target, clock: Clock): StateMonitor {
  return new StateMonitor({
    source: new StateReader(unwrapCache(storage)),
    clock,
    refreshInterval: Infinity,
    onStorageFailure,
    enabled,
  });
}

function createReport(monitor: StateMonitor, { storage }: Target, clock: Clock): Report {
  const access = describeFileAccess(storage);
  return {
    ...(access !== undefined && { access }),
    status: createStatus(monitor, storage),
    now: clock.now(),
    history: monitor.state?.history ?? [],
    leases: getLeases(monitor.state),
    isStored: monitor.state !== null,
  };
}

/** Creates the report of a change that was written and read back. */
export function createChangeReport(
  { state, change, replacedCorrupt, replacedForeign }: WriteResult,
  target: Target,
  clock: Clock,
): ChangeReport {
  const monitor = createMonitor(target, clock);
  monitor.adopt(state);
  const { keptAs } = target.storage as Partial<FileStateStorage>;
  return {
    ...createReport(monitor, target, clock),
    change,
    replacedCorrupt,
    replacedForeign,
    ...(keptAs !== undefined && { keptAs }),
  };
}
