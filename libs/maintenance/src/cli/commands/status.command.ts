import { Help, Option } from 'nest-commander';
import { findStorageFailure, readStatus } from '../maintenance-commands.js';
import { formatStatus } from '../print.js';
import { toDisagreementJson, isRefusedRegardless } from '../print-agreement.js';
import type { Target } from '../target-finder.js';
import { StorageCommand, type Outcome, type StorageOptions } from './storage.command.js';

/** The name and the description of the command, standalone and in an application's program. */
export const STATUS_COMMAND = { name: 'status', description: 'show active and planned windows' };

/**
 * The exit code while maintenance is on, or while instances refuse for another reason than a change that reaches them
 * soon.
 */
const ON_EXIT_CODE = 3;

interface StatusOptions extends StorageOptions {
  history?: boolean;
}

/** The command `status`. Subclasses add it to a program. */
export abstract class StatusCommand extends StorageCommand<StatusOptions> {
  protected override async perform(target: Target, options: StatusOptions): Promise<Outcome> {
    const report = await readStatus(target);
    const { status, history } = report;
    const json = { ...status, ...(options.history && { history }), ...toDisagreementJson(report) };
    const failure = findStorageFailure(report);
    if (failure !== undefined) return { lines: [], json, error: failure };
    const isOn = status.active || isRefusedRegardless(report);
    return { lines: formatStatus(report, options.history), json, ...(isOn && { exitCode: ON_EXIT_CODE }) };
  }

  @Option({ flags: '--history', description: 'include the change history' })
  parseHistory(): boolean {
    return true;
  }

  @Help('after')
  exitCodes(): string {
    return `
Exit codes: 0 maintenance is off, 3 it is on or instances refuse whatever is stored, 1 the storage can't be read.`;
  }
}
