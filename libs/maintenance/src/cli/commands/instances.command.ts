import { livingInstances } from '../../fleet/instances.js';
import { SystemClock } from '../../state/clock.js';
import { readStatus } from '../operations.js';
import { instancesLines } from '../print-instances.js';
import type { Target } from '../target.js';
import { StorageCommand, type Outcome, type StorageOptions } from './storage.command.js';

/** How the command is called and described, wherever it stands. */
export const INSTANCES = {
  name: 'instances',
  description: 'show who reports on the storage, and what they work on',
};

/** `instances`; where it stands in a program is up to the classes that extend it. */
export abstract class InstancesCommand extends StorageCommand<StorageOptions> {
  protected override async perform(target: Target): Promise<Outcome> {
    const found = await livingInstances(target.storage, new SystemClock());
    const report = await readStatus(target);
    const { kind, location } = target.storage;
    return {
      lines: instancesLines(report, found),
      json: { instances: found, revision: report.status.revision, storage: { kind, location } },
    };
  }
}
