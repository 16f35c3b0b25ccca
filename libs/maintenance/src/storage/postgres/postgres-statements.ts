import { MAX_REPORT_BYTES } from '../report-codec.js';
import { MAX_STATE_BYTES } from '../state-storage.js';
import type { SqlTable } from '../sql-table.js';

// Each call is one message of the simple query protocol, whose statements are one transaction: so the settings below
// end with it, also on a server connection that PgBouncer passes on to another client, and nothing is prepared.

/** A row of the state. */
export interface StateRow {
  /** Changes when the table is created again or truncated. */
  table_file: string | null;
  version: string | null;
  /** `null` if nothing is stored, or if it is too large to be a state. */
  content: string | null;
}

/** The outcome of a write. */
export interface WriteRow {
  written: boolean;
  /** Whether there was a state before. */
  found: boolean;
}

const VERSION = `encode(sha256(convert_to(content, 'UTF8')), 'hex')`;

/** Creates the SQL of all calls for one table and key. */
export class PostgresStatements {
  readonly #table: string;
  readonly #key: string;
  readonly #channel: string;
  readonly #limits: string;

  /**
   * @param channel - the channel on which changes are published
   * @param timeoutMs - the timeout of a call. The server gives up earlier, so that no statement outlives its call.
   */
  constructor(table: SqlTable, key: string, channel: string, timeoutMs: number) {
    this.#table = table.sql;
    this.#key = quoteLiteral(key);
    this.#channel = quoteLiteral(channel);
    this.#limits = `SET LOCAL lock_timeout = ${Math.ceil(timeoutMs * 0.6)}; SET LOCAL statement_timeout = ${Math.ceil(timeoutMs * 0.8)};`;
  }

  read(): string {
    const table = quoteLiteral(this.#table);
    return `${this.#limits} SELECT found.table_file::text AS table_file, ${VERSION} AS version,
      CASE WHEN octet_length(content) <= ${MAX_STATE_BYTES} THEN content END AS content
      FROM (SELECT pg_relation_filenode(${table}::regclass) AS table_file) AS found
      LEFT JOIN ${this.#table} ON key = ${this.#key} AND instance = ''`;
  }

  /** Writes the state if it has the expected version, and publishes the change. */
  write(content: string, version: string, ifVersion: string | null): string {
    const written =
      ifVersion === null
        ? `INSERT INTO ${this.#table} (key, instance, content) VALUES (${this.#key}, '', ${quoteLiteral(content)})
          ON CONFLICT (key, instance) DO NOTHING RETURNING 1`
        : `UPDATE ${this.#table} SET content = ${quoteLiteral(content)}
          WHERE key = ${this.#key} AND instance = '' AND ${VERSION} = ${quoteLiteral(ifVersion)} RETURNING 1`;
    // A database may confirm writes before they are durable, which is not good enough for an operator.
    return `${this.#limits}
      SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
      WITH written AS (${written})
      SELECT EXISTS (SELECT FROM written) AS written,
        EXISTS (SELECT FROM ${this.#table} WHERE key = ${this.#key} AND instance = '') AS found,
        (SELECT pg_notify(${this.#channel}, ${quoteLiteral(version)}) FROM written) AS notified`;
  }

  /** Stores the report of an instance. It need not survive a crash of the server, so nothing waits for the disk. */
  report(instance: string, content: string, ttlMs: number): string {
    return `${this.#limits} SET LOCAL synchronous_commit = off;
      INSERT INTO ${this.#table} (key, instance, content, expires_at)
      VALUES (${this.#key}, ${quoteLiteral(instance)}, ${quoteLiteral(content)}, ${createExpiry(ttlMs)})
      ON CONFLICT (key, instance) DO UPDATE SET content = excluded.content, expires_at = excluded.expires_at`;
  }

  reports(): string {
    return `${this.#limits} SELECT content FROM ${this.#table}
      WHERE key = ${this.#key} AND instance <> '' AND expires_at > clock_timestamp()
      AND octet_length(content) <= ${MAX_REPORT_BYTES}`;
  }

  /** Removes expired reports. Skips those that another instance removes or renews at the moment. */
  sweep(): string {
    return `${this.#limits} SET LOCAL synchronous_commit = off;
      DELETE FROM ${this.#table} WHERE key = ${this.#key} AND instance IN (
        SELECT instance FROM ${this.#table}
        WHERE key = ${this.#key} AND instance <> '' AND expires_at <= clock_timestamp() FOR UPDATE SKIP LOCKED)`;
  }

  createTable(): string {
    return `${this.#limits} ${createPostgresTableSql(this.#table)}`;
  }
}

/**
 * Creates the SQL for the table.
 *
 * @param table - its name as SQL
 */
export function createPostgresTableSql(table: string): string {
  return `CREATE TABLE IF NOT EXISTS ${table} (
  key text NOT NULL,
  instance text NOT NULL DEFAULT '',
  content text NOT NULL,
  expires_at timestamptz,
  PRIMARY KEY (key, instance)
);`;
}

// The clock of the server, because those of the instances may differ.
function createExpiry(ttlMs: number): string {
  return `clock_timestamp() + interval '${Math.ceil(ttlMs)} milliseconds'`;
}

/** Quotes a text, whatever the setting `standard_conforming_strings` is. */
function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
