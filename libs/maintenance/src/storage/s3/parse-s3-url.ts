import { mayQueryHoldPassword, redactUrlCredentials } from '../../utils/redact-credentials.js';
import type { S3StateStorageOptions } from './s3-options.js';

const PARAMETER_NAMES = ['region', 'endpoint', 'forcePathStyle'];
const EXAMPLE_URL = 's3://bucket/path/maintenance.json?region=eu-central-1';

/**
 * Parses `s3://bucket/key?region=&endpoint=&forcePathStyle=`. An empty parameter counts as missing.
 *
 * @throws Error that explains what is wrong with the URL, without its credentials
 */
export function parseS3Url(text: string): S3StateStorageOptions {
  // Without the query, which may contain a secret under any name: errors are logged.
  const shown = JSON.stringify(redactUrlCredentials(text));
  const isWhole = /^s3:\/\//i.test(text) && URL.canParse(text) && !/%(?![\da-f]{2})/i.test(text);
  const url = isWhole ? new URL(text) : undefined;
  // An empty port is refused as well: what follows the colon may be a password that starts with a slash.
  const hasPort = url?.port !== '' || /^s3:\/\/[^/?#]*:(?:[/?#]|$)/i.test(text);
  if (!url || hasPort) throw new Error(`${shown} is not an S3 URL; expected a URL such as ${EXAMPLE_URL}`);
  if (url.username !== '' || url.password !== '') {
    const names = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
    throw new Error(`${shown} contains credentials, which would be logged; set ${names} instead`);
  }
  if (url.hash !== '') throw new Error(`${shown} contains "#"; encode it as %23`);
  const key = decodeURIComponent(url.pathname.slice(1));
  if (url.hostname === '') throw new Error(`${shown} has no bucket; expected a URL such as ${EXAMPLE_URL}`);
  if (key === '' || key.endsWith('/'))
    throw new Error(`${shown} has no object key; expected a URL such as ${EXAMPLE_URL}`);
  for (const name of url.searchParams.keys()) {
    if (!PARAMETER_NAMES.includes(name)) {
      const parameter = mayQueryHoldPassword(text) ? 'an unknown parameter' : `the unknown parameter ${name}`;
      throw new Error(`${shown} has ${parameter}; known: ${PARAMETER_NAMES.join(', ')}`);
    }
    if (url.searchParams.getAll(name).length > 1) throw new Error(`${shown} has the parameter ${name} more than once`);
  }
  const [region, endpoint, forcePathStyle] = PARAMETER_NAMES.map((name) => url.searchParams.get(name) || undefined);
  if (forcePathStyle !== undefined && !/^(?:true|false)$/.test(forcePathStyle)) {
    throw new Error(`${shown} has an invalid forcePathStyle; expected true or false`);
  }
  return {
    bucket: decodeURIComponent(url.hostname),
    key,
    region,
    endpoint,
    forcePathStyle: forcePathStyle === undefined ? undefined : forcePathStyle === 'true',
  };
}
