/** Keys of their own, where the SDK's default chain must not be asked. */
export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** The part of `S3Client` of `@aws-sdk/client-s3` that is used; its own types do not appear here. */
export interface S3ClientLike {
  send(command: never, options?: never): Promise<unknown>;
}

/** Settings of an `S3StateStorage`. */
export interface S3StateStorageOptions {
  /** The bucket; it must exist. */
  bucket: string;
  /** Name of the object, such as `shop/maintenance.json`. It need not exist. */
  key: string;
  /** Region of the bucket. Default: what the SDK finds (`AWS_REGION`, the profile); with an `endpoint`, `us-east-1`. */
  region?: string;
  /** URL of a server that is not AWS, such as `https://minio.internal:9000`. Default: AWS, or `AWS_ENDPOINT_URL_S3`. */
  endpoint?: string;
  /** Whether the bucket stands in the path of URLs, instead of in the host's name. Default: with an `endpoint`, yes. */
  forcePathStyle?: boolean;
  /** Default: the SDK's chain of environment, profile, web identity, container and instance. */
  credentials?: S3Credentials;
  /**
   * An `S3Client` of your own, which is then not closed; with it `region`, `endpoint`, `forcePathStyle` and
   * `credentials` only describe. Switch its checksums to `WHEN_REQUIRED` if the server is not AWS.
   */
  client?: S3ClientLike;
  /**
   * Milliseconds that one call may take: credentials, connection, retries and answer together. A read is one call; a
   * write takes at most twice as long. Default: 3000. From 5000 on, an application no longer waits for the answer to a
   * read.
   */
  timeout?: number;
  /** Milliseconds after which the report of an instance that wrote no other is forgotten. Default: 100000. */
  reportTtl?: number;
  /**
   * What to do with a server that ignores the conditions of a write, so that of two operators one may undo what the
   * other did: `'refuse'` to write, or `'warn'` once and look before each write, which leaves a gap of one round trip.
   * Default: `'refuse'`.
   */
  onUnconditionalWrites?: 'refuse' | 'warn';
}

/** Where a state is, in a form that can be shown. */
export interface S3Location {
  readonly bucket: string;
  readonly key: string;
  /** Without credentials. */
  readonly endpoint?: string;
  readonly region?: string;
  /** For people: `s3://bucket/key`, and the endpoint if it is not AWS. */
  readonly location: string;
}

/**
 * Checks the options and says where they point.
 *
 * @throws Error with a sentence that names the option
 */
export function resolveS3Location(options: S3StateStorageOptions): S3Location {
  const { bucket, key, region } = options;
  if (!bucket) throw new Error('S3StateStorage needs the option bucket');
  if (!key || key.endsWith('/')) throw new Error('S3StateStorage needs the option key, the name of an object');
  for (const name of ['timeout', 'reportTtl'] as const) {
    const value = options[name];
    if (value !== undefined && !(value > 0)) throw new Error(`${name} must be a number of milliseconds, not ${value}`);
  }
  const endpoint = options.endpoint === undefined ? undefined : parseEndpoint(options.endpoint);
  return { bucket, key, endpoint, region, location: formatS3Location(bucket, key, endpoint) };
}

/** The place of an object beside this one, whose name goes on with `suffix`. */
export function getSiblingLocation({ bucket, key, endpoint, region }: S3Location, suffix: string): S3Location {
  const name = `${key}${suffix}`;
  return { bucket, key: name, endpoint, region, location: formatS3Location(bucket, name, endpoint) };
}

function formatS3Location(bucket: string, key: string, endpoint: string | undefined): string {
  return `s3://${bucket}/${key}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
}

function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    const shown = text.includes('@') ? '' : `, not ${JSON.stringify(text)}`;
    throw new Error(`the endpoint must be a URL such as https://minio.internal:9000${shown}`);
  }
  // S3 knows no user and password: requests are signed with the keys.
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
