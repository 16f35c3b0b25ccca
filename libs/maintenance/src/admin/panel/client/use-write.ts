import { useState } from 'preact/hooks';
import type { HistoryEntry } from '../../../core/maintenance-state.js';
import type { PanelOnAnswer } from '../panel-state.js';
import { announce } from './announcements.js';
import { request, type Failure, type Result } from './api.js';
import { handleFailure, load } from './connection.js';
import { acceptState, getModel, rememberOwnChange, useModel } from './model.js';

/** The last attempt of a screen to change something. */
export interface Write {
  isBusy: boolean;
  /** Why nothing was changed. */
  problem: string;
  /** The changes of others since the operator looked. */
  changes: HistoryEntry[];
  /** Continues with the state that has those changes. */
  acceptChanges: () => void;
  /** Sends a change. Returns the answer, or `null` if nothing was changed. */
  send: (path: '/on' | '/off', body: object) => Promise<PanelOnAnswer | null>;
}

/** Sends changes that name the revision which the operator has seen. */
export function useWrite(): Write {
  const { state } = useModel();
  const current = state!.status.revision;
  const [seen, setSeen] = useState(current);
  const [refused, setRefused] = useState<{ revision: number; changes: HistoryEntry[] } | null>(null);
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const newer = state!.history.filter(({ revision }) => revision > seen);
  const changes = newer.length > 0 ? newer : (refused?.changes ?? []);

  function acceptChanges(): void {
    setSeen(Math.max(current, refused?.revision ?? 0));
    setRefused(null);
  }

  async function send(path: '/on' | '/off', body: object): Promise<PanelOnAnswer | null> {
    if (isBusy) return null;
    setBusy(true);
    setProblem('');
    // A program that renews the lease of its window makes revisions that are in no history.
    const result = await post(path, body, Math.max(seen, current));
    const { failure } = result;
    if (!failure) await show(result.value);
    setBusy(false);
    if (!failure) return result.value;
    if (failure.kind === 'conflict') {
      setRefused(failure.conflict);
      announce('Not changed: the state was changed meanwhile.');
      await load();
    } else {
      setProblem(describeFailure(failure));
      if (failure.kind !== 'refused') handleFailure(failure);
    }
    return null;
  }

  return { isBusy, problem, changes, acceptChanges, send };
}

async function post(path: string, body: object, ifRevision: number): Promise<Result<PanelOnAnswer>> {
  const result = await request<PanelOnAnswer>('POST', path, { ...body, ifRevision });
  const { failure } = result;
  if (failure?.kind !== 'conflict' || failure.conflict.changes.length > 0) return result;
  return request<PanelOnAnswer>('POST', path, { ...body, ifRevision: failure.conflict.revision });
}

/** Shows the state that was stored and read back. */
async function show(answer: PanelOnAnswer): Promise<void> {
  const { bypass: _, ...status } = answer;
  rememberOwnChange(status.revision);
  if (await load()) return;
  const { state } = getModel();
  if (state) acceptState({ ...state, status });
}

function describeFailure(failure: Failure): string {
  if (failure.kind === 'offline') {
    return 'No answer came. The change may have been stored or not: wait until the panel is connected, and look.';
  }
  if (failure.kind === 'refused') return `Nothing was changed. ${failure.message}`;
  return 'Nothing was changed: your session is over.';
}
