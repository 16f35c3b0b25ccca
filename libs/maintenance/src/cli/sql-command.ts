import { UsageError } from '../errors/usage.error.js';
import { parseMysqlTable, parseMysqlUrl } from '../storage/mysql/mysql-address.js';
import { createMysqlTableSql } from '../storage/mysql/mysql-statements.js';
import { parsePostgresTable, parsePostgresUrl } from '../storage/postgres/postgres-address.js';
import { createPostgresTableSql } from '../storage/postgres/postgres-statements.js';
import { DEFAULT_SQL_TABLE } from '../storage/sql-table.js';
import type { Outcome, StorageOptions } from './command-description.js';

/** The options of `sql`. */
export interface PrintSqlOptions extends StorageOptions {
  table?: string;
}

/** A database in whose table a storage keeps the state. */
interface Dialect {
  /** Its name, as people write it. */
  title: string;
  /** Returns the table in the URL of a storage, if it has one. Throws TypeError for the URL of another storage. */
  findTable: (url: string) => string | undefined;
  /** Quotes the name of a table. Throws TypeError for one that can't be used. */
  quoteTable: (name: string) => string;
  /** Creates the SQL that creates the table, from its quoted name. */
  createTableSql: (table: string) => string;
}

const DIALECTS: Readonly<Record<string, Dialect>> = {
  postgres: {
    title: 'Postgres',
    findTable: (url) => parsePostgresUrl(url).table,
    quoteTable: (name) => parsePostgresTable(name).sql,
    createTableSql: createPostgresTableSql,
  },
  mysql: {
    title: 'MySQL and MariaDB',
    findTable: (url) => parseMysqlUrl(url).table,
    quoteTable: (name) => parseMysqlTable(name).sql,
    createTableSql: createMysqlTableSql,
  },
};

/** Runs the command `sql`. */
export function printSql(options: PrintSqlOptions, database: string): Outcome {
  const dialect = DIALECTS[database]!;
  const [table, name] = asUsageErrors(() => {
    const found = options.table ?? (options.storage && dialect.findTable(options.storage)) ?? DEFAULT_SQL_TABLE;
    return [dialect.quoteTable(found), found];
  });
  const sql = dialect.createTableSql(table);
  const document = `-- The table of nestjs-maintenance in ${dialect.title}: the state of each key, and the reports of its instances.
${sql}

-- The user of the application needs:
-- GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ...;
`;
  return { lines: [], document, json: { database, table: name, sql } };
}

function asUsageErrors<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`The table can't be found: ${error.message}.`, { cause: error });
  }
}
