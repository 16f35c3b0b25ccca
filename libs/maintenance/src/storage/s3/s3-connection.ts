import type * as Aws from '@aws-sdk/client-s3';
import { S3_REREAD_PROFILE_OPTION } from '../../nest-internals.js';
import { toS3Failure, S3Failure } from './s3-failure.js';
import type { S3Location, S3StateStorageOptions } from './s3-options.js';
import { MAX_STATE_BYTES } from '../state-storage.js';

type Sdk = typeof Aws;
type S3Client = Aws.S3Client;

/** State and report need three connections; the others fetch the reports of other instances. */
const MAX_CONNECTIONS = 16;

/** The content of an object. */
export interface S3Content {
  /** The ETag without quotes: servers differ in whether they expect them. */
  version: string;
  /** Missing if the object is larger than {@link MAX_STATE_BYTES}. */
  text?: string;
}

/** An object in a listing. */
export interface S3Entry {
  key: string;
  /** When the object was written, by the clock of the server, in milliseconds since the epoch. */
  modifiedAt: number;
  /** Missing if the server returns none. */
  version?: string;
}

/** The condition of a write. `ifMatch` is sent as it is, with or without quotes. */
export interface S3Condition {
  ifMatch?: string;
  ifNoneMatch?: '*';
}

/**
 * Calls S3, each time with a timeout. All methods throw {@link S3Failure}.
 *
 * A `deadline`, on the clock of `performance.now()`, shortens the timeout of a call.
 */
export class S3Connection {
  /** The timeout of one call, in milliseconds. */
  readonly timeout: number;
  readonly #location: S3Location;
  readonly #options: S3StateStorageOptions;
  readonly #secrets: string[];
  readonly #calls = new Set<AbortController>();
  #client: S3Client | undefined;
  #isClosed = false;

  constructor(location: S3Location, options: S3StateStorageOptions) {
    this.timeout = options.timeout ?? 3000;
    this.#location = location;
    this.#options = options;
    const { accessKeyId, secretAccessKey, sessionToken } = options.credentials ?? {};
    this.#secrets = [accessKeyId, secretAccessKey, sessionToken].filter((secret): secret is string => Boolean(secret));
  }

  /**
   * Reads an object.
   *
   * @param known - a version; if the object still has it, `'unchanged'` is returned
   * @returns `null` if the object does not exist
   */
  async get(key: string, known?: string, deadline?: number): Promise<S3Content | 'unchanged' | null> {
    return this.#call(deadline, async (sdk, client, abortSignal) => {
      try {
        const input = { Bucket: this.#location.bucket, Key: key, IfNoneMatch: known && `"${known}"` };
        const { Body, ContentLength, ETag } = await client.send(new sdk.GetObjectCommand(input), { abortSignal });
        if (!Body || !ETag) throw new S3Failure({ status: 200, reason: 'a response without content or ETag' });
        // In Node.js, the body is always a stream.
        const text = await readText(Body as AsyncIterable<Uint8Array>, ContentLength);
        return { version: stripQuotes(ETag), text };
      } catch (error) {
        const { $metadata, name } = error as { $metadata?: { httpStatusCode?: number }; name?: string };
        if ($metadata?.httpStatusCode === 304 && known !== undefined) return 'unchanged';
        // Not any 404: that of a proxy without a server behind it must not be read as "nothing is stored".
        if ($metadata?.httpStatusCode === 404 && name === 'NoSuchKey') return null;
        throw error;
      }
    });
  }

  /** Writes an object. Returns its version, if the server does. */
  async put(key: string, body: Buffer, condition: S3Condition, deadline?: number): Promise<string | undefined> {
    return this.#call(deadline, async (sdk, client, abortSignal) => {
      const command = new sdk.PutObjectCommand({
        Bucket: this.#location.bucket,
        Key: key,
        Body: body,
        ContentType: 'application/json',
        IfMatch: condition.ifMatch,
        IfNoneMatch: condition.ifNoneMatch,
      });
      const { ETag } = await client.send(command, { abortSignal });
      return ETag && stripQuotes(ETag);
    });
  }

  /** Lists the objects whose keys start with `prefix`. */
  async list(prefix: string, deadline?: number): Promise<S3Entry[]> {
    const entries: S3Entry[] = [];
    let token: string | undefined;
    do {
      const page = await this.#call(deadline, (sdk, client, abortSignal) => {
        const input = { Bucket: this.#location.bucket, Prefix: prefix, ContinuationToken: token };
        return client.send(new sdk.ListObjectsV2Command(input), { abortSignal });
      });
      for (const { Key, LastModified, ETag } of page.Contents ?? []) {
        const modifiedAt = LastModified?.getTime() ?? Date.now();
        if (Key !== undefined) entries.push({ key: Key, modifiedAt, version: ETag && stripQuotes(ETag) });
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return entries;
  }

  /** Removes an object if it exists. */
  async remove(key: string, deadline?: number): Promise<void> {
    await this.#call(deadline, (sdk, client, abortSignal) =>
      client.send(new sdk.DeleteObjectCommand({ Bucket: this.#location.bucket, Key: key }), { abortSignal }),
    );
  }

  /** Aborts running calls, and closes the client unless it was passed as an option. */
  close(): void {
    this.#isClosed = true;
    for (const call of this.#calls) call.abort(new S3Failure({ code: 'CLOSED' }));
    this.#dropClient();
  }

  async #call<T>(
    deadline: number | undefined,
    work: (sdk: Sdk, client: S3Client, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const sdk = await loadSdk();
    if (this.#isClosed) throw new S3Failure({ code: 'CLOSED' });
    const call = new AbortController();
    this.#calls.add(call);
    let timer: NodeJS.Timeout | undefined;
    try {
      const ended = new Promise<never>((_resolve, reject) => {
        call.signal.addEventListener('abort', () => reject(call.signal.reason as S3Failure));
        const timeoutMs = Math.min(this.timeout, (deadline ?? Infinity) - performance.now());
        timer = setTimeout(() => call.abort(createTimeoutFailure(this.timeout)), Math.max(timeoutMs, 0));
      });
      this.#client ??= this.#createClient(sdk);
      // Not the signal alone: the SDK does not check it while it waits for credentials.
      return await Promise.race([work(sdk, this.#client, call.signal), ended]);
    } catch (error) {
      const failure = toS3Failure(error, this.#secrets);
      // The SDK keeps the connection of a response whose body is not read; the signal destroys it.
      call.abort(failure);
      if (!this.#options.credentials && areCredentialsRefused(failure)) this.#dropClient();
      throw failure;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(call);
    }
  }

  #createClient(sdk: Sdk): S3Client {
    const { client, region, forcePathStyle, credentials } = this.#options;
    if (client) return client as unknown as S3Client;
    const { endpoint } = this.#location;
    return new sdk.S3Client({
      region: region ?? (endpoint && (process.env.AWS_REGION || 'us-east-1')),
      endpoint,
      forcePathStyle: forcePathStyle ?? (endpoint !== undefined || undefined),
      // A copy, because the SDK adds members.
      credentials: credentials && { ...credentials },
      // Older compatible servers refuse these checksums.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: 2,
      requestHandler: {
        httpAgent: { maxSockets: MAX_CONNECTIONS },
        httpsAgent: { maxSockets: MAX_CONNECTIONS },
        // Longer than the timeout of a call: the SDK would print the warning to the console.
        socketAcquisitionWarningTimeout: 2 * this.timeout,
      },
      ...S3_REREAD_PROFILE_OPTION,
    });
  }

  #dropClient(): void {
    const client = this.#client;
    this.#client = undefined;
    if (!this.#options.client) client?.destroy();
  }
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await import('@aws-sdk/client-s3');
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    // The package itself, not one of its dependencies.
    const isMissing = /^(?:ERR_)?MODULE_NOT_FOUND$/.test(code ?? '') && /'@aws-sdk\/client-s3'/.test(message ?? '');
    throw new S3Failure(
      isMissing ? { code: 'NOT_INSTALLED' } : { reason: `@aws-sdk/client-s3 can not be loaded: ${message}` },
    );
  }
}

/** Reads the text of a body. Returns `undefined` if it is too large to be a state. */
async function readText(body: AsyncIterable<Uint8Array>, length: number | undefined): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop destroys the stream and its connection, so that no more is fetched.
  for await (const chunk of body) {
    size += chunk.length;
    if ((length ?? size) > MAX_STATE_BYTES || size > MAX_STATE_BYTES) return undefined;
    chunks.push(chunk);
  }
  if (length !== undefined && size < length) {
    throw new S3Failure({ code: 'CUT', reason: `received ${size} of ${length} bytes` });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function stripQuotes(etag: string): string {
  return etag.replace(/^(?:W\/)?"(.*)"$/, '$1');
}

function createTimeoutFailure(timeout: number): S3Failure {
  return new S3Failure({ code: 'TIMEOUT', reason: `no answer within ${timeout / 1000} s` });
}

// The keys may have been rotated, but a client of the SDK keeps those that it has loaded.
function areCredentialsRefused({ status, code }: S3Failure): boolean {
  if (code === 'RequestTimeTooSkewed') return false;
  return status === 401 || status === 403 || code === 'ExpiredToken' || code === 'InvalidToken';
}
