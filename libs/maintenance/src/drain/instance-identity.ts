import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { InstanceReport } from '../core/instance-report.js';
import { getProcessIdentity } from './process-lookup.js';

/** Which application an instance belongs to. */
export type ApplicationIdentity = Pick<InstanceReport, 'application' | 'startFile' | 'appVersion'>;

/** Who an instance is, as long as it lives. */
export type InstanceIdentity = Pick<InstanceReport, 'id' | 'host' | 'pid' | 'machine' | 'started'> &
  ApplicationIdentity;

/** The identity of an application in this process, which may hold several. */
export function createIdentity(application: ApplicationIdentity = {}): InstanceIdentity {
  const id = randomBytes(4).toString('hex');
  return { id, host: hostname(), pid: process.pid, ...getProcessIdentity(), ...application };
}
