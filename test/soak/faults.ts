import type { FaultyLine } from './faulty-line.js';
import type { Random } from './random.js';

/** A fault that can be injected into a storage or an instance. */
export interface FaultKind {
  name: string;
  breaks: 'reads' | 'writes';
  /** Whether the storage loses its content until the next write. */
  losesData?: boolean;
  /** Minimum and maximum duration in milliseconds; without it, the fault is instantaneous. */
  durationMs?: [min: number, max: number];
  /** Milliseconds for which older calls or connections may still hang after the fault. Default: 0. */
  hangMs?: number;
  /** Whether no write may run at the same time, because the fault copies the stored state. */
  excludesWrites?: boolean;
  begin: (random: Random) => unknown;
  end?: () => unknown;
}

/** A running storage and the faults that can be injected into it. */
export interface SoakStorage {
  url: string;
  env: Record<string, string>;
  faults: FaultKind[];
  close(): Promise<void>;
}

export interface StorageKind {
  name: string;
  /** Milliseconds between two reads of an instance. */
  refreshInterval: number;
  /** Milliseconds after which every instance must apply a change. With polling: one interval plus a read. */
  maxDelayMs: number;
  /** Whether instances find changes by polling only. */
  polls: boolean;
  isAvailable: boolean;
  open(): Promise<SoakStorage>;
}

/** How long a storage waits for the answer to a call. */
export const CALL_TIMEOUT_MS = 3_000;
/** @param silenceMs - milliseconds after which clients give up a connection that went silent */
export function createNetworkFaults(line: FaultyLine, silenceMs: number): FaultKind[] {
  let timer: NodeJS.Timeout | undefined;
  const end = (): Promise<void> => line.heal();
  const hangMs = CALL_TIMEOUT_MS;
  return [
    {
      name: 'high latency',
      breaks: 'reads',
      durationMs: [1_000, 3_000],
      hangMs,
      begin: (random) => line.delay(random.between(100, 500)),
      end,
    },
    {
      name: 'latency above the timeouts',
      breaks: 'reads',
      durationMs: [2_000, 5_000],
      hangMs,
      begin: (random) => line.delay(random.between(2_000, 4_000)),
      end,
    },
    {
      name: 'traffic blocked',
      breaks: 'reads',
      durationMs: [1_000, 5_000],
      hangMs,
      begin: () => line.delay(Infinity),
      end,
    },
    { name: 'open connections go silent', breaks: 'reads', hangMs: silenceMs, begin: () => line.silence() },
    { name: 'connections closed', breaks: 'reads', begin: () => line.cut() },
    { name: 'connections reset', breaks: 'reads', begin: () => line.reset() },
    {
      name: 'connections closed repeatedly',
      breaks: 'reads',
      durationMs: [500, 3_000],
      begin: (random) => (timer = setInterval(() => line.cut(), random.between(20, 200))),
      end: () => clearInterval(timer),
    },
    {
      name: 'answers truncated',
      breaks: 'reads',
      durationMs: [500, 3_000],
      begin: (random) => line.truncate(Math.floor(random.between(0, 200))),
      end,
    },
    { name: 'connections refused', breaks: 'reads', durationMs: [300, 3_000], begin: () => line.refuse(), end },
  ];
}

/** @param server - a server whose process or processes can be suspended */
export function createFreezeFault(server: { signal(signal: NodeJS.Signals): void }): FaultKind {
  return {
    name: 'server frozen',
    breaks: 'reads',
    durationMs: [1_000, 5_000],
    hangMs: CALL_TIMEOUT_MS,
    begin: () => server.signal('SIGSTOP'),
    end: () => server.signal('SIGCONT'),
  };
}
