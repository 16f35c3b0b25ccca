import { useRef, useState } from 'preact/hooks';
import type { HistoryEntry } from '../../../core/maintenance-state.js';
import type { PanelConflict, PanelOnAnswer } from '../panel-state.js';
import { announce } from './announcements.js';
import { request, type Failure } from './api.js';
import { handleFailure, load } from './connection.js';
import { acceptState, getModel, rememberOwnChange, useModel } from './model.js';

/** The last attempt of a screen to change something. */
export interface Write {
  isBusy: boolean;
  /** Why nothing was changed. */
  problem: string;
  /** The changes of others since the operator looked; `null` if there are none. */
  changes: HistoryEntry[] | null;
  /** Continues with the state that has those changes. */
  acceptChanges: () => void;
  /** Sends a change. Returns the answer, or `null` if nothing was changed. */
  send: (path: '/on' | '/off', body: object) => Promise<PanelOnAnswer | null>;
}

/** Sends changes that name the revision which the operator has seen. */
export function useWrite(): Write {
  const { status, history } = useModel().state!;
  // Not state of the component: a second change follows the first one within one event.
  const seen = useRef(status.revision);
  const [refused, setRefused] = useState<PanelConflict | null>(null);
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const newer = history.filter(({ revision }) => revision > seen.current);

  function acceptChanges(): void {
    seen.current = Math.max(status.revision, refused?.revision ?? 0);
    setRefused(null);
  }

  async function send(path: '/on' | '/off', body: object): Promise<PanelOnAnswer | null> {
    if (isBusy) return null;
    setBusy(true);
    setProblem('');
    const { value, failure } = await request<PanelOnAnswer>('POST', path, { ...body, ifRevision: seen.current });
    if (!failure) {
      seen.current = value.revision;
      await show(value);
    }
    setBusy(false);
    if (!failure) return value;
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

  const changes = newer.length > 0 ? newer : (refused?.changes ?? null);
  return { isBusy, problem, changes, acceptChanges, send };
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
