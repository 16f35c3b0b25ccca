import type { StorageFailurePolicy } from '../../libs/maintenance/src/core/state-monitor.js';
import type { Span, Vitals } from '../fleet/instance.js';

/** Everything recorded during one soak. All times are milliseconds since the epoch. */
export interface History {
  /** In the order in which they were sent; they never overlap. */
  writes: Write[];
  faults: Fault[];
  runs: InstanceRun[];
  /** When the event loop of the test process itself was blocked. */
  stalls: Span[];
}

/** One request that turns maintenance on or off. */
export interface Write {
  /** The message of refusals afterwards; `null` if the write turns maintenance off. */
  message: string | null;
  /** Number of the instance that received the request. */
  by: number;
  sentAt: number;
  endedAt: number;
  /** HTTP status; `null` if no answer arrived. */
  status: number | null;
  /** The confirmed revision; `null` if unconfirmed: the state may be written now, later or never. */
  revision: number | null;
}

export interface Fault {
  kind: string;
  /** The operation that may fail during the fault. If reads may fail, so may writes. */
  breaks: 'reads' | 'writes';
  /** Whether the storage loses its content. */
  losesData: boolean;
  from: number;
  /** When the fault was removed; `Infinity` while it lasts. */
  to: number;
  /** Milliseconds after `to` during which answers may still show the fault. */
  recoveryMs: number;
}

/** The state that an instance applies, as it reports it. */
export interface AppliedState {
  isOn: boolean;
  revision: number;
  source: 'configuration' | 'storage' | 'last-known' | 'fallback';
  message: string | null;
}

export interface Answer {
  sentAt: number;
  receivedAt: number;
  /** HTTP status; `null` if the connection failed. */
  status: number | null;
  /** The message of the window in a refusal, if there is one. */
  message: string | null;
  /** Read when the response was written, slightly after the decision. */
  applied: AppliedState | null;
  error?: string;
}

/** Resources of an instance, measured when no call to the storage was pending. */
export interface Sample extends Vitals {
  at: number;
  /** Number of requests sent before the measurement. */
  requests: number;
}

/** The record of one instance process. */
export interface InstanceRun {
  number: number;
  name: string;
  policy: StorageFailurePolicy;
  startedAt: number;
  /** When the test sent SIGTERM or SIGKILL; `Infinity` if it did not. */
  signalledAt: number;
  answers: Answer[];
  stalls: Span[];
  samples: Sample[];
}
