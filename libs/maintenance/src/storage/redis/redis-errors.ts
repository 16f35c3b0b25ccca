import { MaintenanceStorageError, type MaintenanceStorageErrorCode } from '../../errors/maintenance-storage.error.js';
import { getErrorCode } from '../error-code.js';

/** Thrown if a command failed or got no answer. */
export class RedisFailure extends Error {
  /**
   * @param cause - the error of the client or the server
   * @param mayHaveRun - whether the server may have run the command all the same
   */
  constructor(
    override readonly cause: unknown,
    readonly mayHaveRun: boolean,
  ) {
    super('The Redis command failed');
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

/** Thrown if the client of the application is not connected. The message says what to do. */
export class NotConnectedError extends Error {}

/** Whether the error is a reply of the server, such as `WRONGTYPE Operation against ...`. */
export function isReply(error: unknown): boolean {
  return getErrorCode(error) === undefined && /^[A-Z]{2,}(?: |$)/.test(getMessage(error));
}

/** The storage whose call has failed. */
export interface FailedStorage {
  /** Servers, database and key, without credentials. */
  location: string;
  /** Whether the application has made the client: then its options have the credentials, otherwise the URL. */
  hasClient: boolean;
}

/**
 * Converts a failure into an error that tells an operator what to do.
 *
 * @param purpose - the operation that failed: `read`, `written`
 */
export function toRedisError(error: unknown, storage: FailedStorage, purpose: string): MaintenanceStorageError {
  const cause = error instanceof RedisFailure ? error.cause : error;
  const [code, sentence] = explainError(cause, storage, purpose);
  return new MaintenanceStorageError(code, sentence, { cause: redactCause(cause) });
}

type Explanation = [code: MaintenanceStorageErrorCode, sentence: string];

function explainError(error: unknown, storage: FailedStorage, purpose: string): Explanation {
  const { location } = storage;
  if (error instanceof NoAnswerError) {
    return createUnavailable(
      `${location} gave no answer within ${error.timeoutMs / 1000} s. ` +
        'Check the address, and whether the server is overloaded or stopped.' +
        (location.startsWith('rediss:') ? ' If the server does not use TLS, use redis: instead of rediss:.' : ''),
    );
  }
  if (error instanceof ClosedError) {
    return createUnavailable(`${location} can't be ${purpose}: the storage is closed. Create another one.`);
  }
  if (error instanceof NotConnectedError) {
    return createUnavailable(`${location} can't be ${purpose}: ${error.message}`);
  }
  if (isReply(error)) return explainReply(redactMessage(error), storage, purpose);
  return createUnavailable(explainConnection(error, location));
}

const MODULE_NOT_FOUND_CODES = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']);

function explainConnection(error: unknown, location: string): string {
  const code = getErrorCode(error);
  const message = redactMessage(error);
  if (MODULE_NOT_FOUND_CODES.has(code ?? '')) {
    return `${location} can't be reached: the package \`redis\` is not installed. Run npm install redis.`;
  }
  if (code === 'ECONNREFUSED') {
    const reason = 'connection refused (ECONNREFUSED)';
    return `${location} can't be reached: ${reason}. Start the server, or correct host and port.`;
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `${location} can't be reached: host not found (${code}). Check the host name and DNS.`;
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code ?? '')) {
    return (
      `${location} can't be reached: its certificate is not trusted (${code}: ${message}). ` +
      'Correct it, or add its authority with NODE_EXTRA_CA_CERTS.'
    );
  }
  if (/SSL|EPROTO/.test(code ?? '')) {
    return `${location} does not use TLS (${code}). Enable TLS on the server, or use redis: instead of rediss:.`;
  }
  if (
    /Socket closed|Connection is closed|Disconnects client|ECONNRESET|EPIPE|client is (?:closed|offline)/.test(
      `${code} ${message}`,
    )
  ) {
    const hint = location.startsWith('redis:')
      ? ' If this happens every time, the server may require TLS: use rediss:.'
      : '';
    return `${location} has closed the connection (${code ?? message}). The next attempt reconnects.${hint}`;
  }
  return `${location} can't be reached: ${[code, message].filter(Boolean).join(', ')}. Fix the cause and try again.`;
}

// If a script caused the error, Redis 6 puts the error word in the middle of the message.
const ERROR_WORD_PATTERN =
  /\b(NOAUTH|WRONGPASS|NOPERM|DENIED|READONLY|OOM|MISCONF|LOADING|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|BUSY|WRONGTYPE|MOVED)\b/;

function explainReply(message: string, { location, hasClient }: FailedStorage, purpose: string): Explanation {
  const settings = hasClient ? 'the options of the client' : 'the URL';
  const toMessage = (reason: string): string => `${location} can't be ${purpose}: ${reason}`;
  switch (ERROR_WORD_PATTERN.exec(message)?.[1]) {
    case 'NOAUTH':
      return createDenied(
        toMessage(
          `the server requires a password (NOAUTH). Add it to ${settings}` +
            (hasClient ? '.' : ' as :password@ or user:password@ before the host.'),
        ),
      );
    case 'WRONGPASS':
      return createDenied(toMessage(`wrong user name or password (WRONGPASS). Correct them in ${settings}.`));
    case 'NOPERM':
      return createDenied(toMessage(`${addFullStop(message)} Grant the permission with ACL SETUSER.`));
    case 'DENIED':
      return createDenied(
        toMessage(
          'the server is in protected mode and accepts local connections only (DENIED). Set a password on the server.',
        ),
      );
    case 'READONLY':
      return createUnavailable(
        toMessage('the server is a replica (READONLY). Use the address of the master, or one that follows it.'),
      );
    case 'OOM':
      return createUnavailable(toMessage('the memory of the server is full (OOM). Free some, or raise maxmemory.'));
    case 'MISCONF':
      return createUnavailable(
        toMessage('the server refuses writes because it can not save to its disk (MISCONF). Check its log.'),
      );
    case 'LOADING':
      return createUnavailable(toMessage('the server is still loading its data (LOADING). Try again soon.'));
    case 'MASTERDOWN':
      return createUnavailable(
        toMessage('the server is a replica that has lost its master (MASTERDOWN). Use the address of the master.'),
      );
    case 'CLUSTERDOWN':
      return createUnavailable(toMessage(`${addFullStop(message)} Check CLUSTER INFO.`));
    case 'NOREPLICAS':
      return createUnavailable(
        toMessage(
          'the server refuses writes while too few replicas are connected (NOREPLICAS). Check min-replicas-to-write.',
        ),
      );
    case 'BUSY':
      return createUnavailable(toMessage('the server is blocked by a running script (BUSY). End it with SCRIPT KILL.'));
    case 'WRONGTYPE':
      // Without a version, so that the data of another program is never overwritten.
      return [
        'corrupt',
        toMessage('the key is not a string (WRONGTYPE). Use another key, or remove this one with DEL.'),
      ];
    case 'MOVED':
      return createUnavailable(
        toMessage(
          'the server belongs to a cluster (MOVED). Pass RedisStateStorage a cluster client of redis or ioredis.',
        ),
      );
  }
  if (/without any password configured/.test(message)) {
    return createDenied(
      toMessage(
        `the server has no password, but ${settings} ${hasClient ? 'do' : 'does'}. Remove it from ${settings}.`,
      ),
    );
  }
  if (/DB index is out of range|SELECT is not allowed/.test(message)) {
    return createUnavailable(
      toMessage(
        `the server has no such database (${message}). Correct ${hasClient ? 'its number in the options of the client' : 'the number after the port'}.`,
      ),
    );
  }
  return createUnavailable(toMessage(`the server replied "${message}".`));
}

function createUnavailable(sentence: string): Explanation {
  return ['unavailable', sentence];
}

function createDenied(sentence: string): Explanation {
  return ['denied', sentence];
}

function addFullStop(message: string): string {
  return message.endsWith('.') ? message : `${message}.`;
}

// An old server repeats the arguments of an unknown command in its error: for HELLO, the password.
const ECHOED_ARGUMENTS_PATTERN = /,? with args beginning with:.*/s;
const SCRIPT_POSITION_PATTERN = /\.? script: [\da-f]{40}, on @.*/s;

function redactMessage(error: unknown): string {
  return getMessage(error).replace(ECHOED_ARGUMENTS_PATTERN, '').replace(SCRIPT_POSITION_PATTERN, '').trim();
}

function redactCause(error: unknown): unknown {
  return ECHOED_ARGUMENTS_PATTERN.test(getMessage(error)) ? undefined : error;
}

function getMessage(error: unknown): string {
  // Not `instanceof`: under Jest the errors of Node.js belong to another realm.
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}
