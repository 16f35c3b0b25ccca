import { MaintenanceStorageError, type MaintenanceStorageErrorCode } from '../../errors/maintenance-storage.error.js';
import { getErrorCode } from '../error-code.js';

/** Thrown if a statement failed or got no answer. */
export class MysqlFailure extends Error {
  /** The code of the server's answer, such as `ER_DUP_ENTRY`; `undefined` if it gave none. */
  readonly code: string | undefined;

  /**
   * @param cause - the error of the client or the server
   * @param wasSent - whether the server may have run the statement all the same, unless it has answered
   */
  constructor(
    override readonly cause: unknown,
    readonly wasSent: boolean,
  ) {
    super('The MySQL statement failed');
    this.code = getErrorCode(cause);
  }

  /** Whether the server may have run the statement, although it has not answered. */
  get isUncertain(): boolean {
    return this.wasSent && !(this.code?.startsWith('ER_') && !INTERRUPTED_CODES.has(this.code));
  }
}

/** Thrown if the server, or the pool, did not answer in time. */
export class NoAnswerError extends Error {
  constructor(
    readonly timeoutMs: number,
    readonly waitsFor: 'statement' | 'connection',
  ) {
    super(`no answer within ${timeoutMs / 1000} s`);
  }
}

/** Thrown if the storage was closed. */
export class ClosedError extends Error {}

/** The storage whose call has failed. */
export interface FailedStorage {
  /** Server, database, table and key, without credentials. */
  location: string;
  /** The name of the table. */
  table: string;
  /** Whether the application has made the pool: then its options have the credentials, otherwise the URL. */
  hasPool: boolean;
}

type Explanation = [code: MaintenanceStorageErrorCode, reason: string];

/** The server has ended the connection, possibly while it ran the statement. */
const INTERRUPTED_CODES = new Set(['ER_SERVER_SHUTDOWN', 'ER_CONNECTION_KILLED', 'ER_QUERY_INTERRUPTED']);

/** The database of the connection does not exist, or does not exist any more. */
export const NO_DATABASE_CODES: ReadonlySet<string> = new Set(['ER_BAD_DB_ERROR', 'ER_NO_DB_ERROR']);

/** The server is a replica, or read-only. */
export const READ_ONLY_CODES: ReadonlySet<string> = new Set([
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  'ER_READ_ONLY_MODE',
]);

const MODULE_NOT_FOUND_CODES = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']);

/**
 * Converts a failure into an error that tells an operator what to do. The answers of the server are not repeated: they
 * name the user, and some quote the statement.
 *
 * @param purpose - the operation that failed: `read`, `written`
 */
export function toMysqlError(error: unknown, storage: FailedStorage, purpose: string): MaintenanceStorageError {
  if (error instanceof MaintenanceStorageError) return error;
  const cause = error instanceof MysqlFailure ? error.cause : error;
  const [code, reason] = explain(cause, storage);
  return new MaintenanceStorageError(code, `${storage.location} can't be ${purpose}: ${reason}`, {
    cause: toPlainError(cause),
  });
}

function explain(error: unknown, storage: FailedStorage): Explanation {
  if (error instanceof NoAnswerError) {
    const seconds = error.timeoutMs / 1000;
    return error.waitsFor === 'connection'
      ? unavailable(`the pool gave no connection within ${seconds} s. Raise its connectionLimit, or check the server.`)
      : unavailable(
          `no answer within ${seconds} s. Check the address, and whether the server is overloaded or stopped.`,
        );
  }
  if (error instanceof ClosedError) return unavailable('the storage is closed. Create another one.');
  const code = getErrorCode(error) ?? '';
  if (MODULE_NOT_FOUND_CODES.has(code)) {
    return unavailable('the package `mysql2` is not installed. Run npm install mysql2.');
  }
  return explainAnswer(code, storage) ?? explainConnection(code, error);
}

function explainAnswer(code: string, { table, hasPool }: FailedStorage): Explanation | undefined {
  const settings = hasPool ? 'the options of the pool' : 'the URL';
  if (READ_ONLY_CODES.has(code)) {
    return unavailable(`the server is read-only (${code}). Use the address of the primary server.`);
  }
  switch (code) {
    case 'ER_ACCESS_DENIED_ERROR':
    case 'ER_ACCESS_DENIED_NO_PASSWORD_ERROR':
      // MariaDB gives the same answer to a user who must use TLS.
      return denied(
        `wrong user name or password, or the user must use TLS (${code}). Correct ${settings}, or add ssl-mode.`,
      );
    case 'ER_DBACCESS_DENIED_ERROR':
    case 'ER_TABLEACCESS_DENIED_ERROR':
    case 'ER_COLUMNACCESS_DENIED_ERROR':
      return denied(
        `the user lacks a permission (${code}). GRANT SELECT, INSERT, UPDATE, DELETE ON the table ${table}.`,
      );
    case 'ER_MUST_CHANGE_PASSWORD':
    case 'ER_MUST_CHANGE_PASSWORD_LOGIN':
    case 'ER_ACCOUNT_HAS_BEEN_LOCKED':
      return denied(`the account is locked, or its password has expired (${code}). Renew it on the server.`);
    case 'ER_HOST_NOT_PRIVILEGED':
    case 'ER_HOST_IS_BLOCKED':
      return denied(`the server does not accept this host (${code}). Allow it, or run FLUSH HOSTS.`);
    case 'ER_SECURE_TRANSPORT_REQUIRED':
      return denied(`the server requires TLS (${code}). Add ssl-mode=VERIFY_IDENTITY to ${settings}.`);
    case 'ER_BAD_DB_ERROR':
    case 'ER_NO_DB_ERROR':
      return unavailable(`the server has no such database (${code}). Create it, or correct ${settings}.`);
    case 'ER_NO_SUCH_TABLE':
      return unavailable(`${createTableHint(table)} (${code}).`);
    case 'ER_BAD_FIELD_ERROR':
    case 'ER_DATA_TOO_LONG':
      return unavailable(
        `${table} has other columns (${code}). Use another table, or create it with \`nestjs-maintenance sql mysql\`.`,
      );
    case 'ER_CON_COUNT_ERROR':
    case 'ER_TOO_MANY_USER_CONNECTIONS':
    case 'ER_USER_LIMIT_REACHED':
      return unavailable(`the server has no free connection (${code}). Close some, or raise max_connections.`);
    case 'ER_LOCK_WAIT_TIMEOUT':
    case 'ER_LOCK_NOWAIT':
      return unavailable(`another session has locked ${table} (${code}). Look for it in SHOW PROCESSLIST.`);
    case 'ER_LOCK_DEADLOCK':
      return unavailable(`another session writes to ${table} at the moment (${code}). Try again.`);
    case 'ER_STATEMENT_TIMEOUT':
    case 'ER_QUERY_TIMEOUT':
      return unavailable(`the server is too slow, or ${table} is locked (${code}). Look into SHOW PROCESSLIST.`);
    case 'ER_DISK_FULL':
    case 'ER_RECORD_FILE_FULL':
    case 'ER_DISK_FULL_NOWAIT':
      return unavailable(`the disk of the server is full (${code}). Free some space.`);
    case 'ER_NET_PACKET_TOO_LARGE':
      return unavailable(`the state is larger than a packet (${code}). Raise max_allowed_packet to 4 MiB.`);
    case 'ER_SERVER_SHUTDOWN':
    case 'ER_CONNECTION_KILLED':
    case 'ER_QUERY_INTERRUPTED':
      return unavailable(`the server has ended the connection (${code}). The next attempt reconnects.`);
    default:
      return undefined;
  }
}

function explainConnection(code: string, error: unknown): Explanation {
  if (code === 'ECONNREFUSED') {
    return unavailable('connection refused (ECONNREFUSED). Start the server, or correct host and port.');
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return unavailable(`host not found (${code}). Check the host name and DNS.`);
  }
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH') {
    return unavailable(`the server can't be reached (${code}). Check the address, and the firewall.`);
  }
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') {
    return unavailable('the server does not use TLS (HANDSHAKE_NO_SSL_SUPPORT). Enable it there, or remove ssl-mode.');
  }
  const message = getMessage(error);
  if (/altnames/i.test(message)) {
    return unavailable(
      `its certificate is for another host (${message}). Use a name of the certificate as the host, or issue one with ` +
        'the name in use.',
    );
  }
  if (/key values mismatch|PEM routines|x509 certificate routines/i.test(message)) {
    return unavailable(`the certificate or key of the client can't be used (${message}). Correct the option \`ssl\`.`);
  }
  if (/certificate|self[- ]signed/i.test(message)) {
    return unavailable(
      `its certificate is not trusted (${message}). Correct it, or add its authority with NODE_EXTRA_CA_CERTS or the option \`ssl\`.`,
    );
  }
  if (/PROTOCOL_CONNECTION_LOST|ECONNRESET|EPIPE/.test(code) || /closed state|Connection lost/i.test(message)) {
    return unavailable(`the server has closed the connection (${code || message}). The next attempt reconnects.`);
  }
  if (code.startsWith('ER_')) return unavailable(`the server answered ${code}. Fix the cause and try again.`);
  return unavailable(`${[code, message].filter(Boolean).join(', ')}. Fix the cause and try again.`);
}

/** Creates the error for a table that the user may not create. */
export function createMissingTableError(storage: FailedStorage, cause: unknown): MaintenanceStorageError {
  const message =
    `${storage.location} can't be written: ${createTableHint(storage.table)} as a user who may: ` +
    'this one lacks the permission to create it.';
  return new MaintenanceStorageError('denied', message, { cause: toPlainError(cause) });
}

function createTableHint(table: string): string {
  return `the table ${table} does not exist. Run the output of \`nestjs-maintenance sql mysql\``;
}

function unavailable(reason: string): Explanation {
  return ['unavailable', reason];
}

function denied(reason: string): Explanation {
  return ['denied', reason];
}

/** Leaves out what mysql2 adds to its errors: the statement, and the server's answer with the user's name. */
function toPlainError(error: unknown): Error {
  const cause = error instanceof MysqlFailure ? error.cause : error;
  const code = getErrorCode(cause);
  const message = code?.startsWith('ER_') ? code : getMessage(cause);
  return Object.assign(new Error(message), code !== undefined && { code });
}

function getMessage(error: unknown): string {
  // Not `instanceof`: under Jest the errors of Node.js belong to another realm.
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}
