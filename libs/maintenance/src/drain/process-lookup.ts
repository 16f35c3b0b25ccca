import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import type { InstanceReport } from '../core/instance-report.js';

/** The machine of a process, and its start time, which tells it from a later process with the same pid. */
export type ProcessIdentity = Pick<InstanceReport, 'machine' | 'started'>;

/** Returns the identity of this process. */
export function getProcessIdentity(): ProcessIdentity {
  const machine = getMachineId();
  const started = readStat(process.pid)?.started;
  return { ...(machine !== undefined && { machine }), ...(started !== undefined && { started }) };
}

/**
 * Whether the process that wrote the report ran on this machine and is gone: its pid is free, or another process
 * has it now. A process on another machine, or in another container, is never taken for gone.
 *
 * @param here - the id of this machine, see {@link getMachineId}
 */
export function isProcessGone({ machine, pid, started }: InstanceReport, here: string | undefined): boolean {
  if (machine === undefined || machine !== here || !Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: the process exists, and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const stat = readStat(pid);
  if (!stat) return false;
  // Killed, but its parent has not collected its exit status yet.
  if (stat.state === 'Z' || stat.state === 'X') return true;
  return started !== undefined && stat.started !== started;
}

/**
 * Returns an id of the machine on which pids are comparable: the same boot of the system and, in containers, the
 * same pid namespace.
 *
 * @returns `undefined` where that can't be determined
 */
export function getMachineId(): string | undefined {
  const key = process.platform === 'linux' ? readLinuxMachineKey() : readNetworkMachineKey();
  if (!key) return undefined;
  return createHash('sha256')
    .update(JSON.stringify([hostname(), key]))
    .digest('hex')
    .slice(0, 16);
}

function readLinuxMachineKey(): string[] | null {
  try {
    return [readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'), readlinkSync('/proc/self/ns/pid')];
  } catch {
    return null;
  }
}

// Other systems have no pid namespaces; the MAC addresses tell machines with the same name apart.
function readNetworkMachineKey(): string[] | null {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const macs = all.flatMap(({ internal, mac }) => (internal || /^[0:]+$/.test(mac) ? [] : mac));
  return macs.length > 0 ? [...new Set(macs)].sort() : null;
}

/** Reads /proc, on Linux only, see proc(5). The program name, the second field, may contain spaces and brackets. */
function readStat(pid: number): { state: string; started: string } | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, started: fields[19]! };
  } catch {
    return undefined;
  }
}
