import {
  isStorageError,
  MaintenanceStorageError,
  type MaintenanceStorageErrorCode,
} from '../../errors/maintenance-storage.error.js';
import { S3Failure } from './s3-failure.js';
import type { S3Location } from './s3-options.js';

/** The operation that failed. */
export type S3Access = 'read' | 'written' | 'listed';

const REQUIRED_PERMISSIONS: Record<S3Access, string> = {
  // Without s3:ListBucket, S3 responds to a missing object with 403 instead of 404.
  read:
    's3:GetObject on the object, and s3:ListBucket on the bucket, ' +
    'without which a missing object gives the same error',
  written: 's3:PutObject and s3:GetObject on the object',
  listed: 's3:ListBucket on the bucket, and s3:GetObject on its objects',
};

interface Explanation {
  code: MaintenanceStorageErrorCode;
  reason: string;
  remedy: string;
}

/**
 * Converts a failure into an error that tells an operator what to do.
 *
 * @param error - an {@link S3Failure}; a {@link MaintenanceStorageError} is returned as it is
 * @param access - the operation that failed
 * @param location - the object of that operation
 * @param note - a sentence to append
 */
export function toS3Error(error: unknown, access: S3Access, location: S3Location, note = ''): MaintenanceStorageError {
  if (isStorageError(error)) return error;
  const failure = error instanceof S3Failure ? error : new S3Failure({ reason: String(error) });
  const { code, reason, remedy } =
    failure.status === undefined ? explainNoResponse(failure) : explainResponse(failure, access, location);
  const region = location.endpoint === undefined && location.region !== undefined ? ` (region ${location.region})` : '';
  const sentence = `${location.location}${region} could not be ${access}: ${reason}. ${remedy}`;
  return new MaintenanceStorageError(code, note === '' ? sentence : `${sentence} ${note}`, { cause: failure });
}

function createUnavailable(reason: string, remedy: string): Explanation {
  return { code: 'unavailable', reason, remedy };
}

function createDenied(reason: string, remedy: string): Explanation {
  return { code: 'denied', reason, remedy };
}

/** Explains a failure without a response of the server. */
function explainNoResponse({ code, reason, message }: S3Failure): Explanation {
  const details = reason ?? code ?? 'unknown error';
  switch (code) {
    case 'TIMEOUT':
      return createUnavailable(details, 'Check that the server is running and reachable.');
    case 'CLOSED':
      return createUnavailable('the storage is closed', 'Create another one.');
    case 'NOT_INSTALLED':
      return createUnavailable('@aws-sdk/client-s3 is not installed', 'Run `npm install @aws-sdk/client-s3`.');
    case 'ECONNREFUSED':
      return createUnavailable(`connection refused (${details})`, 'Start the server, or correct the endpoint.');
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return createUnavailable(
        `host not found (${details})`,
        'Check DNS, endpoint and region; set forcePathStyle if buckets have no DNS names.',
      );
    case 'ECONNRESET':
    case 'EPIPE':
    case 'CUT':
      return createUnavailable(
        `the connection was closed (${details})`,
        'Check the server and any proxy in front of it. Try again.',
      );
    case 'CredentialsProviderError':
      return createDenied(
        `no credentials were found (${details})`,
        'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or assign a role to the machine.',
      );
  }
  if (reason === 'Region is missing') {
    return createUnavailable('no region is set', 'Set AWS_REGION, or region= in the URL.');
  }
  if (/SSL|TLS|CERT|certificate/.test(message)) {
    const remedy = 'Check whether the endpoint is http or https; add a private authority with NODE_EXTRA_CA_CERTS.';
    return createUnavailable(`no secure connection (${details})`, remedy);
  }
  return createUnavailable(details, 'Fix the cause and try again.');
}

/** Explains an error response. */
function explainResponse(failure: S3Failure, access: S3Access, location: S3Location): Explanation {
  const { status = 0, code, reason } = failure;
  const details = [`HTTP ${status}`, code, reason].filter(Boolean).join(', ');
  if (code?.startsWith('KMS') || /\bkms\b/i.test(reason ?? '')) {
    const permissions = access === 'written' ? 'kms:GenerateDataKey and kms:Decrypt' : 'kms:Decrypt';
    return createDenied(
      `the bucket's encryption key can't be used (${details})`,
      `Enable it, and allow ${permissions} on it.`,
    );
  }
  switch (code) {
    case 'RequestTimeTooSkewed':
      return createDenied(
        `the clock of this machine is ${describeClockSkew(failure)} (${details})`,
        'Set the clock, with NTP for example.',
      );
    case 'InvalidAccessKeyId':
      return createDenied(`unknown access key (${details})`, 'Correct AWS_ACCESS_KEY_ID, or the credentials in use.');
    case 'SignatureDoesNotMatch':
      return createDenied(`wrong secret key (${details})`, 'Correct AWS_SECRET_ACCESS_KEY, or the credentials in use.');
    case 'ExpiredToken':
    case 'InvalidToken':
      return createDenied(`the session token has expired (${details})`, 'Renew AWS_SESSION_TOKEN and its keys.');
    case 'NoSuchBucket':
    case 'InvalidBucketName': {
      const remedy = 'Create the bucket, or correct its name, the region and the endpoint.';
      return createUnavailable(`the bucket does not exist: "${location.bucket}" (${details})`, remedy);
    }
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
    case 'PermanentRedirect':
    case 'TemporaryRedirect': {
      const remedy = 'Set region= in the URL, or AWS_REGION, to the region of the bucket.';
      return createUnavailable(`the bucket is in ${failure.region ?? 'another region'} (${details})`, remedy);
    }
    case 'SlowDown':
      return createUnavailable(
        `the server asks for fewer requests (${details})`,
        'Try again later; increase refreshInterval.',
      );
  }
  if (status === 401 || status === 403) {
    return createDenied(`access denied (${details})`, `Allow ${REQUIRED_PERMISSIONS[access]}.`);
  }
  if (status < 400 || status === 404) {
    return createUnavailable(
      `unexpected response, not from S3 (${details})`,
      'Check the endpoint: it seems to be another server.',
    );
  }
  const remedy = status >= 500 ? "Try again, and check the server's log." : 'Fix the cause and try again.';
  return createUnavailable(`the server responded with ${details}`, remedy);
}

function describeClockSkew({ clockAhead }: S3Failure): string {
  const minutes = Math.round(Math.abs(clockAhead ?? 0) / 60_000);
  if (clockAhead === undefined || minutes === 0) return 'wrong';
  return `${minutes} minutes ${clockAhead > 0 ? 'ahead of' : 'behind'} the server's`;
}
