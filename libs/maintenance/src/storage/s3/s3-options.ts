/** Access keys to use instead of the SDK's default credential chain. */
export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** The part of the `S3Client` of `@aws-sdk/client-s3` that is used; its own types do not appear here. */
export interface S3ClientLike {
  send(command: never, options?: never): Promise<unknown>;
}

/** Settings of an `S3StateStorage`. */
export interface S3StateStorageOptions {
  /** The name of an existing bucket. */
  bucket: string;
  /** The key of the object, such as `shop/maintenance.json`. The object need not exist. */
  key: string;
  /**
   * The region of the bucket.
   *
   * @defaultValue the region that the SDK finds (`AWS_REGION`, the profile); with an `endpoint`, `'us-east-1'`
   */
  region?: string;
  /**
   * The URL of a compatible server, such as `https://minio.internal:9000`.
   *
   * @defaultValue AWS, or `AWS_ENDPOINT_URL_S3`
   */
  endpoint?: string;
  /**
   * Whether request URLs have the bucket in their path instead of in the host name.
   *
   * @defaultValue `true` with an `endpoint`, else `false`
   */
  forcePathStyle?: boolean;
  /**
   * The access keys.
   *
   * @defaultValue the SDK's chain of environment, profile, web identity, container and instance
   */
  credentials?: S3Credentials;
  /**
   * An `S3Client` of the application, which the storage does not close. `region`, `endpoint`, `forcePathStyle` and
   * `credentials` then only describe it. Set its checksums to `WHEN_REQUIRED` if the server is not AWS.
   */
  client?: S3ClientLike;
  /**
   * The timeout of one call, in milliseconds: credentials, connection, retries and response together. A read is one
   * call; a write takes at most twice as long. The module does not wait for a read longer than 5000.
   *
   * @defaultValue 3000
   */
  timeout?: number;
  /**
   * How long the report of an instance counts, in milliseconds.
   *
   * @defaultValue 100000
   */
  reportTtl?: number;
  /**
   * Decides about writes to a server that ignores their conditions, so that operators may undo each other's changes:
   * `'refuse'` them, or `'warn'` once and read before each write, which leaves a gap of one round trip.
   *
   * @defaultValue `'refuse'`
   */
  onUnconditionalWrites?: 'refuse' | 'warn';
}

/** The location of an object, in a form that may be shown. */
export interface S3Location {
  readonly bucket: string;
  readonly key: string;
  /** Without credentials. */
  readonly endpoint?: string;
  readonly region?: string;
  /** `s3://bucket/key`, and the endpoint if it is not AWS. */
  readonly location: string;
}

/**
 * Validates the options and returns the location of the object.
 *
 * @throws Error that names the invalid option
 */
export function resolveS3Location(options: S3StateStorageOptions): S3Location {
  const { bucket, key, region } = options;
  if (!bucket) throw new Error('S3StateStorage requires the option bucket');
  if (!key || key.endsWith('/')) throw new Error('S3StateStorage requires the option key, the key of an object');
  for (const name of ['timeout', 'reportTtl'] as const) {
    const value = options[name];
    if (value !== undefined && !(value > 0))
      throw new Error(`The option ${name} of S3StateStorage must be a number of milliseconds above 0, not ${value}`);
  }
  const endpoint = options.endpoint === undefined ? undefined : parseEndpoint(options.endpoint);
  return { bucket, key, endpoint, region, location: formatS3Location(bucket, key, endpoint) };
}

/** Returns the location of the object whose key is this one with `suffix` appended. */
export function getSiblingLocation({ bucket, key, endpoint, region }: S3Location, suffix: string): S3Location {
  const siblingKey = `${key}${suffix}`;
  return { bucket, key: siblingKey, endpoint, region, location: formatS3Location(bucket, siblingKey, endpoint) };
}

function formatS3Location(bucket: string, key: string, endpoint: string | undefined): string {
  return `s3://${bucket}/${key}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
}

function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    const shown = text.includes('@') ? '' : `, not ${JSON.stringify(text)}`;
    throw new Error(`The option endpoint of S3StateStorage must be a URL such as https://minio.internal:9000${shown}`);
  }
  // User and password are dropped: S3 has none, requests are signed with the access keys.
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
