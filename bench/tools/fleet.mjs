// Instances of an application, spread over several processes.
import { Agent, request } from 'node:http';
import { clearTimeout, setTimeout } from 'node:timers';
import { waitForMessage, NO_WARNINGS, start, stop } from './processes.mjs';

const PROGRAM = new URL('../programs/instances.mjs', import.meta.url);

export class Fleet {
  #processes = [];
  #ports = [];
  /** The last change that each instance has reported: `{ revision, isActive, at }`. */
  #changes = [];
  #onChange = () => undefined;
  #agent = new Agent({ keepAlive: true });

  /**
   * Starts the instances and waits until they listen.
   *
   * @param settings - of `createModules`
   */
  static async start({ size, processes, ...settings }) {
    const fleet = new Fleet();
    try {
      const perProcess = size / processes;
      for (let first = 0; first < size; first += perProcess) await fleet.#add(first, perProcess, settings);
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  /**
   * Waits until all instances have applied this revision.
   *
   * @returns for each of them `isActive`, and when it was applied (`at`), in milliseconds of `getMonotonicMs()`
   */
  async waitForRevision(revision, timeoutMs) {
    const countApplied = () => this.#changes.filter((change) => change.revision >= revision).length;
    const timedOut = Symbol('timed out');
    let timer;
    const timeout = new Promise((resolve) => (timer = setTimeout(() => resolve(timedOut), timeoutMs)));
    while (countApplied() < this.#changes.length) {
      const change = new Promise((resolve) => (this.#onChange = resolve));
      if ((await Promise.race([change, timeout])) !== timedOut) continue;
      const counts = `${countApplied()} of ${this.#changes.length} instances`;
      throw new Error(`${counts} have applied revision ${revision} after ${timeoutMs} ms`);
    }
    clearTimeout(timer);
    return this.#changes.map(({ isActive, at }) => ({ isActive, at }));
  }

  /** Sends a request to each instance, and returns the statuses and the `detail` of refusals. */
  requestAll() {
    return Promise.all(this.#ports.map((port) => this.#get(port)));
  }

  async stop() {
    this.#agent.destroy();
    await Promise.all(this.#processes.map((child) => stop(child)));
  }

  async #add(first, count, settings) {
    const argument = JSON.stringify({ ...settings, count, reportsChanges: true });
    const child = start(PROGRAM, { env: NO_WARNINGS, args: [argument] });
    this.#processes.push(child);
    const { ports } = await waitForMessage(child);
    ports.forEach((port, index) => {
      this.#ports[first + index] = port;
      this.#changes[first + index] = { revision: 0 };
    });
    child.on('message', ({ index, ...change }) => {
      this.#changes[first + index] = change;
      this.#onChange();
    });
  }

  #get(port) {
    return new Promise((resolve, reject) => {
      const headers = { accept: 'application/json' };
      const sent = request({ host: '127.0.0.1', port, agent: this.#agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => (text += part));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, detail: JSON.parse(text).detail }));
      });
      sent.on('error', reject);
      sent.end();
    });
  }
}
