import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import type { InstanceReport } from '../core/instance-report.js';

/** Where a process can be looked up, and how it is told from a later one with the same pid. */
export type ProcessIdentity = Pick<InstanceReport, 'machine' | 'started'>;

/** Returns the identity of this process. */
export function getProcessIdentity(): ProcessIdentity {
  const machine = getMachineId();
  const started = readStat(process.pid)?.started;
  return { ...(machine !== undefined && { machine }), ...(started !== undefined && { started }) };
}

/**
 * Whether the process that wrote the report ran on this machine and is gone: its pid is free, or belongs to another process by now.
 * Of a process on another machine, or in another container, nothing can be said from here.
 *
 * @param here - this machine, as {@link getMachineId} gives it
 */
export function isProcessGone({ machine, pid, started }: InstanceReport, here: string | undefined): boolean {
  if (machine === undefined || machine !== here || !Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const stat = readStat(pid);
  if (!stat) return false;
  // Killed, and not yet collected by its parent: it serves nothing any more.
  if (stat.state === 'Z' || stat.state === 'X') return true;
  return started !== undefined && stat.started !== started;
}

/**
 * Returns what identifies this machine as far as pids go: they mean the same where the system was booted at the same time and, in
 * containers, in the same namespace.
 */
export function getMachineId(): string | undefined {
  const parts = process.platform === 'linux' ? readLinuxMachineKey() : readNetworkMachineKey();
  if (!parts) return undefined;
  return createHash('sha256')
    .update(JSON.stringify([hostname(), parts]))
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

// Elsewhere there are no namespaces; the addresses tell apart machines with the same name.
function readNetworkMachineKey(): string[] | null {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const macs = all.flatMap(({ internal, mac }) => (internal || /^[0:]+$/.test(mac) ? [] : mac));
  return macs.length > 0 ? [...new Set(macs)].sort() : null;
}

/** Linux only: see proc(5). The name of the program, the second field, may hold blanks and brackets. */
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
