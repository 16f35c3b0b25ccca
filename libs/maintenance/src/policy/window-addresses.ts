import type { StoredWindow } from '../core/maintenance-window.js';
import { compileAddresses, type AddressMatcher } from '../utils/compile-addresses.js';
import type { PolicyRequest } from './request-path.js';

/** Matches the addresses that windows admit. */
export class WindowAddresses {
  // A list stays the same object for as long as the state does.
  readonly #matchers = new WeakMap<readonly string[], AddressMatcher>();

  /**
   * Returns the windows that do not admit the client's address.
   *
   * @param request - `null` for a call whose client has no address
   * @returns `windows` itself where no window admits addresses
   */
  findRefusing(windows: readonly StoredWindow[], request: PolicyRequest | null): readonly StoredWindow[] {
    if (request === null || !windows.some(({ allowIps }) => allowIps !== undefined)) return windows;
    const { ip } = request;
    return windows.filter(({ allowIps }) => allowIps === undefined || !this.#getMatcher(allowIps)(ip));
  }

  #getMatcher(addresses: readonly string[]): AddressMatcher {
    const known = this.#matchers.get(addresses);
    if (known) return known;
    const matcher = compileAddresses(addresses);
    this.#matchers.set(addresses, matcher);
    return matcher;
  }
}
