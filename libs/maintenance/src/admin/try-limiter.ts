import type { Clock } from '../utils/clock.js';
import { parseClientAddress } from '../utils/ip-address.js';

/** The period in which wrong tokens are counted, in milliseconds. */
export const TRY_PERIOD_MS = 10 * 60_000;
/** The number of wrong tokens in a period from one address, and from all together. */
export const MAX_TRIES_PER_ADDRESS = 10;
export const MAX_TRIES = 100;
/** The number of addresses that are remembered. Beyond that, the oldest are forgotten; the total still counts. */
const MAX_ADDRESSES = 1_000;

interface Tries {
  count: number;
  /** Milliseconds since the epoch. */
  until: number;
}

/** Counts wrong tokens, per address and in all. */
export class TryLimiter {
  readonly #byAddress = new Map<string, Tries>();
  #all: Tries = { count: 0, until: 0 };

  constructor(private readonly clock: Clock) {}

  /**
   * Returns the seconds until the next try; 0 if one is allowed now.
   *
   * @param ip - the address of the client
   */
  getWaitSeconds(ip: string | undefined): number {
    const now = this.clock.now();
    const own = this.#byAddress.get(getGroup(ip));
    const wait = Math.max(getWaitMs(own, MAX_TRIES_PER_ADDRESS, now), getWaitMs(this.#all, MAX_TRIES, now));
    return Math.ceil(wait / 1000);
  }

  /** Counts a wrong token. */
  recordFailure(ip: string | undefined): void {
    const now = this.clock.now();
    this.#all = countTry(this.#all, now);
    const group = getGroup(ip);
    const own = countTry(this.#byAddress.get(group), now);
    // A map iterates in the order of insertion, so the first entry is the one that was counted longest ago.
    this.#byAddress.delete(group);
    this.#byAddress.set(group, own);
    if (this.#byAddress.size > MAX_ADDRESSES) this.#byAddress.delete(this.#byAddress.keys().next().value!);
  }
}

function getWaitMs(tries: Tries | undefined, max: number, now: number): number {
  return tries && tries.count >= max && isCurrent(tries, now) ? tries.until - now : 0;
}

function countTry(tries: Tries | undefined, now: number): Tries {
  if (!tries || !isCurrent(tries, now)) return { count: 1, until: now + TRY_PERIOD_MS };
  return { count: tries.count + 1, until: tries.until };
}

// The clock of the machine may have been set back.
function isCurrent({ until }: Tries, now: number): boolean {
  return now < until && until - now <= TRY_PERIOD_MS;
}

/** Returns the address, or the network of 64 bits that one IPv6 client has to itself. */
function getGroup(ip: string | undefined): string {
  const address = ip === undefined ? null : parseClientAddress(ip);
  return address === null ? 'unknown' : address.slice(0, 4).join(':');
}
