/** A table: its name as SQL, and as people write it. */
export interface SqlTable {
  sql: string;
  name: string;
}

/** The table and the key that are used if none is given. */
export const DEFAULT_SQL_TABLE = 'maintenance_state';
export const DEFAULT_SQL_KEY = 'default';

/**
 * Parses the name of a table, alone or after its schema or database.
 *
 * @param quote - the character that quotes names in this dialect
 * @param maxLength - the length of the longest name in this dialect
 * @throws TypeError for a name that would need quotes for other reasons than capital letters
 */
export function parseSqlTable(name: string, quote: '"' | '`', maxLength: number): SqlTable {
  const parts = name.split('.');
  const isName = (part: string): boolean => /^[a-z_][\w$]*$/i.test(part) && part.length <= maxLength;
  if (parts.length > 2 || !parts.every(isName)) {
    throw new TypeError(
      `${JSON.stringify(name)} is not the name of a table; expected one such as ${DEFAULT_SQL_TABLE} or ` +
        `ops.${DEFAULT_SQL_TABLE}, each part of at most ${maxLength} letters, digits, _ and $`,
    );
  }
  return { sql: parts.map((part) => `${quote}${part}${quote}`).join('.'), name };
}
