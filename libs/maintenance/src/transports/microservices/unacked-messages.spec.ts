import { RmqContext } from '@nestjs/microservices';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { ManualClock } from '../../testing/manual-clock.js';
import { UnackedMessages } from './unacked-messages.js';

const MINUTE = 60_000;
const RULES: HandlerRules = {
  override: null,
  scopes: ['*'],
  access: null,
  isAdmin: false,
  isEventStream: false,
  probeKind: null,
};

/** A channel that records what is given back. */
function channelInto(log: unknown[]): object {
  return { nack: (...args: unknown[]) => log.push(args) };
}

function createContext(channel: object, message: object): RmqContext {
  return new RmqContext([message, channel, 'sold']);
}

it('requeues a message before the timeout of the broker', async () => {
  const clock = new ManualClock(0);
  const held = new UnackedMessages(clock);
  const log: unknown[] = [];
  const channel = channelInto(log);
  const [first, second] = [{ name: 'first' }, { name: 'second' }];
  held.add(createContext(channel, first), RULES);
  await clock.moveTo(19 * MINUTE);
  held.add(createContext(channel, second), RULES);
  expect(log).toEqual([]);
  await clock.moveTo(20 * MINUTE);
  expect(log).toEqual([
    [first, false, true],
    [second, false, true],
  ]);
  // What comes again is kept anew, for as long.
  held.add(createContext(channel, first), RULES);
  await clock.moveTo(39 * MINUTE);
  expect(log).toHaveLength(2);
  await clock.moveTo(40 * MINUTE);
  expect(log).toHaveLength(3);
});

it('waits for nothing once all messages are requeued', () => {
  const clock = new ManualClock(0);
  const held = new UnackedMessages(clock);
  held.add(createContext(channelInto([]), {}), RULES);
  expect(clock.pending).toBe(1);
  held.requeueAdmitted(() => true);
  expect(clock.pending).toBe(0);
});

it('requeues the other messages if one channel is closed', () => {
  const held = new UnackedMessages(new ManualClock(0));
  const log: unknown[] = [];
  const closed = {
    nack: () => {
      throw new Error('Channel closed');
    },
  };
  held.add(createContext(closed, {}), RULES);
  held.add(createContext(channelInto(log), { name: 'second' }), RULES);
  held.requeueAdmitted(() => true);
  expect(log).toEqual([[{ name: 'second' }, false, true]]);
});

it('drops all messages at shutdown without using a closing channel', () => {
  const clock = new ManualClock(0);
  const held = new UnackedMessages(clock);
  const log: unknown[] = [];
  held.add(createContext(channelInto(log), {}), RULES);
  held.close();
  expect(clock.pending).toBe(0);
  held.requeueAdmitted(() => true);
  expect(log).toEqual([]);
});
