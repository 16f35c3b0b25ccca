import { RmqContext } from '@nestjs/microservices';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { ManualClock } from '../../testing/manual-clock.js';
import { HeldMessages } from './held-messages.js';

const MINUTE = 60_000;
const RULES: HandlerRules = {
  verdict: null,
  scopes: ['*'],
  access: null,
  isAdmin: false,
  isEventStream: false,
  probe: null,
};

/** A channel that records what is given back. */
function channelInto(log: unknown[]): object {
  return { nack: (...args: unknown[]) => log.push(args) };
}

function contextOf(channel: object, message: object): RmqContext {
  return new RmqContext([message, channel, 'sold']);
}

it('gives a message back before the broker loses patience', async () => {
  const clock = new ManualClock(0);
  const held = new HeldMessages(clock);
  const log: unknown[] = [];
  const channel = channelInto(log);
  const [first, second] = [{ name: 'first' }, { name: 'second' }];
  held.hold(contextOf(channel, first), RULES);
  await clock.moveTo(19 * MINUTE);
  held.hold(contextOf(channel, second), RULES);
  expect(log).toEqual([]);
  await clock.moveTo(20 * MINUTE);
  expect(log).toEqual([
    [first, false, true],
    [second, false, true],
  ]);
  // What comes again is kept anew, for as long.
  held.hold(contextOf(channel, first), RULES);
  await clock.moveTo(39 * MINUTE);
  expect(log).toHaveLength(2);
  await clock.moveTo(40 * MINUTE);
  expect(log).toHaveLength(3);
});

it('has nothing to wait for when all is given back', () => {
  const clock = new ManualClock(0);
  const held = new HeldMessages(clock);
  held.hold(contextOf(channelInto([]), {}), RULES);
  expect(clock.pending).toBe(1);
  held.review(() => true);
  expect(clock.pending).toBe(0);
});

it('gives the others back where one channel is closed', () => {
  const held = new HeldMessages(new ManualClock(0));
  const log: unknown[] = [];
  const closed = {
    nack: () => {
      throw new Error('Channel closed');
    },
  };
  held.hold(contextOf(closed, {}), RULES);
  held.hold(contextOf(channelInto(log), { name: 'second' }), RULES);
  held.review(() => true);
  expect(log).toEqual([[{ name: 'second' }, false, true]]);
});

it('forgets everything in the end, without touching a channel that closes', () => {
  const clock = new ManualClock(0);
  const held = new HeldMessages(clock);
  const log: unknown[] = [];
  held.hold(contextOf(channelInto(log), {}), RULES);
  held.close();
  expect(clock.pending).toBe(0);
  held.review(() => true);
  expect(log).toEqual([]);
});
