import { getEventListeners } from 'node:events';
import { Subject } from 'rxjs';
import { waitUntilInactive } from './wait-until-inactive.js';

const changes = new Subject<void>();
let isActive: boolean;
let asked: AbortController;
let shutdown: AbortController;

function wait(): Promise<void> {
  return waitUntilInactive({ isActive: () => isActive, changes, signals: [asked.signal, shutdown.signal] });
}

function listeners(): number[] {
  return [asked, shutdown].map(({ signal }) => getEventListeners(signal, 'abort').length);
}

beforeEach(() => {
  isActive = true;
  asked = new AbortController();
  shutdown = new AbortController();
});
// No listener may remain, whatever the outcome.
afterEach(() => {
  expect(changes.observed).toBe(false);
  expect(listeners()).toEqual([0, 0]);
});

it('resolves at once if maintenance is off', async () => {
  isActive = false;
  await wait();
});

it('resolves with the change that ends the last window', async () => {
  const waiting = wait();
  changes.next();
  expect(listeners()).toEqual([1, 1]);
  isActive = false;
  changes.next();
  expect(listeners()).toEqual([0, 0]);
  await waiting;
});

it.each(['asked', 'shutdown'] as const)('rejects with the reason of the signal: %s', async (which) => {
  const waiting = wait();
  const reason = new Error('enough');
  (which === 'asked' ? asked : shutdown).abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

it('rejects at once if a signal is already aborted', async () => {
  isActive = false;
  asked.abort(new Error('enough'));
  await expect(wait()).rejects.toThrow('enough');
});
