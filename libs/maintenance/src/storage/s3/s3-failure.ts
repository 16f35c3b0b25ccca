/** The details of a failed call. */
interface FailureDetails {
  /** The HTTP status, if there was a response. */
  status?: number;
  /** A code of S3 (`NoSuchBucket`), of the system (`ECONNREFUSED`) or of this package (`TIMEOUT`). */
  code?: string;
  /** The message of the server or the system. */
  reason?: string;
  /** The region of the bucket, if the server returns it. */
  region?: string;
  /** By how many milliseconds the clock of this machine is ahead of the server's. */
  clockAhead?: number;
  requestId?: string;
}

/**
 * Describes why a call to S3 failed. Does not keep the error of the SDK, which contains access keys, session tokens and
 * signed requests that would end up in a log.
 */
export class S3Failure extends Error {
  override readonly name = 'S3Failure';
  readonly status?: number;
  readonly code?: string;
  readonly reason?: string;
  readonly region?: string;
  readonly clockAhead?: number;

  constructor({ status, code, reason, region, clockAhead, requestId }: FailureDetails) {
    const response = status === undefined ? undefined : `HTTP ${status}`;
    const request = requestId === undefined ? undefined : `request ${requestId}`;
    super([response, code, reason, request].filter(Boolean).join(', '));
    this.status = status;
    this.code = code;
    this.reason = reason;
    this.region = region;
    this.clockAhead = clockAhead;
  }
}

/** The members of the SDK's errors that are used here. */
interface SdkError {
  name?: string;
  message?: string;
  Code?: string;
  code?: string;
  Region?: string;
  $metadata?: { httpStatusCode?: number; requestId?: string };
  $response?: { headers?: Record<string, string | undefined> };
  errors?: unknown[];
}

/**
 * Converts an error of the SDK.
 *
 * @param secrets - texts to remove from the message
 */
export function toS3Failure(error: unknown, secrets: readonly string[]): S3Failure {
  if (error instanceof S3Failure) return error;
  const { name, message, Code, code, Region, $metadata, $response, errors } = (error ?? {}) as SdkError;
  // If all addresses of a host failed, report the first.
  if (!message && errors?.[0]) return toS3Failure(errors[0], secrets);
  const date = Date.parse($response?.headers?.date ?? '');
  const text = parseMessage(message);
  return new S3Failure({
    status: $metadata?.httpStatusCode,
    code: Code ?? code ?? getS3ErrorName(name) ?? text?.code,
    reason: redactSecrets(text?.reason, secrets),
    region: $response?.headers?.['x-amz-bucket-region'] ?? Region,
    clockAhead: Number.isNaN(date) ? undefined : Date.now() - date,
    requestId: $metadata?.requestId,
  });
}

// Names that the SDK uses if the response has no error code.
function getS3ErrorName(name: string | undefined): string | undefined {
  return name === 'Error' || name === 'Unknown' || name === 'UnknownError' || name === 'NotFound' ? undefined : name;
}

function parseMessage(message: string | undefined): { reason: string; code?: string } | undefined {
  // Bodies without a message (Ceph), and bodies that are not XML, of a proxy for example.
  if (!message || message === 'UnknownError' || message.includes('Deserialization error')) return undefined;
  const reason = message.trim().replace(/\.$/, '');
  // Under Jest the errors of Node.js belong to another realm, and the SDK keeps only their text.
  const wrapped = /^AWS SDK error wrapper for (?:\w+: )?(.*)$/s.exec(reason)?.[1];
  if (wrapped === undefined) return { reason };
  return { reason: wrapped, code: wrapped === 'socket hang up' ? 'ECONNRESET' : /\bE[A-Z_]+\b/.exec(wrapped)?.[0] };
}

function redactSecrets(text: string | undefined, secrets: readonly string[]): string | undefined {
  return secrets
    .reduce((rest, secret) => rest?.replaceAll(secret, '***'), text)
    ?.replace(/\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b/g, '***');
}
