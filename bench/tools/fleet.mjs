// Instances of an application, spread over some processes.
import { Agent, request } from 'node:http';
import { clearTimeout, setTimeout } from 'node:timers';
import { heard, QUIET, start, stop } from './pinned.mjs';

const PROGRAM = new URL('../programs/instances.mjs', import.meta.url);

export class Fleet {
  #processes = [];
  #ports = [];
  /** For each instance, what it said last: `{ revision, isActive, at }`. */
  #seen = [];
  #wake = () => undefined;
  #agent = new Agent({ keepAlive: true });

  /**
   * Starts the instances and waits until they listen.
   *
   * @param settings - as `modulesOf` takes them
   */
  static async start({ size, processes, ...settings }) {
    const fleet = new Fleet();
    try {
      const each = size / processes;
      for (let first = 0; first < size; first += each) await fleet.#add(first, each, settings);
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  /**
   * Waits until all instances go by this revision.
   *
   * @returns for each of them `isActive`, and since when (`at`), in milliseconds of `moment()`
   */
  async follows(revision, patience) {
    const isThere = () => this.#seen.filter((seen) => seen.revision >= revision).length;
    const isLate = Symbol('late');
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(() => resolve(isLate), patience)));
    while (isThere() < this.#seen.length) {
      const news = new Promise((resolve) => (this.#wake = resolve));
      if ((await Promise.race([news, late])) !== isLate) continue;
      const text = `${isThere()} of ${this.#seen.length} instances go by revision ${revision} after ${patience} ms`;
      throw new Error(text);
    }
    clearTimeout(timer);
    return this.#seen.map(({ isActive, at }) => ({ isActive, at }));
  }

  /** What each instance answers to a visitor: the status, and the `detail` of a refusal. */
  answers() {
    return Promise.all(this.#ports.map((port) => this.#get(port)));
  }

  async stop() {
    this.#agent.destroy();
    await Promise.all(this.#processes.map((child) => stop(child)));
  }

  async #add(first, count, settings) {
    const given = JSON.stringify({ ...settings, count, tellsChanges: true });
    const child = start(PROGRAM, { env: QUIET, args: [given] });
    this.#processes.push(child);
    const { ports } = await heard(child);
    ports.forEach((port, index) => {
      this.#ports[first + index] = port;
      this.#seen[first + index] = { revision: 0 };
    });
    child.on('message', ({ index, ...seen }) => {
      this.#seen[first + index] = seen;
      this.#wake();
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
