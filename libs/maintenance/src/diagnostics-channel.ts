import { channel } from 'node:diagnostics_channel';
import type { ChangeMessage } from './core/publisher/status-publisher.js';

// A constant, because Node drops a channel without references, and may do so after a listener has subscribed to
// its successor (nodejs/node#59910).
const CHANGE_CHANNEL = channel('nestjs-maintenance:change');

/** Publishes a change to the listeners in this process, such as metrics and audits, which import nothing of ours. */
export function publishChange(message: ChangeMessage): void {
  if (CHANGE_CHANNEL.hasSubscribers) CHANGE_CHANNEL.publish(message);
}
