import { assertSupportsReports } from '../drain/assert-supports-reports.js';
import type { DrainReport } from '../drain/drain-report.js';
import type { DisableOptions } from '../core/window-options.js';
import type { MaintenanceMode } from '../core/maintenance-window.js';
import { UsageError } from '../errors/usage.error.js';
import type { CommandContext, Outcome, StorageOptions } from './command-description.js';
import { describeInterruption, exitOnSignal } from './interruption.js';
import { resolveTime, type TypedTime } from './local-time.js';
import {
  drainTarget,
  findStorageFailure,
  readInstances,
  readStatus,
  turnOff,
  turnOn,
  type ChangeReport,
  type OnRequest,
} from './maintenance-commands.js';
import { printLines } from './output.js';
import { formatChange, formatStatus, toChangeJson } from './print.js';
import { isRefusedRegardless, toDisagreementJson } from './print-agreement.js';
import { describeTimeout, formatDrain, formatInstances, formatProgress } from './print-instances.js';
import { Progress } from './progress.js';

export interface OnOptions extends StorageOptions {
  scope?: string;
  mode?: MaintenanceMode;
  message?: string;
  messages?: Record<string, string>;
  at?: TypedTime;
  until?: TypedTime;
  for?: number;
  tz?: string;
  every?: string;
  allowIp?: string[];
  bypass?: boolean;
  retryAfter?: number;
  wait?: boolean;
  timeout?: number;
  ifRevision?: number;
  force?: boolean;
}

export interface OffOptions extends StorageOptions, DisableOptions {
  force?: boolean;
}

export interface StatusOptions extends StorageOptions {
  history?: boolean;
}

/** The default of `--timeout`. */
export const DEFAULT_WAIT_TIMEOUT_MS = 60_000;
/** The exit code if the wait for the drain timed out. */
export const TIMED_OUT_EXIT_CODE = 4;
/**
 * The exit code of `status` while maintenance is on, or while instances refuse for another reason than a change that
 * reaches them soon.
 */
const ON_EXIT_CODE = 3;

/** Runs the command `on`. */
export async function performOn(context: CommandContext, options: OnOptions): Promise<Outcome> {
  assertEnd(options);
  assertWait(options);
  if (options.wait) assertSupportsReports(context.target.storage);
  const target = { ...context.target, force: options.force };
  const report = await turnOn(target, toOnRequest(options), { isAwaited: options.wait });
  const lines = formatChange(report, 'Already on with these settings; nothing was changed.');
  if (!options.wait) return { lines, json: toChangeJson(report) };
  if (!options.json) await printLines(process.stdout, lines);
  return waitForInstances(context, report, options);
}

/** Converts the options of `on` as typed to a request. */
export function toOnRequest(options: OnOptions): OnRequest {
  const { at, until, tz, every } = options;
  return {
    scope: options.scope,
    mode: options.mode,
    message: options.message,
    messages: options.messages,
    retryAfter: options.retryAfter,
    allowIps: options.allowIp,
    startsAt: at === undefined ? undefined : resolveTime(at, '--at', tz),
    endsAt: until === undefined ? undefined : resolveTime(until, '--until', tz),
    duration: options.for,
    bypass: options.bypass,
    ifRevision: options.ifRevision,
    every: every === undefined ? undefined : { cron: every, timeZone: tz ?? 'UTC' },
  };
}

async function waitForInstances(context: CommandContext, report: ChangeReport, options: OnOptions): Promise<Outcome> {
  const { target, program } = context;
  const progress = new Progress(process.stderr);
  const stop = exitOnSignal(() => {
    progress.end();
    return describeInterruption(program, options);
  });
  try {
    const showProgress = (latest: DrainReport): void => showDrain(progress, latest);
    const drain = await drainTarget(target, options.timeout ?? DEFAULT_WAIT_TIMEOUT_MS, showProgress);
    return {
      lines: formatDrain(drain),
      json: { ...toChangeJson(report), drain },
      ...(!drain.drained && { exitCode: TIMED_OUT_EXIT_CODE, error: describeTimeout(drain) }),
    };
  } finally {
    progress.end();
    stop();
  }
}

/** Shows the progress of a drain, with a plain line whenever something has changed. */
export function showDrain(progress: Progress, { drained, instances, pending, ...report }: DrainReport): void {
  if (drained) return;
  const blocking = pending.map(({ instance: { id, inFlight }, reason }) => [id, reason, inFlight].join());
  const text = formatProgress({ drained, instances, pending, ...report });
  progress.show(text, [instances.length, ...blocking].join(';'));
}

/** Runs the command `off`. */
export async function performOff({ target }: CommandContext, options: OffOptions): Promise<Outcome> {
  const { scope, id, all, ifRevision, force } = options;
  const report = await turnOff({ ...target, force }, { scope, id, all, ifRevision });
  const unchanged = scope === undefined ? 'Nothing was on.' : `No active window has the scope ${scope}.`;
  const hasPlanned = report.status.windows.planned.length > 0;
  return {
    lines: formatChange(report, hasPlanned ? `${unchanged} To cancel planned windows too, add --all.` : unchanged),
    json: toChangeJson(report),
  };
}

/** Runs the command `status`. */
export async function performStatus({ target }: CommandContext, options: StatusOptions): Promise<Outcome> {
  const report = await readStatus(target);
  const { status, history } = report;
  const json = { ...status, ...(options.history && { history }), ...toDisagreementJson(report) };
  const failure = findStorageFailure(report);
  if (failure !== undefined) return { lines: [], json, error: failure };
  const isOn = status.active || isRefusedRegardless(report);
  return { lines: formatStatus(report, options.history), json, ...(isOn && { exitCode: ON_EXIT_CODE }) };
}

/** Runs the command `instances`. */
export async function performInstances({ target }: CommandContext): Promise<Outcome> {
  const report = await readInstances(target);
  const { kind, location } = target.storage;
  const { instances } = report.agreement;
  return {
    lines: formatInstances(report),
    json: { instances, revision: report.status.revision, storage: { kind, location }, ...toDisagreementJson(report) },
    error: findStorageFailure(report),
  };
}

/**
 * Asserts that the options set one end.
 *
 * @throws {@link UsageError} if they set two, or none for a recurring window
 */
export function assertEnd({ until, every, for: duration }: OnOptions): void {
  if (every === undefined && until !== undefined && duration !== undefined) {
    throw new UsageError('--until and --for both set the end of the window; use one of them.');
  }
  if (every !== undefined && duration === undefined) {
    throw new UsageError('--every needs --for, the length of each occurrence, such as --for 1h.');
  }
}

function assertWait({ wait, timeout, at, every }: OnOptions): void {
  if (!wait && timeout !== undefined) throw new UsageError('--timeout applies to --wait only; add --wait.');
  if (!wait) return;
  const option = every !== undefined ? '--every' : at !== undefined ? '--at' : undefined;
  if (option === undefined) return;
  throw new UsageError(
    `--wait can't be combined with ${option}, which plans a window for later. Leave --wait out, and run \`on --wait\` once the window is active.`,
  );
}
