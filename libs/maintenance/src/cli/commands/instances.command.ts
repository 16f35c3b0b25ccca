import { findStorageFailure, readInstances } from '../maintenance-commands.js';
import { toDisagreementJson } from '../print-agreement.js';
import { formatInstances } from '../print-instances.js';
import type { Target } from '../target-finder.js';
import { StorageCommand, type Outcome, type StorageOptions } from './storage.command.js';

/** The name and the description of the command, standalone and in an application's program. */
export const INSTANCES_COMMAND = {
  name: 'instances',
  description: 'list running instances and their in-flight work',
};

/** The command `instances`. Subclasses add it to a program. */
export abstract class InstancesCommand extends StorageCommand<StorageOptions> {
  protected override async perform(target: Target): Promise<Outcome> {
    const report = await readInstances(target);
    const { kind, location } = target.storage;
    const { instances } = report.agreement;
    return {
      lines: formatInstances(report),
      json: {
        instances,
        revision: report.status.revision,
        storage: { kind, location },
        ...toDisagreementJson(report),
      },
      error: findStorageFailure(report),
    };
  }
}
