import type { StorageFailurePolicy } from '../../libs/maintenance/src/core/state-monitor.js';
import type { Span, Vitals } from '../fleet/instance.js';

/** All times in a history are milliseconds since the epoch. */
export interface History {
  /** In the order in which they were sent: one after the other. */
  writes: Write[];
  faults: Fault[];
  lives: Life[];
  /** When whoever watched did not come to do anything. */
  stalls: Span[];
}

/** One use of the switch. */
export interface Write {
  /** What refusals say afterwards; `null`: it was turned off. */
  message: string | null;
  /** The process that was asked, by its number. */
  by: number;
  sentAt: number;
  endedAt: number;
  /** Of the answer; `null`: none came. */
  status: number | null;
  /** The revision that was confirmed; `null`: none was, so that it may be written now, later or never. */
  revision: number | null;
}

export interface Fault {
  kind: string;
  /** What can't be relied on meanwhile. Whoever can't read can't write. */
  breaks: 'reads' | 'writes';
  /** Whether the storage has lost what it had. */
  forgets: boolean;
  from: number;
  /** When it was put right; `Infinity`: not yet. */
  to: number;
  /** Milliseconds after which nothing may be seen of it any more. */
  recovery: number;
}

/** What an instance said that it goes by. */
export interface Basis {
  isOn: boolean;
  revision: number;
  source: 'configuration' | 'storage' | 'last-known' | 'fallback';
  message: string | null;
}

export interface Answer {
  sentAt: number;
  heardAt: number;
  /** `null`: no answer, but an error of the connection. */
  status: number | null;
  /** What a refusal says, where it is one that a window speaks for. */
  message: string | null;
  /** At the moment at which the answer was made, which is a little after that of the decision. */
  basis: Basis | null;
  error?: string;
}

/** What an instance held at a quiet moment. */
export interface Sample extends Vitals {
  at: number;
  /** Requests answered until then. */
  requests: number;
}

/** One process, from the moment at which it listened. */
export interface Life {
  number: number;
  name: string;
  policy: StorageFailurePolicy;
  startedAt: number;
  /** When somebody has sent it a signal to end; `Infinity`: nobody has. */
  signalledAt: number;
  answers: Answer[];
  stalls: Span[];
  samples: Sample[];
}
