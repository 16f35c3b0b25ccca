import { findStorageFailure, readInstances } from '../maintenance-commands.js';
import { toDisagreementJson } from '../print-agreement.js';
import { formatInstances } from '../print-instances.js';
import type { Target } from '../target-finder.js';
import { StorageCommand, type Outcome, type StorageOptions } from './storage.command.js';

/** How the command is called and described, wherever it stands. */
export const INSTANCES_COMMAND = {
  name: 'instances',
  description: 'show who reports on the storage, and what they work on',
};

/** `instances`; where it stands in a program is up to the classes that extend it. */
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
