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

/** What a command found. */
export interface Report {
  status: MaintenanceStatus;
  /** The moment for which the status holds, in milliseconds since the epoch. */
  now: number;
  history: HistoryEntry[];
  /** Until when the windows under a lease last if their programs do not renew it, by the id of the window; ISO 8601. */
  leases: ReadonlyMap<string, string>;
  /** Whether the storage holds anything, and of which lineage. */
  isStored: boolean;
  /** Owner and mode of the file that holds the state, where not every user may read it. */
  access?: string;
  /** The states that the instances apply; missing where that can't be found out, or does not depend on what is stored. */
  agreement?: Agreement;
}

/** What a command did. */
export interface ChangeReport extends Report {
  /** `null`: nothing, as it would have changed nothing. */
  change: Change | null;
  /** Whether the storage held content that was not a state, which the change replaced. */
  replacedCorrupt: boolean;
  /** The file that holds it now, if it was kept. */
  keptAs?: string;
  /** The key to the window, if one was made; it is nowhere else. */
  token?: string;
  /** Whether what the instances apply is still to be waited for, so that nothing can be said of it yet. */
  isAwaited?: boolean;
}

/**
 * How long `on` and `off` wait for the instances to apply the change, in milliseconds: longer than notifications take, and not as long as
 * an operator would wonder what goes on. Instances that find changes by polling may take longer; then it is said that they have not yet.
 */
const AGREEMENT_TIMEOUT_MS = 3_000;

/** What `on` is told; the times in milliseconds since the epoch, the duration in milliseconds. */
export interface OnRequest extends Pick<EnableOptions, 'scope' | 'mode' | 'message' | 'retryAfter'> {
  startsAt?: number;
  endsAt?: number;
  /** Instead of an end: counted from the start. Of a recurring window, the length of each occurrence. */
  duration?: number;
  /** Whether to make a key to the window. */
  bypass?: boolean;
  /** When a recurring window occurs, and in which time zone. */
  every?: { cron: string; timeZone: string };
}

/** A window was named that is not there. The message lists those that are. */
class NoSuchWindowError extends Error {
  override readonly name = 'NoSuchWindowError';
}

/** Reads the storage once, and what the instances apply. What is wrong with the storage is in the status. */
export async function readStatus(target: Target, clock: Clock = new SystemClock()): Promise<Report> {
  const monitor = createMonitor(target, clock);
  await monitor.refresh();
  const report = createReport(monitor, target, clock);
  if (report.status.source !== 'storage') return report;
  return { ...report, agreement: await readAgreement(target.storage, monitor.state, clock) };
}

/** Returns why the stored state could not be read; `undefined` also where the option `enabled` decides whatever is stored. */
export function findStorageFailure({ status: { storage, source } }: Report): string | undefined {
  return storage.healthy || source === 'configuration'
    ? undefined
    : (storage.error ?? 'The storage could not be read.');
}

/**
 * Reads the instances that report on the storage, and what they apply.
 *
 * @throws {@link MaintenanceStorageError} if the storage fails to list them, or keeps no reports
 */
export async function readInstances(
  target: Target,
  clock: Clock = new SystemClock(),
): Promise<Report & Required<Pick<Report, 'agreement'>>> {
  assertSupportsReports(target.storage);
  const monitor = createMonitor(target, clock);
  // Before the reports: what an instance has applied is then never taken for something that it has not.
  await monitor.refresh();
  const instances = await readLiveInstances(target.storage, clock);
  const report = createReport(monitor, target, clock);
  const isStoredStateKnown = report.status.storage.healthy;
  const disagreements = isStoredStateKnown ? findDisagreements(monitor.state, instances, clock.now()) : [];
  return { ...report, agreement: { instances, disagreements } };
}

/**
 * Opens a window, or changes the active one of the same scope and mode, and waits for a short time until the instances apply it.
 *
 * @param options - `isAwaited`: the caller waits for them by itself
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
 * Waits until every instance goes by the storage, and has nothing in flight that it admitted before.
 *
 * @param timeout - milliseconds
 * @throws {@link MaintenanceInactiveError} if maintenance is turned off meanwhile
 * @throws {@link MaintenanceStorageError}
 */
export function drainTarget(
  { storage }: Target,
  timeout: number,
  progress: (report: DrainReport) => void,
  clock: Clock = new SystemClock(),
): Promise<DrainReport> {
  return waitForDrain({ storage, clock, timeout, onProgress: progress });
}

/**
 * Ends windows, and waits for a short time until the instances apply that.
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
  if (written.change === null && selected.id !== undefined) assertNoOthers(written.state, selected, clock.now());
  return {
    ...createChangeReport(written, target, clock),
    agreement: await waitForAgreement(target.storage, written.state, AGREEMENT_TIMEOUT_MS, clock),
  };
}

function parseOnRequest(request: OnRequest, now: number): WindowStart {
  const { scope, mode, message, retryAfter, startsAt, endsAt, duration, every } = request;
  const isFixedLength = duration !== undefined && every === undefined;
  const end = isFixedLength ? (startsAt ?? now) + duration : endsAt;
  const options: EnableOptions = {
    scope,
    mode,
    message,
    retryAfter,
    startsAt: startsAt === undefined ? undefined : new Date(startsAt),
    endsAt: end === undefined ? undefined : new Date(end),
    recurrence: every && { ...every, duration: duration! },
  };
  return { ...parseEnableOptions(options, now), ...(isFixedLength && { durationMs: duration }) };
}

// Who names a window means to end something: where others are open, "nothing is on" would be the wrong answer.
function assertNoOthers(state: MaintenanceState | null, { id, scope }: DisableOptions, now: number): void {
  const there = (state?.windows ?? []).filter(
    (window) => currentOccurrence(window, now) ?? nextOccurrence(window, now),
  );
  if (there.length === 0) return;
  const shown = there.map(
    (window) => `${window.id} (${currentOccurrence(window, now) ? 'on' : 'planned'}, scope ${window.scope})`,
  );
  throw new NoSuchWindowError(
    `No window has the id ${JSON.stringify(id)}${scope === undefined ? '' : ` and the scope ${JSON.stringify(scope)}`}; ` +
      `nothing was changed. There ${there.length === 1 ? 'is' : 'are'}: ${shown.join(', ')}.`,
  );
}

function assertNotForced({ enabled }: Target): void {
  if (enabled !== undefined) throw new MaintenanceForcedError(enabled);
}

function createOrigin(): ChangeOrigin {
  return { by: getOperator(), via: 'cli' };
}

// It is never started, so that it neither watches nor polls: it turns a state into a status, as it does for the application.
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

function createChangeReport(
  { state, change, replacedCorrupt }: WriteResult,
  target: Target,
  clock: Clock,
): ChangeReport {
  const monitor = createMonitor(target, clock);
  monitor.adopt(state);
  const { keptAs } = target.storage as Partial<FileStateStorage>;
  return { ...createReport(monitor, target, clock), change, replacedCorrupt, ...(keptAs !== undefined && { keptAs }) };
}
