import { Option } from 'nest-commander';
import type { DisableOptions } from '../../core/window-options.js';
import { turnOff } from '../maintenance-commands.js';
import { toChangeJson, formatChange } from '../print.js';
import type { Target } from '../target-finder.js';
import { readName } from '../option-parsers.js';
import { StorageCommand, type Outcome, type StorageOptions } from './storage.command.js';

/** How the command is called and described, wherever it stands. */
export const OFF_COMMAND = { name: 'off', description: 'turn maintenance off: end the windows that are on' };

interface OffOptions extends StorageOptions, DisableOptions {
  force?: boolean;
}

/** `off`; where it stands in a program is up to the classes that extend it. */
export abstract class OffCommand extends StorageCommand<OffOptions> {
  protected override async perform(target: Target, { scope, id, all, force }: OffOptions): Promise<Outcome> {
    const report = await turnOff({ ...target, force }, { scope, id, all });
    const nothing = scope === undefined ? 'Nothing was on.' : `Nothing was on with the scope ${scope}.`;
    const isPlanned = report.status.windows.planned.length > 0;
    return {
      lines: formatChange(report, isPlanned ? `${nothing} To end what is planned too, add --all.` : nothing),
      json: toChangeJson(report),
    };
  }

  @Option({ flags: '--scope <name>', description: 'only windows of this scope' })
  parseScope(text: string, previous?: string): string {
    return readName(text, previous);
  }

  @Option({ flags: '--id <id>', description: 'only this window, be it on or planned' })
  parseId(text: string, previous?: string): string {
    return readName(text, previous);
  }

  @Option({ flags: '--all', description: 'planned windows too' })
  parseAll(): boolean {
    return true;
  }

  @Option({ flags: '--force', description: 'replace what is stored, even if it never was a state' })
  parseForce(): boolean {
    return true;
  }
}
