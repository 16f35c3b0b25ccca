import { MaintenanceStorageError, type MaintenanceStorageErrorCode } from '../../errors/maintenance-storage.error.js';
import { toErrorMessage } from '../../utils/to-error-message.js';
import { getErrorCode } from '../error-code.js';

/** Thrown if a statement failed or got no answer. */
export class PostgresFailure extends Error {
  /**
   * @param cause - the error of the client or the server
   * @param wasSent - whether the server may have run the statement all the same
   */
  constructor(
    override readonly cause: unknown,
    readonly wasSent: boolean,
  ) {
    super('The Postgres statement failed');
  }

  /** The SQLSTATE, if the server has answered with an error. */
  get sqlState(): string | undefined {
    return isAnswer(this.cause) ? getErrorCode(this.cause) : undefined;
  }

  /** Whether the statement may have taken effect. */
  get isUncertain(): boolean {
    // Class 08 and 57P: the server has ended the connection, maybe after the commit.
    return this.wasSent && (this.sqlState === undefined || /^(?:08|57P|40003)/.test(this.sqlState));
  }
}

/** Thrown if the server did not answer in time. */
export class NoAnswerError extends Error {
  constructor(readonly timeoutMs: number) {
    super(`no answer within ${timeoutMs / 1000} s`);
  }
}

/** Thrown if the storage was closed. */
export class ClosedError extends Error {}

/** Whether the error is the answer of a server: it has a SQLSTATE and a severity. */
export function isAnswer(error: unknown): boolean {
  const { severity } = (error ?? {}) as { severity?: unknown };
  return typeof severity === 'string' && /^[\dA-Z]{5}$/.test(getErrorCode(error) ?? '');
}

/** Whether the table or its schema does not exist. */
export function isTableMissing(error: unknown): boolean {
  return error instanceof PostgresFailure && /^(?:42P01|3F000)$/.test(error.sqlState ?? '');
}

/** Whether another transaction came first. */
export function isSerializationConflict(error: unknown): boolean {
  return error instanceof PostgresFailure && /^(?:40001|40P01)$/.test(error.sqlState ?? '');
}

/** Where a statement failed, and for what. */
export interface PostgresErrorContext {
  /** Server, database, table and key, without credentials. */
  location: string;
  /** The name of the table, as people write it. */
  table: string;
  /** The operation that failed: `read`, `written`, `created`. */
  purpose: string;
}

/** Converts a failure into an error that tells an operator what to do. */
export function toPostgresError(error: unknown, context: PostgresErrorContext): MaintenanceStorageError {
  const cause = error instanceof PostgresFailure ? error.cause : error;
  const [code, sentence] = isAnswer(cause) ? explainAnswer(cause, context) : explainConnection(cause, context);
  return new MaintenanceStorageError(code, sentence, { cause });
}

type Explanation = [code: MaintenanceStorageErrorCode, sentence: string];

const MODULE_NOT_FOUND_CODES = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']);
const CLOSED_PATTERN = /Connection terminated|ECONNRESET|EPIPE|Client (?:has encountered|was closed)|not queryable/;

function explainConnection(error: unknown, { location, purpose }: PostgresErrorContext): Explanation {
  const code = getErrorCode(error) ?? '';
  const message = toErrorMessage(error);
  const text = `${code} ${message}`;
  const unavailable = (reason: string): Explanation => ['unavailable', `${location} ${reason}`];
  const denied = (reason: string): Explanation => ['denied', `${location} can't be ${purpose}: ${reason}`];
  if (error instanceof ClosedError) {
    return unavailable(`can't be ${purpose}: the storage is closed. Create another one.`);
  }
  // `pg` has a timeout of its own for the connection.
  if (error instanceof NoAnswerError || /timeout/i.test(message)) {
    const limit = error instanceof NoAnswerError ? `within ${error.timeoutMs / 1000} s` : 'in time';
    return unavailable(
      `gave no answer ${limit}. Check the address, and whether the server or the pool is overloaded or stopped.`,
    );
  }
  if (MODULE_NOT_FOUND_CODES.has(code)) {
    return unavailable(`can't be reached: the package \`pg\` is not installed. Run npm install pg.`);
  }
  if (isFileError(error)) {
    return unavailable(
      `can't be reached: a file of its TLS settings can't be read (${code}: ${error.path}). Correct sslrootcert, sslcert ` +
        'or sslkey in the URL, or the rights on the file.',
    );
  }
  if (/ECONNREFUSED|ENOENT/.test(text)) {
    return unavailable(`can't be reached: connection refused (${code}). Start the server, or correct host and port.`);
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(code)) {
    return unavailable(`can't be reached: host not found (${code}). Check the host name and DNS.`);
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return unavailable(
      `can't be reached: its certificate is for another host (${code}: ${message}). Use a name of the certificate as the ` +
        'host, or issue one with the name in use.',
    );
  }
  if (/OSSL/.test(code)) {
    return unavailable(
      `can't be reached: the certificate or key of the client can't be used (${code}: ${message}). Correct sslcert and ` +
        'sslkey in the URL.',
    );
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) {
    return unavailable(
      `can't be reached: its certificate is not trusted (${code}: ${message}). Correct it, or add its authority with ` +
        'sslrootcert in the URL or NODE_EXTRA_CA_CERTS.',
    );
  }
  if (/does not support SSL/.test(message)) {
    return unavailable(`does not use TLS. Enable TLS on the server, or remove sslmode from the URL.`);
  }
  if (/password must be a.*string/i.test(message)) {
    return denied(
      'the server requires a password. Add it to the URL as user:password@ before the host, or set PGPASSWORD or ~/.pgpass.',
    );
  }
  if (CLOSED_PATTERN.test(text)) {
    return unavailable(`has closed the connection (${code || message}). The next attempt reconnects.`);
  }
  return unavailable(
    `can't be ${purpose}: ${[code, message].filter(Boolean).join(', ')}. Fix the cause and try again.`,
  );
}

function explainAnswer(error: unknown, { location, table, purpose }: PostgresErrorContext): Explanation {
  const state = getErrorCode(error)!;
  const message = toErrorMessage(error).replace(/\.$/, '');
  const toMessage = (reason: string): string => `${location} can't be ${purpose}: ${reason}`;
  const denied = (reason: string): Explanation => ['denied', toMessage(reason)];
  const unavailable = (reason: string): Explanation => ['unavailable', toMessage(reason)];
  switch (state) {
    case '28P01':
      return denied('wrong user name or password (28P01). Correct them in the URL, PGPASSWORD or ~/.pgpass.');
    case '28000':
      return denied(explainRefusal(message));
    case '42501':
      return denied(
        purpose === 'created'
          ? `the table ${table} does not exist, and the user may not create it (42501). ${getCreateHint(table)}`
          : `${message} (42501). Grant SELECT, INSERT, UPDATE and DELETE on ${table} to the user.`,
      );
    case '42P01':
      return unavailable(`the table ${table} does not exist (42P01). ${getCreateHint(table)}`);
    case '3F000':
      return unavailable(`the schema of ${table} does not exist (3F000). Create it. ${getCreateHint(table)}`);
    case '42703':
    case '42P10':
    case '42804':
      return unavailable(
        `${table} is a table of something else: ${message} (${state}). Use another name with table= in the URL.`,
      );
    case '3D000':
      return unavailable('the server has no such database (3D000). Create it, or correct its name in the URL.');
    case '25006':
      return unavailable(
        'the server is a replica or read-only (25006). Use the address of the primary, or one that follows it, and ' +
          'check default_transaction_read_only.',
      );
    case '55P03':
      return unavailable(
        `the table ${table} is locked (55P03), by a migration or a backup for example. Wait for it, or end it; ` +
          'pg_blocking_pids() shows which.',
      );
    case '57014':
      return unavailable('the server has taken too long (57014). Check whether it is overloaded.');
    case '53300':
      return unavailable('the server has no connection left (53300). Close some, or raise max_connections.');
    case '53100':
      return unavailable('the disk of the server is full (53100). Free some space.');
    case '57P03':
      return unavailable(`the server is starting, stopping or recovering (57P03). Try again soon.`);
    case '57P01':
    case '57P02':
      return unavailable(`the server was stopped or restarted (${state}). The next attempt reconnects.`);
  }
  if (/startup parameter/.test(message)) {
    return unavailable(`the pooler refuses a setting: ${message} (${state}). Remove it from the URL.`);
  }
  return unavailable(`the server replied "${message}" (${state}).`);
}

/** Explains the code 28000, whose messages name user and address. */
function explainRefusal(message: string): string {
  if (/no encryption|SSL off/.test(message)) {
    return 'the server requires TLS for this user (28000). Add sslmode=verify-full to the URL, or check pg_hba.conf.';
  }
  if (/client certificate|certificate authentication/i.test(message)) {
    return 'the server requires a certificate of the user (28000). Set sslcert and sslkey in the URL to one that names it.';
  }
  return 'the server refuses this user, database or address (28000). Check them, and pg_hba.conf on the server.';
}

/** Whether a file can't be read. A socket that does not exist has no `open` as its call. */
function isFileError(error: unknown): error is Error & { path: string } {
  const { syscall, path } = (error ?? {}) as { syscall?: unknown; path?: unknown };
  return (syscall === 'open' || syscall === 'read') && typeof path === 'string';
}

function getCreateHint(table: string): string {
  const name = table === 'maintenance_state' ? '' : ` --table ${table}`;
  return `Create the table with the SQL that \`nestjs-maintenance sql postgres${name}\` prints.`;
}
