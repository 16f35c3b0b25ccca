import { Help, Option } from 'nest-commander';
import type { MaintenanceMode } from '../../core/maintenance-window.js';
import { assertSupportsReports } from '../../drain/assert-supports-reports.js';
import { printLines } from '../output.js';
import { turnOn, drainTarget, type ChangeReport, type OnRequest } from '../maintenance-commands.js';
import { toChangeJson, formatChange } from '../print.js';
import { formatDrain, formatProgress, describeTimeout } from '../print-instances.js';
import { Progress } from '../progress.js';
import type { Target } from '../target-finder.js';
import { UsageError } from '../../errors/usage.error.js';
import { resolveTime, type TypedTime } from '../local-time.js';
import { readDuration, readMode, readName, readSeconds, readText, readTime, readZone } from '../option-parsers.js';
import { StorageCommand, type Outcome, type StorageOptions } from './storage.command.js';

/** The name and the description of the command, standalone and in an application's program. */
export const ON_COMMAND = {
  name: 'on',
  description: 'turn maintenance on, now or later, or change the active window',
};

interface OnOptions extends StorageOptions {
  scope?: string;
  mode?: MaintenanceMode;
  message?: string;
  at?: TypedTime;
  until?: TypedTime;
  for?: number;
  tz?: string;
  every?: string;
  bypass?: boolean;
  retryAfter?: number;
  wait?: boolean;
  timeout?: number;
  force?: boolean;
}

/** The default of `--timeout`. */
const DEFAULT_WAIT_TIMEOUT_MS = 60_000;
/** The exit code if `--wait` timed out. */
const TIMED_OUT_EXIT_CODE = 4;

/** The command `on`. Subclasses add it to a program. */
export abstract class OnCommand extends StorageCommand<OnOptions> {
  protected override async perform(target: Target, options: OnOptions): Promise<Outcome> {
    const { at, until, tz, every } = options;
    if (every === undefined && until !== undefined && options.for !== undefined) {
      throw new UsageError('--until and --for both set the end of the window; use one of them.');
    }
    if (every !== undefined && options.for === undefined) {
      throw new UsageError('--every needs --for, the length of each occurrence, such as --for 1h.');
    }
    assertWait(options);
    if (options.wait) assertSupportsReports(target.storage);
    const request: OnRequest = {
      scope: options.scope,
      mode: options.mode,
      message: options.message,
      retryAfter: options.retryAfter,
      startsAt: at === undefined ? undefined : resolveTime(at, '--at', tz),
      endsAt: until === undefined ? undefined : resolveTime(until, '--until', tz),
      duration: options.for,
      bypass: options.bypass,
      every: every === undefined ? undefined : { cron: every, timeZone: tz ?? 'UTC' },
    };
    const report = await turnOn({ ...target, force: options.force }, request, { isAwaited: options.wait });
    const lines = formatChange(report, 'Already on with these settings; nothing was changed.');
    if (!options.wait) return { lines, json: toChangeJson(report) };
    if (!options.json) await printLines(process.stdout, lines);
    return this.#drain(target, report, options.timeout ?? DEFAULT_WAIT_TIMEOUT_MS);
  }

  async #drain(target: Target, report: ChangeReport, timeout: number): Promise<Outcome> {
    const progress = new Progress(process.stderr);
    const drain = await drainTarget(target, timeout, (latest) => {
      const blocking = latest.pending.map(({ instance: { id, inFlight }, reason }) => [id, reason, inFlight].join());
      if (!latest.drained) progress.show(formatProgress(latest), [latest.instances.length, ...blocking].join(';'));
    }).finally(() => progress.end());
    return {
      lines: formatDrain(drain),
      json: { ...toChangeJson(report), drain },
      ...(!drain.drained && { exitCode: TIMED_OUT_EXIT_CODE, error: describeTimeout(drain) }),
    };
  }

  @Option({ flags: '--scope <name>', description: 'only this part of the application (default: everything)' })
  parseScope(text: string, previous?: string): string {
    return readName(text, previous);
  }

  @Option({ flags: '--mode <mode>', description: 'full, or read-only to admit reads (default: full)' })
  parseMode(text: string, previous?: MaintenanceMode): MaintenanceMode {
    return readMode(text, previous);
  }

  @Option({ flags: '--message <text>', description: 'the text that clients see' })
  parseMessage(text: string, previous?: string): string {
    return readText(text, previous);
  }

  @Option({ flags: '--at <time>', description: 'start time, such as 2030-12-01T02:00Z (default: now)' })
  parseAt(text: string, previous?: TypedTime): TypedTime {
    return readTime(text, previous);
  }

  @Option({
    flags: '--until <time>',
    description: 'end time, such as 2030-12-01T04:00Z (default: until it is turned off)',
  })
  parseUntil(text: string, previous?: TypedTime): TypedTime {
    return readTime(text, previous);
  }

  @Option({
    flags: '--for <duration>',
    description: 'length instead of an end time, such as 30m, 2h, 1h30m, 90s or 1d',
  })
  parseFor(text: string, previous?: number): number {
    return readDuration(text, previous);
  }

  @Option({ flags: '--tz <zone>', description: 'time zone of --at, --until and --every, such as Europe/Rome' })
  parseTz(text: string, previous?: string): string {
    return readZone(text, previous);
  }

  @Option({
    flags: '--every <cron>',
    description: 'repeat on this schedule, such as "0 3 * * 0"; each occurrence lasts --for (default time zone: UTC)',
  })
  parseEvery(text: string, previous?: string): string {
    return readText(text, previous);
  }

  @Option({ flags: '--bypass', description: 'create a secret link that admits testers; it is shown once' })
  parseBypass(): boolean {
    return true;
  }

  @Option({
    flags: '--retry-after <seconds>',
    description: 'value of the Retry-After header (default: the time left in the window)',
  })
  parseRetryAfter(text: string, previous?: number): number {
    return readSeconds(text, previous);
  }

  @Option({
    flags: '--wait',
    description: 'return once every instance refuses and its in-flight requests have finished',
  })
  parseWait(): boolean {
    return true;
  }

  @Option({ flags: '--timeout <duration>', description: 'how long --wait waits (default: 60s)' })
  parseTimeout(text: string, previous?: number): number {
    return readDuration(text, previous);
  }

  @Option({ flags: '--force', description: 'replace stored content even if it never was a maintenance state' })
  parseForce(): boolean {
    return true;
  }

  @Help('after')
  examples(): string {
    return `
Examples:
  on --for 30m --message "Back in half an hour"
  on --scope payments --mode read-only
  on --at 2030-12-01T02:00Z --until 2030-12-01T04:00Z
  on --at 2030-12-01T02:00 --for 2h --tz Europe/Rome
  on --every "0 3 * * 0" --for 1h --tz Europe/Rome`;
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
