import type { Life, Sample } from './history.js';

/** Before that a process still compiles and caches, and its heap says nothing: milliseconds of its life. */
const WARM_UP = 15_000;
/** A leak of 1 KiB a request would be twice as much. */
const BYTES_PER_REQUEST = 512;
/** What a heap may differ by at two quiet moments. */
const NOISE = 300_000;
/** Requests between two measurements below which a heap says nothing. */
const ENOUGH_REQUESTS = 1_000;
/** By how much counts may differ at two quiet moments: the load has connections of its own. */
const SPARE = { handles: 2, descriptors: 2, listeners: 1 };

/** What a process held in the first third of its samples and in the last, at the quietest moment of each. */
export interface Trend {
  first: Quietest;
  last: Quietest;
  /** Between the two as far as the heap is concerned. */
  requests: number;
}

type Quietest = Pick<Sample, 'heap' | 'descriptors' | 'listeners'> & { handles: number };

/** `null`: it did not live long enough. */
export function trendOf({ startedAt, samples }: Life): Trend | null {
  if (samples.length < 2) return null;
  const warm = samples.filter(({ at }) => at - startedAt >= WARM_UP);
  const [first, last] = thirdsOf(samples);
  const [firstWarm, lastWarm] = thirdsOf(warm.length >= 2 ? warm : samples);
  return {
    first: { ...quietest(first), heap: quietest(firstWarm).heap },
    last: { ...quietest(last), heap: quietest(lastWarm).heap },
    requests: lastWarm[0]!.requests - firstWarm.at(-1)!.requests,
  };
}

/** What grows in a process, as sentences; empty: nothing. */
export function growthOf(life: Life): string[] {
  const trend = trendOf(life);
  if (!trend) return [];
  const { first, last, requests } = trend;
  const grown = (['handles', 'descriptors', 'listeners'] as const)
    .filter((what) => last[what] > first[what] + SPARE[what])
    .map((what) => `${life.name}: ${what} grew from ${first[what]} to ${last[what]}`);
  const limit = NOISE + BYTES_PER_REQUEST * requests;
  if (requests >= ENOUGH_REQUESTS && last.heap - first.heap > limit)
    grown.push(
      `${life.name}: its heap grew from ${first.heap} to ${last.heap} bytes within ${requests} requests; ${limit} are the most`,
    );
  return grown;
}

/** The first third and the last. */
function thirdsOf(samples: Sample[]): [Sample[], Sample[]] {
  const third = Math.max(1, Math.floor(samples.length / 3));
  return [samples.slice(0, third), samples.slice(-third)];
}

function quietest(samples: Sample[]): Quietest {
  const least = (what: (sample: Sample) => number): number => Math.min(...samples.map(what));
  return {
    heap: least(({ heap }) => heap),
    descriptors: least(({ descriptors }) => descriptors),
    listeners: least(({ listeners }) => listeners),
    handles: least(({ handles }) => Object.values(handles).reduce((sum, count) => sum + count, 0)),
  };
}
