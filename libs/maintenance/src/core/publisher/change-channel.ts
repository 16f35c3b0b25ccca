import { channel } from 'node:diagnostics_channel';
import type { HistoryEntry } from '../maintenance-state.js';
import type { MaintenanceStatus } from '../maintenance-status.js';

// Held: Node drops a channel that nobody holds, and may do so after somebody has subscribed to its successor (nodejs/node#59910).
const CHANGE_CHANNEL = channel('nestjs-maintenance:change');

/** What subscribers of the channel get. */
export interface ChangeMessage {
  status: MaintenanceStatus;
  /** Who has changed what since the last message, when and from where, oldest first; empty where nobody did, as at the end of a window. */
  changes: readonly HistoryEntry[];
}

/** Tells whoever listens in this process, without an import of ours: metrics, messages, audits. */
export function publishChange(message: ChangeMessage): void {
  if (CHANGE_CHANNEL.hasSubscribers) CHANGE_CHANNEL.publish(message);
}
