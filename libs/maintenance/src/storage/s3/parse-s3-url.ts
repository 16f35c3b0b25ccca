import { mayQueryHoldPassword, redactUrlCredentials } from '../../utils/redact-credentials.js';
import type { S3StateStorageOptions } from './s3-options.js';

const PARAMETERS = ['region', 'endpoint', 'forcePathStyle'];
const EXAMPLE = 's3://bucket/path/maintenance.json?region=eu-central-1';

/**
 * The options that a URL names: `s3://bucket/key?region=&endpoint=&forcePathStyle=`. An empty parameter counts as
 * missing.
 *
 * @throws Error with a sentence that says what is wrong with it, and shows no credential
 */
export function parseS3Url(text: string): S3StateStorageOptions {
  // Without the query, too: who puts a key there, under whatever name, must not find it in a log.
  const shown = JSON.stringify(redactUrlCredentials(text));
  const isWhole = /^s3:\/\//i.test(text) && URL.canParse(text) && !/%(?![\da-f]{2})/i.test(text);
  const url = isWhole ? new URL(text) : undefined;
  // An empty port, too: behind the colon a password may begin with a slash.
  const hasPort = url?.port !== '' || /^s3:\/\/[^/?#]*:(?:[/?#]|$)/i.test(text);
  if (!url || hasPort) throw new Error(`${shown} is not a URL such as ${EXAMPLE}`);
  if (url.username !== '' || url.password !== '') {
    const names = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
    throw new Error(`${shown} holds credentials, which would be shown; give them as ${names}`);
  }
  if (url.hash !== '') throw new Error(`${shown} has a fragment; write # as %23`);
  const key = decodeURIComponent(url.pathname.slice(1));
  if (url.hostname === '') throw new Error(`${shown} names no bucket; write ${EXAMPLE}`);
  if (key === '' || key.endsWith('/')) throw new Error(`${shown} names no object; write ${EXAMPLE}`);
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) {
      throw new Error(
        `${shown} has ${mayQueryHoldPassword(text) ? 'a parameter' : `the parameter ${name}`}, which is none of ${PARAMETERS.join(', ')}`,
      );
    }
    if (url.searchParams.getAll(name).length > 1) throw new Error(`${shown} has the parameter ${name} more than once`);
  }
  const [region, endpoint, forcePathStyle] = PARAMETERS.map((name) => url.searchParams.get(name) || undefined);
  if (forcePathStyle !== undefined && !/^(?:true|false)$/.test(forcePathStyle)) {
    throw new Error(`${shown} has a forcePathStyle that is neither true nor false`);
  }
  return {
    bucket: decodeURIComponent(url.hostname),
    key,
    region,
    endpoint,
    forcePathStyle: forcePathStyle === undefined ? undefined : forcePathStyle === 'true',
  };
}
