import {
  isStorageError,
  MaintenanceStorageError,
  type MaintenanceStorageErrorCode,
} from '../../errors/maintenance-storage.error.js';
import { S3Failure } from './s3-failure.js';
import type { S3Location } from './s3-options.js';

/** What was tried. */
export type S3Access = 'read' | 'written' | 'listed';

const REQUIRED_PERMISSIONS: Record<S3Access, string> = {
  // S3 answers 403 instead of 404 to those who may not list.
  read: 's3:GetObject on it, and s3:ListBucket on the bucket, without which an object that is missing looks the same',
  written: 's3:PutObject and s3:GetObject on it',
  listed: 's3:ListBucket on the bucket, and s3:GetObject on what is in it',
};

interface Explanation {
  code: MaintenanceStorageErrorCode;
  reason: string;
  remedy: string;
}

/**
 * A failure in the words of an operator.
 *
 * @param error - a {@link S3Failure}; what already is a storage's error stays as it is
 * @param access - what was tried
 * @param note - what to know beside the reason, a sentence
 */
export function toS3Error(error: unknown, access: S3Access, place: S3Location, note = ''): MaintenanceStorageError {
  if (isStorageError(error)) return error;
  const failure = error instanceof S3Failure ? error : new S3Failure({ reason: String(error) });
  const { code, reason, remedy } =
    failure.status === undefined ? explainNoResponse(failure) : explainResponse(failure, access, place);
  const region = place.endpoint === undefined && place.region !== undefined ? ` (region ${place.region})` : '';
  const sentence = `${place.location}${region} could not be ${access}: ${reason}. ${remedy}`;
  return new MaintenanceStorageError(code, note === '' ? sentence : `${sentence} ${note}`, { cause: failure });
}

function createUnavailable(reason: string, remedy: string): Explanation {
  return { code: 'unavailable', reason, remedy };
}

function createDenied(reason: string, remedy: string): Explanation {
  return { code: 'denied', reason, remedy };
}

/** There was no answer. */
function explainNoResponse({ code, reason, message }: S3Failure): Explanation {
  const said = reason ?? code ?? 'for an unknown reason';
  switch (code) {
    case 'TIMEOUT':
      return createUnavailable(said, 'Check that the server runs, and that the network lets requests through.');
    case 'CLOSED':
      return createUnavailable('the storage was closed', 'Make another one.');
    case 'NOT_INSTALLED':
      return createUnavailable('@aws-sdk/client-s3 is not installed', 'Run `npm install @aws-sdk/client-s3`.');
    case 'ECONNREFUSED':
      return createUnavailable(`nobody listens there (${said})`, 'Start the server, or correct the endpoint.');
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return createUnavailable(
        `the host is not known (${said})`,
        'Check DNS, endpoint and region; where buckets have no names in DNS, set forcePathStyle.',
      );
    case 'ECONNRESET':
    case 'EPIPE':
    case 'CUT':
      return createUnavailable(
        `the connection was cut (${said})`,
        'Check the server, and what is before it. Try again.',
      );
    case 'CredentialsProviderError':
      return createDenied(
        `no credentials were found (${said})`,
        'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.',
      );
  }
  if (reason === 'Region is missing')
    return createUnavailable('no region is set', 'Set AWS_REGION, or region= in the URL.');
  if (/SSL|TLS|CERT|certificate/.test(message)) {
    const remedy = 'Check whether the endpoint is http or https; a private authority goes into NODE_EXTRA_CA_CERTS.';
    return createUnavailable(`there is no secure connection (${said})`, remedy);
  }
  return createUnavailable(said, 'Correct that and try again.');
}

function explainResponse(failure: S3Failure, access: S3Access, place: S3Location): Explanation {
  const { status = 0, code, reason } = failure;
  const said = [`HTTP ${status}`, code, reason].filter(Boolean).join(', ');
  if (code?.startsWith('KMS') || /\bkms\b/i.test(reason ?? '')) {
    const rights = access === 'written' ? 'kms:GenerateDataKey and kms:Decrypt' : 'kms:Decrypt';
    return createDenied(`the bucket's encryption key can't be used (${said})`, `Enable it, and allow ${rights} on it.`);
  }
  switch (code) {
    case 'RequestTimeTooSkewed':
      return createDenied(
        `the clock of this machine is ${describeClockSkew(failure)} (${said})`,
        'Set it, by NTP for example.',
      );
    case 'InvalidAccessKeyId':
      return createDenied(
        `the access key is not known (${said})`,
        'Correct AWS_ACCESS_KEY_ID, or the credentials in use.',
      );
    case 'SignatureDoesNotMatch':
      return createDenied(
        `the secret key is wrong (${said})`,
        'Correct AWS_SECRET_ACCESS_KEY, or the credentials in use.',
      );
    case 'ExpiredToken':
    case 'InvalidToken':
      return createDenied(
        `the session token holds no more (${said})`,
        'Renew AWS_SESSION_TOKEN, and the keys beside it.',
      );
    case 'NoSuchBucket':
    case 'InvalidBucketName': {
      const remedy = 'Create the bucket, or correct its name, the region and the endpoint.';
      return createUnavailable(`there is no bucket "${place.bucket}" (${said})`, remedy);
    }
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
    case 'PermanentRedirect':
    case 'TemporaryRedirect': {
      const remedy = 'Set region= in the URL, or AWS_REGION, to the region of the bucket.';
      return createUnavailable(`the bucket is in ${failure.region ?? 'another region'} (${said})`, remedy);
    }
    case 'SlowDown':
      return createUnavailable(
        `the server asks for fewer requests (${said})`,
        'Try again later; lengthen refreshInterval.',
      );
  }
  if (status === 401 || status === 403)
    return createDenied(`the server refuses (${said})`, `Allow ${REQUIRED_PERMISSIONS[access]}.`);
  if (status < 400 || status === 404) {
    return createUnavailable(
      `that is no answer of S3 (${said})`,
      'Correct the endpoint, which seems to be something else.',
    );
  }
  const remedy = status >= 500 ? "Try again, and look into the server's log." : 'Correct that and try again.';
  return createUnavailable(`the server answers ${said}`, remedy);
}

function describeClockSkew({ clockAhead }: S3Failure): string {
  const minutes = Math.round(Math.abs(clockAhead ?? 0) / 60_000);
  if (clockAhead === undefined || minutes === 0) return 'wrong';
  return `${minutes} minutes ${clockAhead > 0 ? 'ahead of' : 'behind'} the server's`;
}
