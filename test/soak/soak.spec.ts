/**
 * Four instances on one storage, for a third of the time on each of three: Redis, S3 and a file. All the while each of them is asked
 * 40 times a second and maintenance is switched every second, and a fault injector breaks the storage, kills the server and kills
 * instances, in a random order that `SOAK_SEED` repeats.
 *
 * Each answer is judged afterwards, by the writes that were confirmed and the faults that were injected ({@link judge}):
 *
 * - It is a 200 or a 503; connections fail to nobody but instances that were told to end.
 * - While the storage fails it goes by a state that the instance knew, never by an older one than it has shown before, or it is what
 *   `onStorageFailure` says.
 * - When a fault was put right, and in the time that an instance may take to find that out, it goes by the current state again.
 * - A write that was confirmed stands. One is refused only while a fault holds.
 *
 * Besides: no instance ends by itself, as it would by an unhandled rejection, or warns of listeners; heap, handles, descriptors and
 * listeners of those that live all the time stay flat.
 *
 * `npm run soak` takes about 5 minutes. `npm test` runs a short form of it, without thresholds on time: there an answer may be late, but
 * never wrong, and all agree in the end.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Crew } from './crew.js';
import { growthOf } from './flatness.js';
import { GROUNDS, type FaultKind, type KindOfGround } from './grounds.js';
import type { Fault } from './history.js';
import { judge } from './judge.js';
import { Random } from './random.js';
import { report } from './report.js';

const IS_LONG = Number(process.env.SOAK_SECONDS) > 0;
const SECONDS = (Number(process.env.SOAK_SECONDS) || 12) / GROUNDS.length;
const SEED = Number(process.env.SOAK_SEED) || Math.floor(Math.random() * 2 ** 31);
/** What is called late in the long form is not in the short one: milliseconds. */
const SLACK = IS_LONG ? 0 : 3_000;
/** How long all is well after the time that a fault may be seen: milliseconds. */
const CALM = 1_500;
/** The short form reads more often, so that short faults are met: milliseconds. */
const SHORT_INTERVAL = 250;
/** Complaints that are shown; the report tells how many answers were wrong. */
const SHOWN = 10;
/** Milliseconds in which all agree at last, whatever the machine does. */
const PATIENCE = 60_000;
/** How often an instance goes while the storage fails, too. */
const TWO_AT_ONCE = 0.25;
/** The longest pause between two attempts to read a storage that fails, in milliseconds. */
const LONGEST_BACKOFF = 30_000;

describe.each(GROUNDS)('a soak on $name', (kind) => {
  const ground = { ...kind, refreshInterval: IS_LONG ? kind.refreshInterval : SHORT_INTERVAL };
  const run = ground.isThere || process.env.CI === 'true' ? it : it.skip;

  run(
    'answers nothing wrong, loses nothing and leaks nothing',
    async () => {
      const random = new Random(SEED + GROUNDS.indexOf(kind));
      const place = await ground.open();
      const { url, env } = place;
      const options = { storage: url, refreshInterval: ground.refreshInterval };
      const leaks = Boolean(process.env.SOAK_LEAK);
      const crew = new Crew({ options, env, leaks }, random, ground.polls, GROUNDS.indexOf(kind) % 2 === 1);
      const lost: string[] = [];
      try {
        await crew.start();
        await crew.confirmedAfter(0, PATIENCE);
        await crew.sample();
        const until = Date.now() + SECONDS * 1_000;
        let deck: FaultKind[] = [];
        while (Date.now() < until) {
          if (deck.length === 0) deck = deckOf(place.faults, crew, random);
          await strike(deck.pop()!, crew, ground, random);
          await crew.sample();
        }
        await crew.agree(PATIENCE);
        await crew.sample();
        lost.push(...(await crew.findLost()));
      } catch (error) {
        // What has happened until then may tell why.
        crew.troubles.push(String(error));
      } finally {
        await crew.stop();
        await place.close();
      }
      const verdict = judge(crew.history, { bound: ground.bound, slack: SLACK });
      process.stdout.write(report(ground.name, SEED, crew.history, verdict));
      const grown = crew.history.lives.flatMap(growthOf);
      expect([...crew.troubles, ...lost, ...grown, ...verdict.violations].slice(0, SHOWN)).toEqual([]);
      // Else the faults were none.
      if (IS_LONG) expect(verdict.failing).toBeGreaterThan(0);
    },
    120_000 + SECONDS * 2_000,
  );
});

/**
 * Everything that can go wrong, once, the last first. What takes long to be noticed is for the long form; the short one, which has time
 * for two or three, begins with one that reads meet.
 */
function deckOf(faults: FaultKind[], crew: Crew, random: Random): FaultKind[] {
  const restarts = (['SIGKILL', 'SIGTERM'] as const).map((signal): FaultKind => ({
    name: `instance ${signal === 'SIGKILL' ? 'killed' : 'ended'} and replaced`,
    breaks: 'writes',
    hangs: CALM,
    begin: () => crew.replace(signal),
  }));
  const deck = random.shuffled([...faults, ...restarts]);
  if (IS_LONG) return deck;
  const quick = deck.filter(({ hangs = 0 }) => hangs <= CALM);
  const meets = ({ breaks, lasts, forgets }: FaultKind): boolean => breaks === 'reads' && Boolean(lasts ?? forgets);
  const first = quick.find(meets)!;
  return [...quick.filter((kind) => kind !== first), first];
}

/** Lets something go wrong, puts it right, and waits until nothing may be seen of it any more, and a little. */
async function strike(kind: FaultKind, crew: Crew, ground: KindOfGround, random: Random): Promise<void> {
  const { name, breaks, forgets = false, lasts, hangs = 0 } = kind;
  const fault: Fault = { kind: name, breaks, forgets, from: Date.now(), to: Infinity, recovery: Infinity };
  crew.history.faults.push(fault);
  if (kind.isDelicate) await crew.undisturbed(async () => kind.begin(random));
  else await kind.begin(random);
  const brokenAt = Date.now();
  let restarting: Promise<void> | undefined;
  if (lasts) {
    if (breaks === 'reads' && random.next() < TWO_AT_ONCE) restarting = crew.replace(random.of(['SIGKILL', 'SIGTERM']));
    const [least, most] = lasts;
    await pause(random.between(least, IS_LONG ? most : Math.min(most, 2 * least)));
  }
  await kind.end?.();
  fault.to = forgets ? (await crew.confirmedAfter(brokenAt, PATIENCE)).endedAt : Date.now();
  fault.recovery = hangs + pauseAfter(fault.to - fault.from, ground) + ground.bound;
  await pause(fault.to + fault.recovery + CALM - Date.now());
  await restarting;
}

/** The longest pause before the next read of an instance whose reads have failed for so long: they double, and are up to a fifth shorter. */
function pauseAfter(failed: number, { refreshInterval }: KindOfGround): number {
  return Math.min(1.25 * failed + refreshInterval, Math.max(refreshInterval, LONGEST_BACKOFF));
}
