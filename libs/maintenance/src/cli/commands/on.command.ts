import { Help, Option } from 'nest-commander';
import type { MaintenanceMode } from '../../state/maintenance-window.js';
import { turnOn } from '../operations.js';
import { changeJson, changeLines } from '../print.js';
import type { Target } from '../target.js';
import { UsageError } from '../usage-error.js';
import { momentOf, type TypedTime } from '../local-time.js';
import { readDuration, readMode, readName, readSeconds, readText, readTime, readZone } from '../values.js';
import { StorageCommand, type Outcome, type StorageOptions } from './storage.command.js';

/** How the command is called and described, wherever it stands. */
export const ON = { name: 'on', description: 'turn maintenance on, now or at a time; change the window that is on' };

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
}

/** `on`; where it stands in a program is up to the classes that extend it. */
export abstract class OnCommand extends StorageCommand<OnOptions> {
  protected override async perform(target: Target, options: OnOptions): Promise<Outcome> {
    const { at, until, tz, every } = options;
    if (every === undefined && until !== undefined && options.for !== undefined) {
      throw new UsageError('--until and --for both say when the window ends; give one of them.');
    }
    if (every !== undefined && options.for === undefined) {
      throw new UsageError('--every needs --for, the length of each occurrence, such as --for 1h.');
    }
    const report = await turnOn(target, {
      scope: options.scope,
      mode: options.mode,
      message: options.message,
      retryAfter: options.retryAfter,
      startsAt: at === undefined ? undefined : momentOf(at, '--at', tz),
      endsAt: until === undefined ? undefined : momentOf(until, '--until', tz),
      duration: options.for,
      bypass: options.bypass,
      every: every === undefined ? undefined : { cron: every, timeZone: tz ?? 'UTC' },
    });
    return {
      lines: changeLines(report, 'It was on like that before, so nothing was changed.'),
      json: changeJson(report),
    };
  }

  @Option({ flags: '--scope <name>', description: 'only this part of the application (default: everything)' })
  parseScope(text: string, previous?: string): string {
    return readName(text, previous);
  }

  @Option({ flags: '--mode <mode>', description: 'full, or read-only to let reading through (default: full)' })
  parseMode(text: string, previous?: MaintenanceMode): MaintenanceMode {
    return readMode(text, previous);
  }

  @Option({ flags: '--message <text>', description: 'what visitors read' })
  parseMessage(text: string, previous?: string): string {
    return readText(text, previous);
  }

  @Option({ flags: '--at <time>', description: 'start then, such as 2026-12-01T02:00Z (default: now)' })
  parseAt(text: string, previous?: TypedTime): TypedTime {
    return readTime(text, previous);
  }

  @Option({
    flags: '--until <time>',
    description: 'end then, such as 2026-12-01T04:00Z (default: when it is turned off)',
  })
  parseUntil(text: string, previous?: TypedTime): TypedTime {
    return readTime(text, previous);
  }

  @Option({
    flags: '--for <duration>',
    description: 'end that long after the start, such as 30m, 2h, 1h30m, 90s or 1d',
  })
  parseFor(text: string, previous?: number): number {
    return readDuration(text, previous);
  }

  @Option({ flags: '--tz <zone>', description: 'the zone of --at, --until and --every, such as Europe/Rome' })
  parseTz(text: string, previous?: string): string {
    return readZone(text, previous);
  }

  @Option({
    flags: '--every <cron>',
    description: 'again and again, each time as long as --for says, such as "0 3 * * 0" (default zone: UTC)',
  })
  parseEvery(text: string, previous?: string): string {
    return readText(text, previous);
  }

  @Option({ flags: '--bypass', description: 'make a secret link that lets testers in, and show it once' })
  parseBypass(): boolean {
    return true;
  }

  @Option({
    flags: '--retry-after <seconds>',
    description: 'the Retry-After header (default: what is left of the window)',
  })
  parseRetryAfter(text: string, previous?: number): number {
    return readSeconds(text, previous);
  }

  @Help('after')
  examples(): string {
    return `
Examples:
  on --for 30m --message "Back in half an hour"
  on --scope payments --mode read-only
  on --at 2026-12-01T02:00Z --until 2026-12-01T04:00Z
  on --at 2026-12-01T02:00 --for 2h --tz Europe/Rome
  on --every "0 3 * * 0" --for 1h --tz Europe/Rome`;
  }
}
