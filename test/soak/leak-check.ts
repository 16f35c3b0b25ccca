import type { InstanceRun, Sample } from './history.js';

/** Heap samples from the first seconds of a process are ignored: it still compiles and fills caches. */
const WARM_UP_MS = 15_000;
/** Allowed heap growth. A leak of 1 KiB per request is twice as much. */
const MAX_GROWTH_BYTES_PER_REQUEST = 512;
/** Allowed difference between two heap measurements without a leak. */
const HEAP_NOISE_BYTES = 300_000;
/** The heap is not checked if there were fewer requests between two measurements. */
const MIN_REQUESTS_FOR_HEAP = 1_000;
/** Allowed difference between two counts: the connections of the load are included in them. */
const COUNT_TOLERANCE = { handles: 2, descriptors: 2, listeners: 1 };

/** The minimum of each resource in the first and in the last third of the samples of a process. */
export interface Trend {
  first: Minimum;
  last: Minimum;
  /** Requests between the heap measurements of the two thirds. */
  requests: number;
}

type Minimum = Pick<Sample, 'heap' | 'descriptors' | 'listeners'> & { handles: number };

/** Compares the first and the last third of the samples; `null` if there are fewer than two. */
export function computeTrend({ startedAt, samples }: InstanceRun): Trend | null {
  if (samples.length < 2) return null;
  const warm = samples.filter(({ at }) => at - startedAt >= WARM_UP_MS);
  const [first, last] = splitThirds(samples);
  const [firstWarm, lastWarm] = splitThirds(warm.length >= 2 ? warm : samples);
  return {
    first: { ...findMinimum(first), heap: findMinimum(firstWarm).heap },
    last: { ...findMinimum(last), heap: findMinimum(lastWarm).heap },
    requests: lastWarm[0]!.requests - firstWarm.at(-1)!.requests,
  };
}

/** Describes each resource of a process that keeps growing. */
export function findGrowth(run: InstanceRun): string[] {
  const trend = computeTrend(run);
  if (!trend) return [];
  const { first, last, requests } = trend;
  const grown = (['handles', 'descriptors', 'listeners'] as const)
    .filter((resource) => last[resource] > first[resource] + COUNT_TOLERANCE[resource])
    .map((resource) => `${run.name}: ${resource} grew from ${first[resource]} to ${last[resource]}`);
  const limit = HEAP_NOISE_BYTES + MAX_GROWTH_BYTES_PER_REQUEST * requests;
  if (requests >= MIN_REQUESTS_FOR_HEAP && last.heap - first.heap > limit)
    grown.push(
      `${run.name}: its heap grew from ${first.heap} to ${last.heap} bytes within ${requests} requests (limit: ${limit} bytes)`,
    );
  return grown;
}

/** Returns the first and the last third. */
function splitThirds(samples: Sample[]): [Sample[], Sample[]] {
  const third = Math.max(1, Math.floor(samples.length / 3));
  return [samples.slice(0, third), samples.slice(-third)];
}

function findMinimum(samples: Sample[]): Minimum {
  const min = (select: (sample: Sample) => number): number => Math.min(...samples.map(select));
  return {
    heap: min(({ heap }) => heap),
    descriptors: min(({ descriptors }) => descriptors),
    listeners: min(({ listeners }) => listeners),
    handles: min(({ handles }) => Object.values(handles).reduce((sum, count) => sum + count, 0)),
  };
}
