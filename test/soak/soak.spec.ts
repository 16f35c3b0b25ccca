/**
 * Runs four instances on one storage: Redis, S3, a file, Postgres and MariaDB in turn. Each instance receives 40
 * requests a second, and maintenance is toggled every second. Meanwhile the test breaks the storage, kills its server
 * and kills instances, in a random order that `SOAK_SEED` repeats.
 *
 * Afterwards each answer is checked against the confirmed writes and the injected faults ({@link checkResponses}):
 *
 * - It is a 200 or a 503; connections fail only to instances that were told to exit.
 * - While the storage fails, it is based on a state that the instance knew, never on an older one than it has shown
 *   before, or it follows `onStorageFailure`.
 * - Once the recovery time of a fault has passed, it is based on the current state again.
 * - A confirmed write stays. A write fails only during a fault.
 *
 * In addition, no instance exits by itself, for example because of an unhandled rejection, or warns about listeners.
 * Heap, handles, descriptors and listeners of the instances that are never replaced stay flat.
 *
 * `npm run soak` takes about 9 minutes; `-- -t Postgres` runs it on one storage. `npm run test:all` runs a short form,
 * in which an answer may be late but never wrong, and all instances agree in the end.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { InstanceCluster } from './instance-cluster.js';
import { findGrowth } from './leak-check.js';
import type { FaultKind, StorageKind } from './faults.js';
import { STORAGES } from './storages.js';
import type { Fault } from './history.js';
import { checkResponses } from './response-checker.js';
import { Random } from './random.js';
import { formatReport } from './format-report.js';

const IS_LONG = Number(process.env.SOAK_SECONDS) > 0;
/** On each storage. */
const SECONDS = Number(process.env.SOAK_SECONDS) || 4;
const SEED = Number(process.env.SOAK_SEED) || Math.floor(Math.random() * 2 ** 31);
/** Added to all time limits in the short form, which runs next to other tests. */
const SLACK_MS = IS_LONG ? 0 : 3_000;
/** Pause without a fault after the recovery time of the previous one. */
const HEALTHY_PERIOD_MS = 1_500;
/** The short form reads more often, so that reads hit its short faults. */
const SHORT_REFRESH_INTERVAL_MS = 250;
/** Violations to print; the report counts all of them. */
const MAX_PRINTED_VIOLATIONS = 10;
/** Time limit for the instances to agree, generous enough for a busy machine. */
const AGREEMENT_TIMEOUT_MS = 60_000;
/** Probability that an instance is replaced during a storage fault. */
const REPLACEMENT_PROBABILITY = 0.25;
/** The longest pause between two reads of a failing storage. */
const MAX_BACKOFF_MS = 30_000;

describe.each(STORAGES)('soak on $name', (kind) => {
  const storageKind = { ...kind, refreshInterval: IS_LONG ? kind.refreshInterval : SHORT_REFRESH_INTERVAL_MS };
  const testIfAvailable = storageKind.isAvailable || process.env.CI === 'true' ? it : it.skip;

  testIfAvailable(
    'answers correctly, keeps confirmed writes and does not leak while faults are injected',
    async () => {
      const random = new Random(SEED + STORAGES.indexOf(kind));
      const storage = await storageKind.open();
      const { url, env } = storage;
      const options = { storage: url, refreshInterval: storageKind.refreshInterval };
      const leaks = Boolean(process.env.SOAK_LEAK);
      const cluster = new InstanceCluster(
        { options, env, leaks },
        random,
        storageKind.polls,
        STORAGES.indexOf(kind) % 2 === 1,
      );
      const lost: string[] = [];
      try {
        await cluster.start();
        await cluster.waitForConfirmedWrite(0, AGREEMENT_TIMEOUT_MS);
        await cluster.recordSamples();
        const until = Date.now() + SECONDS * 1_000;
        let faults: FaultKind[] = [];
        while (Date.now() < until) {
          if (faults.length === 0) faults = shuffleFaults(storage.faults, cluster, random);
          await injectFault(faults.pop()!, cluster, storageKind, random);
          await cluster.recordSamples();
        }
        await cluster.waitForAgreement(AGREEMENT_TIMEOUT_MS);
        await cluster.recordSamples();
        lost.push(...(await cluster.findLostWrites()));
      } catch (error) {
        // Keep the error as a problem: the report of the run so far may explain it.
        cluster.problems.push(String(error));
      } finally {
        await cluster.stop();
        await storage.close();
      }
      const result = checkResponses(cluster.history, { maxDelayMs: storageKind.maxDelayMs, slackMs: SLACK_MS });
      process.stdout.write(formatReport(storageKind.name, SEED, cluster.history, result));
      const grown = cluster.history.runs.flatMap(findGrowth);
      expect([...cluster.problems, ...lost, ...grown, ...result.violations].slice(0, MAX_PRINTED_VIOLATIONS)).toEqual(
        [],
      );
      // Otherwise no fault had any effect.
      if (IS_LONG) expect(result.failing).toBeGreaterThan(0);
    },
    120_000 + SECONDS * 2_000,
  );
});

/**
 * Returns all faults once, in random order; the last one is injected first. Faults that take long to be detected are
 * left to the long form. The short form has time for two or three faults and starts with one that affects reads.
 */
function shuffleFaults(faults: FaultKind[], cluster: InstanceCluster, random: Random): FaultKind[] {
  const restarts = (['SIGKILL', 'SIGTERM'] as const).map((signal): FaultKind => ({
    name: `instance ${signal === 'SIGKILL' ? 'killed' : 'ended'} and replaced`,
    breaks: 'writes',
    hangMs: HEALTHY_PERIOD_MS,
    begin: () => cluster.replace(signal),
  }));
  const shuffled = random.shuffle([...faults, ...restarts]);
  if (IS_LONG) return shuffled;
  const quick = shuffled.filter(({ hangMs = 0 }) => hangMs <= HEALTHY_PERIOD_MS);
  const affectsReads = ({ breaks, durationMs, losesData }: FaultKind): boolean =>
    breaks === 'reads' && Boolean(durationMs ?? losesData);
  const first = quick.find(affectsReads)!;
  return [...quick.filter((kind) => kind !== first), first];
}

/** Injects a fault, removes it, and waits for its recovery time and a healthy period. */
async function injectFault(
  kind: FaultKind,
  cluster: InstanceCluster,
  storageKind: StorageKind,
  random: Random,
): Promise<void> {
  const { name, breaks, losesData = false, durationMs, hangMs = 0 } = kind;
  const fault: Fault = { kind: name, breaks, losesData, from: Date.now(), to: Infinity, recoveryMs: Infinity };
  cluster.history.faults.push(fault);
  if (kind.excludesWrites) await cluster.runBetweenWrites(async () => kind.begin(random));
  else await kind.begin(random);
  const beganAt = Date.now();
  let replacement: Promise<void> | undefined;
  if (durationMs) {
    if (breaks === 'reads' && random.next() < REPLACEMENT_PROBABILITY)
      replacement = cluster.replace(random.pick(['SIGKILL', 'SIGTERM']));
    const [min, max] = durationMs;
    await pause(random.between(min, IS_LONG ? max : Math.min(max, 2 * min)));
  }
  await kind.end?.();
  fault.to = losesData ? (await cluster.waitForConfirmedWrite(beganAt, AGREEMENT_TIMEOUT_MS)).endedAt : Date.now();
  fault.recoveryMs = hangMs + computeMaxBackoff(fault.to - fault.from, storageKind) + storageKind.maxDelayMs;
  await pause(fault.to + fault.recoveryMs + HEALTHY_PERIOD_MS - Date.now());
  await replacement;
}

/** Returns the longest pause before the next read after a failure of this length: pauses double, less up to a fifth. */
function computeMaxBackoff(failedMs: number, { refreshInterval }: StorageKind): number {
  return Math.min(1.25 * failedMs + refreshInterval, Math.max(refreshInterval, MAX_BACKOFF_MS));
}
