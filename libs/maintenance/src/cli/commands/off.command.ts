import { Option } from 'nest-commander';
import type { DisableOptions } from '../../core/window-options.js';
import { turnOff } from '../maintenance-commands.js';
import { toChangeJson, formatChange } from '../print.js';
import type { Target } from '../target-finder.js';
import { readName } from '../option-parsers.js';
import { StorageCommand, type Outcome, type StorageOptions } from './storage.command.js';

/** The name and the description of the command, standalone and in an application's program. */
export const OFF_COMMAND = { name: 'off', description: 'turn maintenance off' };

interface OffOptions extends StorageOptions, DisableOptions {
  force?: boolean;
}

/** The command `off`. Subclasses add it to a program. */
export abstract class OffCommand extends StorageCommand<OffOptions> {
  protected override async perform(target: Target, { scope, id, all, force }: OffOptions): Promise<Outcome> {
    const report = await turnOff({ ...target, force }, { scope, id, all });
    const unchanged = scope === undefined ? 'Nothing was on.' : `No active window has the scope ${scope}.`;
    const hasPlanned = report.status.windows.planned.length > 0;
    return {
      lines: formatChange(report, hasPlanned ? `${unchanged} To cancel planned windows too, add --all.` : unchanged),
      json: toChangeJson(report),
    };
  }

  @Option({ flags: '--scope <name>', description: 'only windows of this scope' })
  parseScope(text: string, previous?: string): string {
    return readName(text, previous);
  }

  @Option({ flags: '--id <id>', description: 'only this window, active or planned' })
  parseId(text: string, previous?: string): string {
    return readName(text, previous);
  }

  @Option({ flags: '--all', description: 'planned windows too' })
  parseAll(): boolean {
    return true;
  }

  @Option({ flags: '--force', description: 'replace stored content even if it never was a maintenance state' })
  parseForce(): boolean {
    return true;
  }
}
