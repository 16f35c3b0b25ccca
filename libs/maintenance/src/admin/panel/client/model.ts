import { useEffect, useState } from 'preact/hooks';
import type { PanelState } from '../panel-state.js';
import { announce, describeChange } from './announcements.js';

/** How the state arrives. */
export type Link = 'connecting' | 'live' | 'polling' | 'offline';

/** Everything that the screens show. Replaced, never modified. */
export interface Model {
  state: PanelState | null;
  /** When the state arrived, by the monotonic clock of the browser. */
  receivedAt: number;
  link: Link;
  /** Whether the sign-in is shown, and why. */
  signedOut: 'no' | 'new' | 'over' | 'ended' | 'ended-here';
  /** Why the state could not be loaded, other than by the network. */
  error: string | null;
  /** The link of a bypass that was just created: the storage has only its hash. */
  bypassLink: string | null;
}

let model: Model = {
  state: null,
  receivedAt: 0,
  link: 'connecting',
  signedOut: 'no',
  error: null,
  bypassLink: null,
};
const listeners = new Set<() => void>();

/** How long a state that is older than the own change is ignored: another instance may answer, and be behind. */
const BEHIND_MS = 15_000;
let ownChange = { revision: 0, at: -Infinity };

export function getModel(): Model {
  return model;
}

export function updateModel(change: Partial<Model>): void {
  model = { ...model, ...change };
  for (const listener of listeners) listener();
}

/** Shows the state of an answer. */
export function acceptState(state: PanelState): void {
  const isBehind = state.status.revision < ownChange.revision && performance.now() - ownChange.at < BEHIND_MS;
  if (isBehind) return;
  const news = describeChange(model.state, state);
  updateModel({ state, receivedAt: performance.now(), signedOut: 'no', error: null });
  if (news) announce(news);
}

/** Remembers the revision of a change that was stored. */
export function rememberOwnChange(revision: number): void {
  ownChange = { revision, at: performance.now() };
}

/** Returns the time of the server in milliseconds since the epoch: the clock of the browser may be wrong. */
export function getServerNow({ state, receivedAt }: Model = model): number {
  return state ? Date.parse(state.now) + performance.now() - receivedAt : Date.now();
}

export function useModel(): Model {
  const [current, setCurrent] = useState(model);
  useEffect(() => {
    const listener = (): void => setCurrent(model);
    listener();
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return current;
}

/** Returns the time of the server, every second. */
export function useNow(): number {
  const [now, setNow] = useState(getServerNow());
  useEffect(() => {
    const timer = setInterval(() => setNow(getServerNow()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(now, getServerNow());
}

/** Whether a change could be stored now. Corrupt or lost content is replaced by the next change. */
export function canChange({ state, link }: Model): boolean {
  if (!state || link === 'offline' || state.access === 'view' || isForced(state)) return false;
  return state.status.storage.healthy || ['corrupt', 'lost'].includes(state.storageErrorCode ?? '');
}

export function isForced({ forcedBy, status }: PanelState): boolean {
  return forcedBy !== null || status.source === 'configuration';
}
