import { RmqContext } from '@nestjs/microservices';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { ManualClock } from '../../testing/manual-clock.js';
import { UnackedMessages } from './unacked-messages.js';

const MINUTE_MS = 60_000;
const RULES: HandlerRules = {
  override: null,
  scopes: ['*'],
  access: null,
  isAdmin: false,
  isEventStream: false,
  probeKind: null,
};

/** Creates a channel that records the calls of `nack()`. */
function createChannel(log: unknown[]): object {
  return { nack: (...args: unknown[]) => log.push(args) };
}

function createContext(channel: object, message: object): RmqContext {
  return new RmqContext([message, channel, 'sold']);
}

it('requeues a message before the timeout of the broker', async () => {
  const clock = new ManualClock(0);
  const messages = new UnackedMessages(clock);
  const log: unknown[] = [];
  const channel = createChannel(log);
  const [first, second] = [{ name: 'first' }, { name: 'second' }];
  messages.add(createContext(channel, first), RULES);
  await clock.moveTo(19 * MINUTE_MS);
  messages.add(createContext(channel, second), RULES);
  expect(log).toEqual([]);
  await clock.moveTo(20 * MINUTE_MS);
  expect(log).toEqual([
    [first, false, true],
    [second, false, true],
  ]);
  // A message that is delivered again is kept for another 20 minutes.
  messages.add(createContext(channel, first), RULES);
  await clock.moveTo(39 * MINUTE_MS);
  expect(log).toHaveLength(2);
  await clock.moveTo(40 * MINUTE_MS);
  expect(log).toHaveLength(3);
});

it('waits for nothing once all messages are requeued', () => {
  const clock = new ManualClock(0);
  const messages = new UnackedMessages(clock);
  messages.add(createContext(createChannel([]), {}), RULES);
  expect(clock.pending).toBe(1);
  messages.requeueAdmitted(() => true);
  expect(clock.pending).toBe(0);
});

it('requeues the other messages if one channel is closed', () => {
  const messages = new UnackedMessages(new ManualClock(0));
  const log: unknown[] = [];
  const closed = {
    nack: () => {
      throw new Error('Channel closed');
    },
  };
  messages.add(createContext(closed, {}), RULES);
  messages.add(createContext(createChannel(log), { name: 'second' }), RULES);
  messages.requeueAdmitted(() => true);
  expect(log).toEqual([[{ name: 'second' }, false, true]]);
});

it('drops all messages at shutdown without using a closing channel', () => {
  const clock = new ManualClock(0);
  const messages = new UnackedMessages(clock);
  const log: unknown[] = [];
  messages.add(createContext(createChannel(log), {}), RULES);
  messages.clear();
  expect(clock.pending).toBe(0);
  messages.requeueAdmitted(() => true);
  expect(log).toEqual([]);
});
