import { MaintenanceStorageError, type MaintenanceStorageErrorCode } from '../../errors/maintenance-storage.error.js';

/** A command that failed, or got no answer. */
export class RedisFailure extends Error {
  /**
   * @param cause - what the client or the server said
   * @param mayHaveRun - whether the server may have carried the command out all the same
   */
  constructor(
    override readonly cause: unknown,
    readonly mayHaveRun: boolean,
  ) {
    super('the command failed');
  }
}

/** No answer in time. */
export class NoAnswerError extends Error {
  constructor(readonly milliseconds: number) {
    super(`no answer within ${milliseconds / 1000} s`);
  }
}

/** The storage was closed. */
export class ClosedError extends Error {}

/** The client that the application gave is not connected. The message says what to do. */
export class NotConnectedError extends Error {}

/** Whether the server itself has answered with an error, such as `WRONGTYPE Operation against ...`. */
export function isReply(error: unknown): boolean {
  return getCode(error) === undefined && /^[A-Z]{2,}(?: |$)/.test(getMessage(error));
}

/**
 * A failure in the words of an operator.
 *
 * @param location - server, database and key, without credentials
 * @param purpose - what was tried: `read`, `written`
 */
export function toRedisError(error: unknown, location: string, purpose: string): MaintenanceStorageError {
  const cause = error instanceof RedisFailure ? error.cause : error;
  const [code, sentence] = explainError(cause, location, purpose);
  return new MaintenanceStorageError(code, sentence, { cause: redactCause(cause) });
}

type Explanation = [code: MaintenanceStorageErrorCode, sentence: string];

function explainError(error: unknown, location: string, purpose: string): Explanation {
  if (error instanceof NoAnswerError) {
    return createUnavailable(
      `${location} gave no answer within ${error.milliseconds / 1000} s. ` +
        'See whether the address is right, and whether the server is overloaded or stopped.' +
        (location.startsWith('rediss:') ? ' If it does not use TLS, write redis: instead of rediss:.' : ''),
    );
  }
  if (error instanceof ClosedError)
    return createUnavailable(`${location} can't be ${purpose}: this storage was closed.`);
  if (error instanceof NotConnectedError) {
    return createUnavailable(`${location} can't be ${purpose}: ${error.message}`);
  }
  if (isReply(error)) return explainReply(redactMessage(error), location, purpose);
  return createUnavailable(explainConnection(error, location));
}

const MODULE_NOT_FOUND_CODES = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']);

function explainConnection(error: unknown, location: string): string {
  const code = getCode(error);
  const message = redactMessage(error);
  if (MODULE_NOT_FOUND_CODES.has(code ?? '')) {
    return `${location} can't be reached: the package \`redis\` is missing. Install it: npm install redis.`;
  }
  if (code === 'ECONNREFUSED') {
    return `${location} can't be reached: ECONNREFUSED, no server listens there. Start it, or correct host and port.`;
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `${location} can't be reached: ${code}, the name of the host is not known. Correct it, or see to the DNS.`;
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code ?? '')) {
    return (
      `${location} can't be reached: its certificate is not trusted (${code}: ${message}). ` +
      'Correct it, or name its authority in NODE_EXTRA_CA_CERTS.'
    );
  }
  if (/SSL|EPROTO/.test(code ?? '')) {
    return `${location} does not speak TLS (${code}). If it should not, write redis: instead of rediss:.`;
  }
  if (/Socket closed|Disconnects client|ECONNRESET|EPIPE|client is (?:closed|offline)/.test(`${code} ${message}`)) {
    const hint = location.startsWith('redis:') ? ' If it always does, it may want TLS: rediss:.' : '';
    return `${location} has closed the connection (${code ?? message}). It is opened again with the next try.${hint}`;
  }
  return `${location} can't be reached: ${[code, message].filter(Boolean).join(', ')}. Correct that and try again.`;
}

// In Redis 6 the word that tells what is wrong stands within the sentence, when a script met it.
const ERROR_WORD_PATTERN =
  /\b(NOAUTH|WRONGPASS|NOPERM|DENIED|READONLY|OOM|MISCONF|LOADING|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|BUSY|WRONGTYPE|MOVED)\b/;

function explainReply(message: string, location: string, purpose: string): Explanation {
  const is = (what: string): string => `${location} can't be ${purpose}: ${what}`;
  switch (ERROR_WORD_PATTERN.exec(message)?.[1]) {
    case 'NOAUTH':
      return createDenied(
        is('NOAUTH, it asks for a password. Put it before the host in the URL, as :password@ or user:password@.'),
      );
    case 'WRONGPASS':
      return createDenied(is('WRONGPASS, it does not know this user with this password. Correct them in the URL.'));
    case 'NOPERM':
      return createDenied(is(`${addFullStop(message)} Grant this user that with ACL SETUSER.`));
    case 'DENIED':
      return createDenied(
        is('it is in protected mode and takes connections from its own machine only. Set a password there.'),
      );
    case 'READONLY':
      return createUnavailable(is('READONLY, it is a replica. Name the master, or an address that follows it.'));
    case 'OOM':
      return createUnavailable(is('OOM, its memory is full (maxmemory). Free some, or raise the limit.'));
    case 'MISCONF':
      return createUnavailable(
        is('MISCONF, it can not save to its disk and takes no writes until it can. Look at its log.'),
      );
    case 'LOADING':
      return createUnavailable(is('LOADING, it has just started and still loads its data. Try again soon.'));
    case 'MASTERDOWN':
      return createUnavailable(is('MASTERDOWN, it is a replica that has lost its master. Name the master.'));
    case 'CLUSTERDOWN':
      return createUnavailable(is(`${addFullStop(message)} Look at CLUSTER INFO.`));
    case 'NOREPLICAS':
      return createUnavailable(
        is('NOREPLICAS, it takes no writes while too few replicas are in touch (min-replicas-to-write).'),
      );
    case 'BUSY':
      return createUnavailable(is('BUSY, a script of somebody blocks it. SCRIPT KILL ends it.'));
    case 'WRONGTYPE':
      // No version: what another program keeps there must not be overwritten.
      return ['corrupt', is('the key holds something other than a string. Choose another key, or remove it with DEL.')];
    case 'MOVED':
      return createUnavailable(is('it belongs to a cluster. Give RedisStateStorage a client made by createCluster().'));
  }
  if (/without any password configured/.test(message)) {
    return createDenied(is('a password was given, but it asks for none. Remove it from the URL.'));
  }
  if (/DB index is out of range|SELECT is not allowed/.test(message)) {
    return createUnavailable(is(`it has no database of this number (${message}). Correct the number after the port.`));
  }
  return createUnavailable(is(`it says "${message}".`));
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

// To a command that it does not know, an old server says the arguments back: with HELLO, the password.
const ARGUMENTS = /,? with args beginning with:.*/s;
const SCRIPT = /\.? script: [\da-f]{40}, on @.*/s;

function redactMessage(error: unknown): string {
  return getMessage(error).replace(ARGUMENTS, '').replace(SCRIPT, '').trim();
}

function redactCause(error: unknown): unknown {
  return ARGUMENTS.test(getMessage(error)) ? undefined : error;
}

function getMessage(error: unknown): string {
  // Not instanceof: under Jest the system's errors belong to another realm.
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}

function getCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
