import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { parseTemporaryOptions, type EnableOptions, type WindowFields } from './window-options.js';

/** The options of `during()`: those of its window, and when its work begins and what follows if it fails. */
export interface DuringOptions extends EnableOptions {
  /**
   * Whether to wait for the drain before the work: until every instance applies the window and has finished its
   * requests from before it.
   *
   * @defaultValue `false`
   */
  wait?: boolean;
  /** The longest wait for the drain, in milliseconds. @defaultValue 60000 */
  timeout?: number;
  /**
   * `'off'` ends the window if the work fails; `'keep'` leaves it on, without a lease, until it is turned off.
   *
   * @defaultValue `'off'`
   */
  onFailure?: 'off' | 'keep';
}

/** The options of `during()` after validation. */
export interface DuringFields {
  window: WindowFields;
  wait: boolean;
  timeout: number;
  isKeptOnFailure: boolean;
}

/** The default of `timeout`. */
const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * Parses the options of `during()`.
 *
 * @param now - milliseconds since the epoch
 * @throws {@link InvalidWindowError} for options that can't be used
 */
export function parseDuringOptions(options: DuringOptions | null | undefined, now: number): DuringFields {
  const { wait = false, timeout = DEFAULT_TIMEOUT_MS, onFailure = 'off', ...window } = options ?? {};
  if (typeof wait !== 'boolean') throw new InvalidWindowError('`wait` must be true or false.');
  if (typeof timeout !== 'number' || !(timeout >= 0)) {
    throw new InvalidWindowError('`timeout` must be a number of milliseconds, 0 or more.');
  }
  if (onFailure !== 'off' && onFailure !== 'keep') {
    throw new InvalidWindowError('`onFailure` must be "off" or "keep".');
  }
  return { window: parseTemporaryOptions(window, now), wait, timeout, isKeptOnFailure: onFailure === 'keep' };
}
