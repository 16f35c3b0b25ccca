import { MAX_REPORT_BYTES } from '../report-codec.js';
import { MAX_STATE_BYTES } from '../state-storage.js';
import type { SqlTable } from '../sql-table.js';

// Texts are sent as bytes in hexadecimal, so that they arrive unchanged with any character set of the connection and
// any SQL mode. Times are those of the server in UTC: the clocks and time zones of the instances may differ.

/** A row of the state. */
export interface StateRow {
  /** The text as UTF-8; `null` if it is too large to be a state. */
  content: Buffer | null;
  version: string;
}

/** The instance of the row that stays when an operator deletes the row of the state. */
const MARK = '*';

const VERSION = 'SHA2(CAST(content AS BINARY), 256)';

/** Creates the SQL of all calls for one table and key. */
export class MysqlStatements {
  readonly #table: string;
  readonly #key: string;

  constructor(table: SqlTable, key: string) {
    this.#table = table.sql;
    this.#key = quoteText(key);
  }

  /** Reads the state, and the mark: its version is empty. */
  read(): string {
    return (
      `SELECT IF(OCTET_LENGTH(content) <= ${MAX_STATE_BYTES}, CAST(content AS BINARY), NULL) AS content, ` +
      `IF(instance = '', ${VERSION}, '') AS version, @@autocommit AS autocommit ` +
      `FROM ${this.#table} WHERE \`key\` = ${this.#key} AND instance IN ('', '${MARK}')`
    );
  }

  /** Stores the mark. */
  mark(): string {
    return `INSERT IGNORE INTO ${this.#table} (\`key\`, instance, content) VALUES (${this.#key}, '${MARK}', '')`;
  }

  /** Writes a state where none is. Fails with `ER_DUP_ENTRY` otherwise. */
  insert(content: string): string {
    return `INSERT INTO ${this.#table} (\`key\`, instance, content) VALUES (${this.#key}, '', ${quoteText(content)})`;
  }

  /**
   * Writes the state if it has the expected version. The counter changes the row even if its content stays the same:
   * some connections count the rows that match, others those that change.
   */
  update(content: string, ifVersion: string): string {
    return (
      `UPDATE ${this.#table} SET content = ${quoteText(content)}, writes = writes + 1 ` +
      `WHERE \`key\` = ${this.#key} AND instance = '' AND ${VERSION} = '${ifVersion}'`
    );
  }

  /** Stores the report of an instance. */
  report(instance: string, content: string, ttlMs: number): string {
    const values = `content = ${quoteText(content)}, expires_at = ${createExpiry(ttlMs)}`;
    return (
      `INSERT INTO ${this.#table} SET \`key\` = ${this.#key}, instance = '${instance}', ${values} ` +
      `ON DUPLICATE KEY UPDATE ${values}`
    );
  }

  reports(): string {
    return (
      `SELECT CAST(content AS BINARY) AS content FROM ${this.#table} WHERE \`key\` = ${this.#key} ` +
      `AND expires_at > UTC_TIMESTAMP(3) AND OCTET_LENGTH(content) <= ${MAX_REPORT_BYTES}`
    );
  }

  /** Removes expired reports. */
  sweep(): string {
    return `DELETE FROM ${this.#table} WHERE \`key\` = ${this.#key} AND expires_at <= UTC_TIMESTAMP(3) LIMIT 1000`;
  }

  createTable(): string {
    return createMysqlTableSql(this.#table);
  }
}

/**
 * Creates the SQL for the table.
 *
 * @param table - its name as SQL
 */
export function createMysqlTableSql(table: string): string {
  return `CREATE TABLE IF NOT EXISTS ${table} (
  \`key\` VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  instance VARCHAR(120) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  content LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  expires_at DATETIME(3) NULL,
  writes INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (\`key\`, instance)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;`;
}

function createExpiry(ttlMs: number): string {
  return `UTC_TIMESTAMP(3) + INTERVAL ${Math.ceil(ttlMs * 1_000)} MICROSECOND`;
}

function quoteText(text: string): string {
  return `_utf8mb4 X'${Buffer.from(text).toString('hex')}'`;
}
