import { isCurrent, type InstanceReport } from '../../core/instance-report.js';
import { createReportName, formatReport, parseReport } from '../report-codec.js';
import type { S3Connection, S3Entry } from './s3-connection.js';

/** The clocks of this machine and of the server may differ by so many milliseconds. */
const MAX_CLOCK_SKEW_MS = 5 * 60_000;
/** Expired reports are removed so often, and kept for so long at least, in milliseconds. */
const SWEEP_INTERVAL_MS = 60 * 60_000;

interface KnownReport {
  version: string | undefined;
  /** `undefined` if the object is not a report. */
  report: InstanceReport | undefined;
}

/** Stores the reports of instances, one object each below `prefix`. */
export class S3Reports {
  readonly #connection: S3Connection;
  readonly #prefix: string;
  readonly #ttl: number;
  #nextSweep = 0;
  /** The reports of the last read, by key: most have not changed until the next. */
  #known = new Map<string, KnownReport>();

  /** @param ttl - how long a report counts, in milliseconds */
  constructor(connection: S3Connection, prefix: string, ttl: number) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#ttl = ttl;
  }

  /** Writes a report. Removes reports that have expired long ago, with the first one and then once an hour. */
  async write(report: InstanceReport): Promise<void> {
    const bytes = Buffer.from(formatReport(report));
    await this.#connection.put(`${this.#prefix}${createReportName(report.id)}.json`, bytes, {});
    if (performance.now() < this.#nextSweep) return;
    this.#nextSweep = performance.now() + SWEEP_INTERVAL_MS;
    // Expired reports cost next to nothing, and the permission to delete may be missing.
    await this.#sweep().catch(() => undefined);
  }

  /** Returns the reports that have not expired. Broken ones are ignored. */
  async read(deadline: number): Promise<InstanceReport[]> {
    const oldest = Date.now() - this.#ttl - MAX_CLOCK_SKEW_MS;
    const entries = await this.#connection.list(this.#prefix, deadline);
    const recent = entries.filter(({ key, modifiedAt }) => key.endsWith('.json') && modifiedAt > oldest);
    const known = await Promise.all(recent.map((entry) => this.#fetch(entry, deadline)));
    this.#known = new Map(recent.map(({ key }, index) => [key, known[index]!]));
    return known.flatMap(({ report }, index) => {
      if (!report) return [];
      return isCurrent(report, Date.now(), this.#ttl, recent[index]!.modifiedAt) ? [report] : [];
    });
  }

  async #fetch({ key, version }: S3Entry, deadline: number): Promise<KnownReport> {
    const last = this.#known.get(key);
    if (last && version !== undefined && last.version === version) return last;
    return { version, report: await this.#readReport(key, deadline) };
  }

  async #readReport(key: string, deadline: number): Promise<InstanceReport | undefined> {
    const content = await this.#connection.get(key, undefined, deadline);
    if (content === null || content === 'unchanged') return undefined; // removed after it was listed
    return parseReport(content.text);
  }

  async #sweep(): Promise<void> {
    const deadline = performance.now() + this.#connection.timeout;
    const newest = Date.now() - this.#ttl - SWEEP_INTERVAL_MS;
    const entries = await this.#connection.list(this.#prefix, deadline);
    const expired = entries.filter(({ modifiedAt }) => modifiedAt < newest);
    await Promise.all(expired.map(({ key }) => this.#connection.remove(key, deadline)));
  }
}
