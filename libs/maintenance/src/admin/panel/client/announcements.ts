import type { PanelState } from '../panel-state.js';
import { describeScopes } from './format.js';

/** Reads a text to users of screen readers. */
export function announce(text: string): void {
  const region = document.getElementById('announcements');
  if (region && region.textContent !== text) region.textContent = text;
}

/** Describes the difference of two states, if it is worth an interruption. */
export function describeChange(before: PanelState | null, after: PanelState): string {
  if (before === null) return '';
  const texts: string[] = [];
  if (before.status.active !== after.status.active) {
    texts.push(after.status.active ? `Maintenance is on: ${describeScopes(after.status)}.` : 'Maintenance is off.');
  } else if (before.status.revision !== after.status.revision && after.history[0]?.at !== before.history[0]?.at) {
    texts.push('Maintenance was changed.');
  }
  if (before.status.storage.healthy !== after.status.storage.healthy) {
    texts.push(after.status.storage.healthy ? 'The storage can be read again.' : 'The storage can’t be read.');
  }
  if (after.fleet.drain?.drained && before.fleet.drain?.drained === false) texts.push('Drained.');
  return texts.join(' ');
}
