/** What is known of a call that failed. */
interface FailureDetails {
  /** Of HTTP, if there was an answer. */
  status?: number;
  /** Of S3 (`NoSuchBucket`), of the system (`ECONNREFUSED`) or of ours (`TIMEOUT`). */
  code?: string;
  /** What the server or the system says. */
  reason?: string;
  /** Where the bucket is, if the server says so. */
  region?: string;
  /** Milliseconds by which this machine's clock is ahead of the server's. */
  clockAhead?: number;
  requestId?: string;
}

/**
 * Why a call to S3 failed. It is made from the SDK's error, and without it: that one carries access keys, session
 * tokens and signed requests, which a log would show.
 */
export class S3Failure extends Error {
  override readonly name = 'S3Failure';
  readonly status?: number;
  readonly code?: string;
  readonly reason?: string;
  readonly region?: string;
  readonly clockAhead?: number;

  constructor({ status, code, reason, region, clockAhead, requestId }: FailureDetails) {
    const answer = status === undefined ? undefined : `HTTP ${status}`;
    const request = requestId === undefined ? undefined : `request ${requestId}`;
    super([answer, code, reason, request].filter(Boolean).join(', '));
    this.status = status;
    this.code = code;
    this.reason = reason;
    this.region = region;
    this.clockAhead = clockAhead;
  }
}

/** The members of the SDK's errors that are read here. */
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
 * What an error of the SDK says.
 *
 * @param secrets - texts that must not appear in it
 */
export function toS3Failure(error: unknown, secrets: readonly string[]): S3Failure {
  if (error instanceof S3Failure) return error;
  const { name, message, Code, code, Region, $metadata, $response, errors } = (error ?? {}) as SdkError;
  // Where several addresses of a host fail, the first speaks for all.
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

// Names that the SDK gives where the server named nothing.
function getS3ErrorName(name: string | undefined): string | undefined {
  return name === 'Error' || name === 'Unknown' || name === 'UnknownError' || name === 'NotFound' ? undefined : name;
}

function parseMessage(message: string | undefined): { reason: string; code?: string } | undefined {
  // Bodies without a message (Ceph), and bodies that are no XML, of a proxy for example.
  if (!message || message === 'UnknownError' || message.includes('Deserialization error')) return undefined;
  const reason = message.trim().replace(/\.$/, '');
  // Under Jest the system's errors belong to another realm, and the SDK keeps nothing but their text.
  const wrapped = /^AWS SDK error wrapper for (?:\w+: )?(.*)$/s.exec(reason)?.[1];
  if (wrapped === undefined) return { reason };
  return { reason: wrapped, code: wrapped === 'socket hang up' ? 'ECONNRESET' : /\bE[A-Z_]+\b/.exec(wrapped)?.[0] };
}

function redactSecrets(text: string | undefined, secrets: readonly string[]): string | undefined {
  return secrets
    .reduce((rest, secret) => rest?.replaceAll(secret, '***'), text)
    ?.replace(/\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b/g, '***');
}
