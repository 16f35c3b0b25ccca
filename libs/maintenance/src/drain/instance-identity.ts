import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { InstanceReport } from '../core/instance-report.js';
import { getProcessIdentity } from './process-lookup.js';

/** The application that an instance belongs to. */
export type ApplicationIdentity = Pick<InstanceReport, 'application' | 'startFile' | 'appVersion'>;

/** The part of an instance's reports that never changes while it runs. */
export type InstanceIdentity = Pick<InstanceReport, 'id' | 'host' | 'pid' | 'machine' | 'started'> &
  ApplicationIdentity;

/** Creates the identity of an instance. One process may run several instances. */
export function createIdentity(application: ApplicationIdentity = {}): InstanceIdentity {
  const id = randomBytes(4).toString('hex');
  return { id, host: hostname(), pid: process.pid, ...getProcessIdentity(), ...application };
}
