import type { PanelState } from '../panel-state.js';
import { announce } from './announcements.js';
import { BASE, CONFIG, request, type Failure } from './api.js';
import { acceptState, getModel, updateModel, type Model } from './model.js';

/** Between two requests while no stream is open. */
const POLL_INTERVAL_MS = 3_000;
/** Between two attempts to open the stream. */
const RETRY_INTERVAL_MS = 15_000;
/** A stream without events for this time may be dead, or buffered by a proxy: the state is asked for then. */
const MAX_SILENCE_MS = 20_000;

let source: EventSource | null = null;
let nextStreamAt = 0;
let lastEventAt = 0;
let isLoading = false;

/** Loads the state and follows it. */
export function startConnection(): void {
  void load();
  setInterval(() => void check(), POLL_INTERVAL_MS);
  addEventListener('online', () => void load());
  addEventListener('offline', () => setOffline());
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void load();
  });
}

/** Asks for the state now. */
export async function load(): Promise<boolean> {
  const result = await request<PanelState>('GET', '/panel/state');
  if (result.failure) {
    handleFailure(result.failure);
    return false;
  }
  acceptState(result.value);
  lastEventAt = performance.now();
  if (!source) {
    setLink('polling');
    openStream();
  }
  return true;
}

/** Shows a failure that concerns the whole panel. */
export function handleFailure(failure: Failure): void {
  // A request may be on its way when the operator signs out.
  if (getModel().signedOut !== 'no') return;
  const isRefusedByGuards = failure.kind === 'refused' && failure.status === 403 && CONFIG.signIn === 'guards';
  if (failure.kind === 'signed-out' || isRefusedByGuards) signOut(getModel().state ? 'over' : 'new');
  else if (failure.kind === 'offline') setOffline();
  else if (failure.kind === 'refused') updateModel({ error: `${failure.message} (status ${failure.status})` });
}

/** Ends the stream, which has the rights of the session that is over, and shows the sign-in. */
export function signOut(reason: Model['signedOut']): void {
  closeStream();
  updateModel({ signedOut: reason, state: null, link: 'connecting', bypassLink: null });
}

async function check(): Promise<void> {
  const { signedOut } = getModel();
  if (signedOut !== 'no' || document.hidden || isLoading) return;
  if (source && performance.now() - lastEventAt < MAX_SILENCE_MS) return;
  isLoading = true;
  await load();
  isLoading = false;
}

function openStream(): void {
  if (performance.now() < nextStreamAt) return;
  nextStreamAt = performance.now() + RETRY_INTERVAL_MS;
  const stream = new EventSource(`${BASE}/panel/events`);
  source = stream;
  stream.addEventListener('state', ({ data }: MessageEvent<string>) => {
    if (source !== stream) return;
    lastEventAt = performance.now();
    acceptState(JSON.parse(data) as PanelState);
    setLink('live');
  });
  stream.addEventListener('error', () => {
    if (source !== stream) return;
    closeStream();
    void load();
  });
}

function closeStream(): void {
  source?.close();
  source = null;
}

function setOffline(): void {
  closeStream();
  nextStreamAt = 0;
  setLink('offline');
}

function setLink(link: 'live' | 'polling' | 'offline'): void {
  const { link: before } = getModel();
  if (before === link) return;
  updateModel({ link });
  if (link === 'offline') announce('No connection to the application.');
  else if (before === 'offline') announce('Connected again.');
}
