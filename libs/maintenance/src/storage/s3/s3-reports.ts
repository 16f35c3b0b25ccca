import { createHash } from 'node:crypto';
import { isCurrent, type InstanceReport } from '../../core/instance-report.js';
import { parseReport } from '../parse-report.js';
import type { S3Connection, S3Entry } from './s3-connection.js';

/** Milliseconds by which this machine's clock and the server's may differ. */
const MAX_CLOCK_SKEW_MS = 5 * 60_000;
/** Milliseconds between two looks for records that nobody needs, and for which these are kept at least. */
const SWEEP_INTERVAL_MS = 60 * 60_000;

interface KnownRecord {
  version: string | undefined;
  /** Missing where the object holds none. */
  record: InstanceReport | undefined;
}

/** The records of instances: one object each below `prefix`. */
export class S3Reports {
  readonly #connection: S3Connection;
  readonly #prefix: string;
  readonly #ttl: number;
  #nextSweep = 0;
  /** What was read before, by key: most instances say nothing new from one look to the next. */
  #known = new Map<string, KnownRecord>();

  /** @param ttl - milliseconds for which a record counts */
  constructor(connection: S3Connection, prefix: string, ttl: number) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#ttl = ttl;
  }

  /** Writes a record. With the first, and then once an hour, removes records that are long over. */
  async write(report: InstanceReport): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`);
    await this.#connection.put(`${this.#prefix}${toObjectName(report.id)}`, bytes, {});
    if (performance.now() < this.#nextSweep) return;
    this.#nextSweep = performance.now() + SWEEP_INTERVAL_MS;
    // What stays costs next to nothing, and the right to remove it may be missing.
    await this.#sweep().catch(() => undefined);
  }

  /** The records that are not over. Broken ones are left out. */
  async read(deadline: number): Promise<InstanceReport[]> {
    const oldest = Date.now() - this.#ttl - MAX_CLOCK_SKEW_MS;
    const entries = await this.#connection.list(this.#prefix, deadline);
    const recent = entries.filter(({ key, modifiedAt }) => key.endsWith('.json') && modifiedAt > oldest);
    const known = await Promise.all(recent.map((entry) => this.#fetch(entry, deadline)));
    this.#known = new Map(recent.map(({ key }, index) => [key, known[index]!]));
    return known.flatMap(({ record }, index) => {
      if (!record) return [];
      return isCurrent(record, Date.now(), this.#ttl, recent[index]!.modifiedAt) ? [record] : [];
    });
  }

  async #fetch({ key, version }: S3Entry, deadline: number): Promise<KnownRecord> {
    const last = this.#known.get(key);
    if (last && version !== undefined && last.version === version) return last;
    return { version, record: await this.#readRecord(key, deadline) };
  }

  async #readRecord(key: string, deadline: number): Promise<InstanceReport | undefined> {
    const content = await this.#connection.get(key, undefined, deadline);
    if (content === null || content === 'unchanged') return undefined; // removed since it was listed
    return parseReport(content.text ?? '');
  }

  async #sweep(): Promise<void> {
    const deadline = performance.now() + this.#connection.timeout;
    const newest = Date.now() - this.#ttl - SWEEP_INTERVAL_MS;
    const entries = await this.#connection.list(this.#prefix, deadline);
    const over = entries.filter(({ modifiedAt }) => modifiedAt < newest);
    await Promise.all(over.map(({ key }) => this.#connection.remove(key, deadline)));
  }
}

// An id may hold what should not be in the name of an object, a slash for example.
function toObjectName(id: string): string {
  if (/^[\w-]{1,100}$/.test(id)) return `${id}.json`;
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 16);
  return `${id.replace(/[^\w-]/g, '_').slice(0, 80)}-${hash}.json`;
}
