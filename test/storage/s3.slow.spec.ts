import { PutObjectCommand, DeleteObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { inspect, promisify } from 'node:util';
import getPort from 'get-port';
import { S3StateStorage, type S3StateStorageOptions } from '../../libs/maintenance/src/s3.js';
import type { HistoryEntry, MaintenanceState } from '../../libs/maintenance/src/core/maintenance-state.js';
import type { MaintenanceStorageError } from '../../libs/maintenance/src/errors/maintenance-storage.error.js';
import type { StateStorage } from '../../libs/maintenance/src/storage/state-storage.js';
import { createStorage } from '../../libs/maintenance/src/storage/create-storage.js';
import { describeStateStorage } from '../../libs/maintenance/src/testing/describe-state-storage.js';
import { LightServer, S3Front, S3RVER_KEYS, type Fault, type S3Call } from './s3-front.js';
import { captureStorageError } from './capture-storage-error.js';

const { TEST_S3_ENDPOINT, TEST_S3_ACCESS_KEY_ID, TEST_S3_SECRET_ACCESS_KEY, TEST_S3_BUCKET, TEST_S3_REGION } =
  process.env;

/** Folder of all objects of these tests, so that they can share a bucket. */
const FOLDER = `s3-spec-${randomUUID()}`;
const LIGHT_BUCKET = 'bucket';

/** A server, as far as tests that run on any need to know it. */
interface Server {
  endpoint: string;
  bucket: string;
  region?: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

let light: LightServer;
let front: S3Front;
const opened: StateStorage[] = [];

beforeAll(async () => {
  light = await LightServer.start(LIGHT_BUCKET);
  front = await S3Front.start(light, LIGHT_BUCKET);
});

afterEach(async () => {
  front.reset();
  jest.restoreAllMocks();
  for (const storage of opened.splice(0)) await storage.close?.();
});

afterAll(async () => {
  await front.stop();
  await light.stop();
});

function behindFront(): Server {
  return { endpoint: front.url, bucket: LIGHT_BUCKET, credentials: S3RVER_KEYS };
}

function engine(): Server {
  return {
    endpoint: TEST_S3_ENDPOINT!,
    bucket: TEST_S3_BUCKET!,
    region: TEST_S3_REGION,
    credentials: { accessKeyId: TEST_S3_ACCESS_KEY_ID!, secretAccessKey: TEST_S3_SECRET_ACCESS_KEY! },
  };
}

function newKey(): string {
  return `${FOLDER}/${randomUUID()}.json`;
}

/** Opens a storage that is closed after the test. */
function open(options: S3StateStorageOptions): S3StateStorage {
  const storage = new S3StateStorage(options);
  opened.push(storage);
  return storage;
}

function createS3Client({ endpoint, region = 'us-east-1', credentials }: Server): S3Client {
  const checksums = {
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  } as const;
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true, ...checksums });
}

/** Puts an object with the SDK, bypassing the storage. */
async function putByHand(server: Server, key: string, text: string): Promise<void> {
  const client = createS3Client(server);
  await client.send(new PutObjectCommand({ Bucket: server.bucket, Key: key, Body: text }));
  client.destroy();
}

async function deleteByHand(server: Server, key: string): Promise<void> {
  const client = createS3Client(server);
  await client.send(new DeleteObjectCommand({ Bucket: server.bucket, Key: key }));
  client.destroy();
}

async function namesBelow(server: Server, prefix: string): Promise<string[]> {
  const client = createS3Client(server);
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: server.bucket, Prefix: prefix }));
  client.destroy();
  return Contents.map(({ Key }) => Key!);
}

function createState(revision: number, more: Partial<MaintenanceState> = {}): MaintenanceState {
  return { format: 1, lineage: 'spec', revision, windows: [], history: [], ...more };
}

function createEntry(revision: number, by: string): HistoryEntry {
  return { revision, at: '2026-11-22T10:00:00.000Z', action: 'on', by, windows: [] };
}

function createReport(id: string, seenAt = Date.now()) {
  const iso = new Date(seenAt).toISOString();
  return { id, host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0, seenAt: iso };
}

function isPutTo(key: string): (call: S3Call) => boolean {
  return ({ method, path }) => method === 'PUT' && path.endsWith(`/${key}`);
}

/** Returns the body of an S3 error response. */
function createErrorXml(code: string, more = ''): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code>${more}</Error>`;
}

describe.each([
  { name: 's3rver behind a front', serverOf: behindFront, isThere: true },
  { name: 'the S3 engine in TEST_S3_ENDPOINT', serverOf: engine, isThere: Boolean(TEST_S3_ENDPOINT) },
])('S3StateStorage on $name', ({ name, serverOf, isThere }) => {
  if (!isThere) {
    process.stderr.write(`The tests on ${name} are skipped: it is not set.\n`);
    it.skip('is skipped', () => undefined);
    return;
  }

  let server: Server;
  let key: string;
  let storage: S3StateStorage;
  const another = (more: Partial<S3StateStorageOptions> = {}): S3StateStorage => open({ ...server, key, ...more });

  beforeEach(() => {
    server = serverOf();
    key = newKey();
    storage = another();
  });

  afterAll(async () => {
    for (const name of await namesBelow(serverOf(), FOLDER)) await deleteByHand(serverOf(), name);
  });

  describeStateStorage('S3StateStorage', () => {
    const options = { ...serverOf(), key: newKey(), reportTtl: 4_000 };
    return {
      storage: new S3StateStorage(options),
      another: () => new S3StateStorage(options),
      put: (text) => putByHand(options, options.key, text),
      reportTtl: options.reportTtl,
    };
  });

  it('returns the same object without parsing while nothing changes', async () => {
    await storage.write(createState(1), null);
    const first = await storage.read();
    const parse = jest.spyOn(JSON, 'parse');
    const second = await storage.read();
    const third = await storage.read();
    expect(parse).not.toHaveBeenCalled();
    expect(second).toBe(first);
    expect(third).toBe(first);
    await another().write(createState(2), first!.version);
    expect((await storage.read())?.state.revision).toBe(2);
    expect(parse).toHaveBeenCalled();
  });

  // Both checks in one test: a server that matches no ETag at all would pass the first one alone.
  it('rejects a stale ETag and accepts a current one', async () => {
    const first = await storage.write(createState(1), null);
    const second = await storage.write(createState(2), first);
    const stale = await captureStorageError(another().write(createState(3), first));
    expect(stale.code).toBe('conflict');
    expect(stale.message).toBe(
      `${storage.location} was not written: another writer has changed it. Re-read the state and retry.`,
    );
    await another().write(createState(3), second);
    expect((await storage.read())?.state.revision).toBe(3);
  });

  it('loses no update of 2 concurrent writers with 50 writes each', async () => {
    await storage.write(createState(0), null);
    const writers = [storage, another()].map(async (writer, index) => {
      for (let done = 0; done < 50;) {
        const { state, version } = (await writer.read())!;
        const markers = [...((state.markers as string[] | undefined) ?? []), `${index}-${done}`];
        try {
          await writer.write({ ...state, revision: state.revision + 1, markers }, version);
          done++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'conflict' });
        }
      }
    });
    await Promise.all(writers);
    const { state } = (await storage.read())!;
    expect(state.revision).toBe(100);
    expect(new Set(state.markers as string[]).size).toBe(100);
  });

  it('reads null after the object was deleted manually, and rejects a write based on it', async () => {
    const version = await storage.write(createState(1), null);
    await storage.read();
    await deleteByHand(server, key);
    expect(await storage.read()).toBeNull();
    const error = await captureStorageError(storage.write(createState(2), version));
    expect(error.code).toBe('conflict');
    expect(error.message).toContain('the state has been deleted');
    await storage.write(createState(2), null);
    expect((await storage.read())?.state.revision).toBe(2);
  });

  it('reports invalid content on every read, and can overwrite it', async () => {
    await storage.write(createState(1), null);
    await storage.read();
    await putByHand(server, key, '<html>');
    const error = await captureStorageError(storage.read());
    expect(error).toMatchObject({ code: 'corrupt', version: expect.any(String) });
    expect(error.message).toBe(
      `${storage.location} does not contain a valid maintenance state: it is text, not JSON, nor just 1 or 0. ` +
        'Check that this is the right place, and correct it; or replace the content with `on --force` or `off --force`.',
    );
    expect(await captureStorageError(storage.read())).toBe(error);
    await storage.write(createState(2), error.version!);
    expect((await storage.read())?.state.revision).toBe(2);
  });

  it('does not fetch an object that is too large, and can overwrite it', async () => {
    await putByHand(server, key, `${' '.repeat(3 * 1024 * 1024)}1`);
    const error = await captureStorageError(storage.read());
    expect(error).toMatchObject({ code: 'corrupt', version: expect.any(String) });
    expect(error.message).toContain('it is larger than 1048576 bytes');
    await storage.write(createState(2), error.version!);
    expect((await storage.read())?.state.revision).toBe(2);
    const large = await captureStorageError(storage.write(createState(3, { filler: 'x'.repeat(1024 * 1024) }), null));
    expect(large).toMatchObject({ code: 'unavailable' });
    expect(large.message).toContain('the limit is 1048576');
  });

  it('leaves no other objects next to the state', async () => {
    const version = await storage.write(createState(1), null);
    await another().write(createState(2), version);
    expect(await namesBelow(server, key)).toEqual([key]);
  });

  it('names the bucket if it does not exist', async () => {
    const missing = another({ bucket: 'no-such-bucket' });
    for (const work of [
      () => missing.read(),
      () => missing.write(createState(1), null),
      () => missing.write(createState(1), 'v'),
      () => missing.reports(),
    ]) {
      const error = await captureStorageError(work());
      expect(error.code).toBe('unavailable');
      expect(error.message).toContain('s3://no-such-bucket/');
      expect(error.message).toContain(`at ${server.endpoint} could not be`);
      expect(error.message).toContain('the bucket does not exist: "no-such-bucket" (HTTP 404, NoSuchBucket');
      expect(error.message).toContain('Create the bucket, or correct its name, the region and the endpoint.');
    }
  });

  const wrongKeys: [string, Partial<Server['credentials']>, string][] = [
    ['an unknown access key', { accessKeyId: 'NOBODYSKEY' }, 'unknown access key (HTTP 403, InvalidAccessKeyId'],
    ['a wrong secret', { secretAccessKey: 'nobodyssecret' }, 'wrong secret key (HTTP 403, SignatureDoesNotMatch'],
  ];

  // s3rver does not check the signature of requests for missing objects.
  it.each(serverOf === engine ? wrongKeys : wrongKeys.slice(0, 1))(
    'names %s without revealing the keys',
    async (_title, wrong, sentence) => {
      const credentials = { ...server.credentials, ...wrong };
      const refused = another({ credentials });
      for (const work of [() => refused.read(), () => refused.write(createState(1), null), () => refused.reports()]) {
        const error = await captureStorageError(work());
        expect(error.code).toBe('denied');
        expect(error.message).toContain(sentence);
        expect(error.message).toContain(key);
        const [secret] = Object.values(wrong);
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
      }
      expect(await storage.read()).toBeNull();
    },
  );

  it('reads and writes with a given client and leaves it open', async () => {
    const client = createS3Client(server);
    const own = another({ client });
    await own.write(createState(1), null);
    expect((await own.read())?.state.revision).toBe(1);
    await own.close();
    expect((await captureStorageError(own.read())).message).toContain('the storage is closed');
    const listed = await client.send(new ListObjectsV2Command({ Bucket: server.bucket, Prefix: key }));
    expect(listed.KeyCount).toBe(1);
    client.destroy();
  });

  it('is created from an s3: URL', async () => {
    const url = `s3://${server.bucket}/${encodeURIComponent('x y')}${key}?endpoint=${server.endpoint}&region=us-east-1`;
    const named = await createStorage(url);
    opened.push(named);
    expect(named).toBeInstanceOf(S3StateStorage);
    expect(named).toMatchObject({ kind: 's3', location: `s3://${server.bucket}/x y${key} at ${server.endpoint}` });
  });

  it('keeps the reports of 30 instances and drops expired ones', async () => {
    await storage.report(createReport('over', Date.now() - 101_000));
    await putByHand(server, `${key}.instances/broken.json`, '{');
    await putByHand(server, `${key}.instances/other.txt`, JSON.stringify(createReport('other')));
    await Promise.all(Array.from({ length: 30 }, (_, index) => storage.report(createReport(`i${index}`))));
    expect(new Set((await storage.reports()).map(({ id }) => id))).toEqual(
      new Set(Array.from({ length: 30 }, (_, index) => `i${index}`)),
    );
  });
});

describe('S3StateStorage while S3 fails', () => {
  let key: string;
  let storage: S3StateStorage;
  const another = (more: Partial<S3StateStorageOptions> = {}): S3StateStorage =>
    open({ ...behindFront(), key, ...more });

  beforeEach(() => {
    key = newKey();
    storage = another();
  });

  function counted(method: string): number {
    return front.calls.filter((call) => call.method === method).length;
  }

  const answers: [title: string, fault: Fault, code: string, sentence: string][] = [
    [
      'access denied',
      { status: 403, body: createErrorXml('AccessDenied', '<Message>Access Denied.</Message>') },
      'denied',
      'access denied (HTTP 403, AccessDenied, Access Denied). Allow s3:GetObject on the object, and s3:ListBucket on ' +
        'the bucket, without which a missing object gives the same error.',
    ],
    [
      'access denied by a proxy',
      { status: 403, body: 'Forbidden' },
      'denied',
      'access denied (HTTP 403). Allow s3:GetObject',
    ],
    [
      'an expired session token',
      { status: 400, body: createErrorXml('ExpiredToken', '<Message>The provided token has expired.</Message>') },
      'denied',
      'the session token has expired (HTTP 400, ExpiredToken, The provided token has expired). Renew',
    ],
    [
      'a clock that is ahead',
      { status: 403, headers: { date: dateIn(-17) }, body: createErrorXml('RequestTimeTooSkewed') },
      'denied',
      "the clock of this machine is 17 minutes ahead of the server's (HTTP 403, RequestTimeTooSkewed). Set the clock",
    ],
    [
      'a clock that is behind',
      { status: 403, headers: { date: dateIn(90) }, body: createErrorXml('RequestTimeTooSkewed') },
      'denied',
      "the clock of this machine is 90 minutes behind the server's",
    ],
    [
      'another region',
      { status: 301, headers: { 'x-amz-bucket-region': 'eu-west-3' }, body: createErrorXml('PermanentRedirect') },
      'unavailable',
      'the bucket is in eu-west-3 (HTTP 301, PermanentRedirect). Set region= in the URL, or AWS_REGION, to',
    ],
    [
      'a signature for the wrong region',
      { status: 400, body: createErrorXml('AuthorizationHeaderMalformed', '<Region>eu-north-1</Region>') },
      'unavailable',
      'the bucket is in eu-north-1 (HTTP 400, AuthorizationHeaderMalformed).',
    ],
    [
      'an encryption key without permission',
      {
        status: 403,
        body: createErrorXml(
          'AccessDenied',
          '<Message>User x is not authorized to perform: kms:Decrypt on resource y</Message>',
        ),
      },
      'denied',
      "the bucket's encryption key can't be used (HTTP 403, AccessDenied, User x is not authorized to perform: " +
        'kms:Decrypt on ' +
        'resource y). Enable it, and allow kms:Decrypt on it.',
    ],
    [
      'a disabled encryption key',
      { status: 400, body: createErrorXml('KMS.DisabledException') },
      'denied',
      "the bucket's encryption key can't be used (HTTP 400, KMS.DisabledException).",
    ],
    [
      '500',
      { status: 500 },
      'unavailable',
      "the server responded with HTTP 500. Try again, and check the server's log.",
    ],
    [
      '500 with a code',
      { status: 500, body: createErrorXml('InternalError', '<Message>We encountered an internal error.</Message>') },
      'unavailable',
      'the server responded with HTTP 500, InternalError, We encountered an internal error. Try again',
    ],
    [
      '503',
      { status: 503, body: createErrorXml('SlowDown') },
      'unavailable',
      'the server asks for fewer requests (HTTP 503, SlowDown).',
    ],
    [
      '404 of another server',
      { status: 404, body: '<html>not here</html>' },
      'unavailable',
      'unexpected response, not from S3 (HTTP 404',
    ],
    [
      'a redirect',
      { status: 302, headers: { location: '/login' } },
      'unavailable',
      'unexpected response, not from S3 (HTTP 302',
    ],
    [
      '200 of another server',
      { status: 200, body: 'Welcome' },
      'unavailable',
      'unexpected response, not from S3 (HTTP 200',
    ],
    ['304 without a conditional request', { status: 304 }, 'unavailable', 'unexpected response, not from S3 (HTTP 304'],
    [
      'a connection reset',
      'reset',
      'unavailable',
      'the connection was closed (socket hang up). Check the server and any proxy in front of it.',
    ],
  ];

  function dateIn(minutes: number): string {
    return new Date(Date.now() + minutes * 60_000).toUTCString();
  }

  it.each(answers)('explains the failure: %s', async (_title, fault, code, sentence) => {
    front.intercept = () => fault;
    const error = await captureStorageError(storage.read());
    expect(error.message).toContain(`s3://${LIGHT_BUCKET}/${key} at ${front.url} could not be read: ${sentence}`);
    expect(error.code).toBe(code);
    front.intercept = () => undefined;
    // The SDK corrects its clock by the server's Date header after such an error.
    expect(await (code === 'denied' ? another() : storage).read()).toBeNull();
  });

  it('names the permission missing for a write, a report and a list', async () => {
    front.intercept = () => ({ status: 403, body: createErrorXml('AccessDenied') });
    const probe = await captureStorageError(storage.write(createState(1), 'version'));
    expect(probe.code).toBe('denied');
    expect(probe.message).toBe(
      `s3://${LIGHT_BUCKET}/${key}.probe at ${front.url} could not be written: access denied ` +
        '(HTTP 403, AccessDenied). Allow s3:PutObject and s3:GetObject on the object. This object tests whether the ' +
        'server supports conditional writes; the state was not written.',
    );
    front.intercept = (call) =>
      isPutTo(key)(call) ? { status: 403, body: createErrorXml('AccessDenied') } : undefined;
    const write = await captureStorageError(storage.write(createState(1), 'version'));
    expect(write.message).toBe(
      `${storage.location} could not be written: access denied (HTTP 403, AccessDenied). ` +
        'Allow s3:PutObject and s3:GetObject on the object.',
    );
    front.intercept = () => ({ status: 403, body: createErrorXml('AccessDenied') });
    const report = await captureStorageError(storage.report(createReport('a')));
    expect(report.message).toContain(
      `s3://${LIGHT_BUCKET}/${key}.instances/ at ${front.url} could not be written: access denied`,
    );
    const reports = await captureStorageError(storage.reports());
    expect(reports.code).toBe('denied');
    expect(reports.message).toContain(
      'could not be listed: access denied (HTTP 403, AccessDenied). Allow s3:ListBucket on the',
    );
  });

  it('names a refused connection', async () => {
    const error = await captureStorageError(another({ endpoint: `http://127.0.0.1:${await getPort()}` }).read());
    expect(error.code).toBe('unavailable');
    expect(error.message).toMatch(
      /connection refused \(connect ECONNREFUSED 127\.0\.0\.1:\d+\)\. Start the server, or correct the/,
    );
  });

  it('names an unknown host', async () => {
    const error = await captureStorageError(another({ endpoint: 'http://no-such-host.invalid' }).read());
    expect(error.code).toBe('unavailable');
    expect(error.message).toContain('host not found (getaddrinfo');
  });

  it('names a server without TLS', async () => {
    const error = await captureStorageError(another({ endpoint: front.url.replace('http:', 'https:') }).read());
    expect(error.code).toBe('unavailable');
    expect(error.message).toContain('no secure connection (');
    expect(error.message).toContain('Check whether the endpoint is http or https;');
  });

  describe('without AWS configuration', () => {
    const before = { ...process.env };
    let folder: string;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 's3-home-'));
      for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
      process.env.AWS_EC2_METADATA_DISABLED = 'true';
      process.env.AWS_SHARED_CREDENTIALS_FILE = join(folder, 'credentials');
      process.env.AWS_CONFIG_FILE = join(folder, 'config');
    });

    afterEach(async () => {
      for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
      Object.assign(process.env, before);
      await rm(folder, { recursive: true, force: true });
    });

    it('names the missing credentials', async () => {
      const error = await captureStorageError(another({ credentials: undefined }).read());
      expect(error.code).toBe('denied');
      expect(error.message).toContain('no credentials were found (');
      expect(error.message).toContain(
        'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or assign a role to the machine.',
      );
      expect(front.calls).toEqual([]);
    });

    it('names the missing region', async () => {
      const error = await captureStorageError(another({ endpoint: undefined }).read());
      expect(error.code).toBe('unavailable');
      expect(error.message).toBe(
        `s3://${LIGHT_BUCKET}/${key} could not be read: no region is set. Set AWS_REGION, or region= in the URL.`,
      );
    });

    it('uses the new keys after the credentials file changed', async () => {
      const write = (id: string): Promise<void> =>
        writeFile(
          join(folder, 'credentials'),
          `[default]\naws_access_key_id = ${id}\naws_secret_access_key = S3RVER\n`,
        );
      const refuse = (id: string): void => {
        const isRefused = ({ headers }: S3Call): boolean => headers.authorization!.includes(`Credential=${id}/`);
        front.intercept = (call) =>
          isRefused(call) ? { status: 403, body: createErrorXml('InvalidAccessKeyId') } : undefined;
      };
      await write('S3RVER');
      const rotated = another({ credentials: undefined });
      expect(await rotated.read()).toBeNull();
      refuse('S3RVER');
      expect((await captureStorageError(rotated.read())).code).toBe('denied');
      await write('OTHER');
      expect((await captureStorageError(rotated.read())).message).toContain('unknown access key');
      expect(front.calls.at(-1)?.headers.authorization).toContain('Credential=OTHER/');
      refuse('OTHER');
      await write('S3RVER');
      expect(await rotated.read()).toBeNull();
    });
  });

  it('reads although the local clock is wrong', async () => {
    let refusals = 0;
    front.intercept = ({ headers }) => {
      const serverTime = Date.now() - 3600_000;
      const signedAt = (headers['x-amz-date'] as string).replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5');
      const date = new Date(serverTime).toUTCString();
      const isSkewed = Math.abs(Date.parse(signedAt) - serverTime) > 900_000;
      refusals += isSkewed ? 1 : 0;
      return {
        status: isSkewed ? 403 : 404,
        headers: { date },
        body: createErrorXml(isSkewed ? 'RequestTimeTooSkewed' : 'NoSuchKey'),
      };
    };
    expect(await storage.read()).toBeNull();
    expect(await storage.read()).toBeNull();
    expect(refusals).toBe(1);
  });

  it('reports a truncated response as a failure, not as corrupt content', async () => {
    await storage.write(createState(1), null);
    front.intercept = () => 'cut';
    const error = await captureStorageError(storage.read());
    expect(error.code).toBe('unavailable');
    expect(error.message).toContain('the connection was closed (');
    front.intercept = () => undefined;
    expect((await storage.read())?.state.revision).toBe(1);
  });

  describe('timeouts', () => {
    const timeout = 300;
    // Far above the storage's timeout and far below any timeout of the SDK.
    const SLACK = 15_000;

    async function elapsed(work: Promise<unknown>): Promise<[MaintenanceStorageError, number]> {
      const start = performance.now();
      const error = await captureStorageError(work);
      return [error, performance.now() - start];
    }

    it('times out a hanging read, report and list', async () => {
      const hasty = another({ timeout });
      await hasty.read();
      front.intercept = () => 'hang';
      for (const work of [() => hasty.read(), () => hasty.report(createReport('a')), () => hasty.reports()]) {
        const [error, milliseconds] = await elapsed(work());
        expect(error.code).toBe('unavailable');
        expect(error.message).toContain('no answer within 0.3 s. Check that the server is running and reachable.');
        expect(milliseconds).toBeGreaterThan(timeout - 20);
        expect(milliseconds).toBeLessThan(timeout + SLACK);
      }
      front.intercept = () => undefined;
      expect(await hasty.read()).toBeNull();
    });

    it('times out a hanging write and says that its outcome is unknown', async () => {
      const hasty = another({ timeout });
      const version = await hasty.write(createState(1), null);
      front.intercept = () => 'hang';
      const [error, milliseconds] = await elapsed(hasty.write(createState(2), version));
      // The probe hangs.
      expect(error.message).toContain(`${key}.probe at`);
      expect(milliseconds).toBeLessThan(2 * timeout + SLACK);
      front.intercept = ({ path }) => (path.endsWith('.probe') ? undefined : 'hang');
      const [unknown, longer] = await elapsed(hasty.write(createState(2), version));
      expect(unknown.code).toBe('unavailable');
      expect(unknown.message).toContain('no answer within 0.3 s.');
      expect(unknown.message).toContain('It may have been written all the same: it could not be read again.');
      expect(longer).toBeGreaterThan(2 * timeout - 50);
      expect(longer).toBeLessThan(2 * timeout + SLACK);
    });

    it('times out a response whose second half never arrives', async () => {
      const half = createServer((_request, response) => {
        response.writeHead(200, { etag: '"x"', 'content-length': '100' });
        response.write('{');
      });
      await new Promise<void>((done) => half.listen(0, '127.0.0.1', done));
      const { port } = half.address() as AddressInfo;
      const reading = elapsed(another({ timeout, endpoint: `http://127.0.0.1:${port}` }).read());
      const [error, milliseconds] = await reading.finally(() => {
        half.closeAllConnections();
        half.close();
      });
      expect(error.message).toContain('no answer within 0.3 s');
      expect(milliseconds).toBeLessThan(timeout + SLACK);
    });

    it('times out while a credential provider hangs', async () => {
      const client = new S3Client({
        endpoint: front.url,
        region: 'x',
        credentials: () => new Promise(() => undefined),
      });
      const [error, milliseconds] = await elapsed(another({ timeout, client }).read());
      expect(error.message).toContain('no answer within 0.3 s');
      expect(milliseconds).toBeLessThan(timeout + SLACK);
      expect(front.calls).toEqual([]);
    });

    it('aborts hanging calls on close()', async () => {
      let came!: () => void;
      const arrived = new Promise<void>((done) => (came = done));
      front.intercept = () => {
        came();
        return 'hang';
      };
      const reading = captureStorageError(storage.read());
      await arrived;
      await storage.close();
      const error = await reading;
      expect(error.code).toBe('unavailable');
      expect(error.message).toContain('the storage is closed');
    });
  });

  describe('connections', () => {
    it('keeps no connection open for a response body that it does not read', async () => {
      // The answer of a server that is not S3: it has no ETag, so the storage never reads the body.
      front.intercept = () => ({ status: 200, body: 'Welcome' });
      for (let reads = 0; reads < 60; reads++) {
        const error = await captureStorageError(storage.read());
        expect(error.message).toContain('unexpected response, not from S3 (HTTP 200');
      }
      expect(await front.countConnections()).toBeLessThanOrEqual(2);
      front.intercept = () => undefined;
      expect(await storage.read()).toBeNull();
    });

    it('opens at most 16 connections, however many instances report', async () => {
      for (let index = 0; index < 40; index++) await storage.report(createReport(`instance-${index}`));
      let most = 0;
      front.intercept = () => {
        void front.countConnections().then((count) => (most = Math.max(most, count)));
        return undefined;
      };
      const reader = another();
      expect(await reader.reports()).toHaveLength(40);
      await storage.close();
      expect(most).toBeGreaterThan(2);
      // The storage that wrote the reports has one more connection.
      expect(most).toBeLessThanOrEqual(17);
    });
  });

  describe('write whose answer is lost', () => {
    it.each(['reset', 'hang', 500] as const)('succeeds if the write was carried out (%s)', async (lost) => {
      const hasty = another({ timeout: 500 });
      const first = await hasty.write(createState(1), null);
      front.intercept = (call) => (isPutTo(key)(call) ? { lost } : undefined);
      const version = await hasty.write(createState(2), first);
      front.intercept = () => undefined;
      expect(await hasty.read()).toEqual({ state: createState(2), version });
      expect(version).not.toBe(first);
      await hasty.write(createState(3), version);
    });

    it('succeeds if the first write was carried out', async () => {
      front.intercept = (call) => (isPutTo(key)(call) ? { lost: 'reset' } : undefined);
      const version = await storage.write(createState(1), null);
      front.intercept = () => undefined;
      expect(await storage.read()).toEqual({ state: createState(1), version });
    });

    it('rejects if nothing was written', async () => {
      const version = await storage.write(createState(1), null);
      front.intercept = (call) => (isPutTo(key)(call) ? 'reset' : undefined);
      const error = await captureStorageError(storage.write(createState(2), version));
      expect(error.code).toBe('unavailable');
      expect(error.message).toBe(
        `${storage.location} could not be written: the connection was closed (socket hang up). Check the server ` +
          'and any proxy in front of it. Try again. It still contains the previous state.',
      );
      front.intercept = (call) => (isPutTo(key)(call) ? { status: 500 } : undefined);
      expect((await captureStorageError(storage.write(createState(2), version))).message).toContain(
        'the server responded with HTTP 500.',
      );
      front.intercept = () => undefined;
      await storage.write(createState(2), version);
    });

    it('succeeds if a later write contains it in its history', async () => {
      const first = await storage.write(createState(1), null);
      const second = createState(2, { history: [createEntry(2, 'first')] });
      const third = createState(3, { history: [createEntry(3, 'second'), createEntry(2, 'first')] });
      const other = another();
      loseAnswerOnce(async () => {
        await other.write(third, (await other.read())!.version);
      });
      const version = await storage.write(second, first);
      const read = await storage.read();
      expect(read?.state).toEqual(third);
      // The version of an outdated state must not allow a write.
      expect(version).not.toBe(read?.version);
      expect((await captureStorageError(storage.write(createState(3), version))).code).toBe('conflict');
    });

    it('rejects with a conflict if the stored state is not based on it', async () => {
      const first = await storage.write(createState(1), null);
      for (const history of [[], [createEntry(3, 'other'), createEntry(2, 'other')]]) {
        const before = (await storage.read())?.version ?? first;
        const other = another();
        loseAnswerOnce(async () => {
          await other.write(createState(3, { history }), (await other.read())!.version);
        });
        const second = createState(2, { history: [createEntry(2, 'first')] });
        expect((await captureStorageError(storage.write(second, before))).code).toBe('conflict');
      }
    });

    /** Carries out the next write of the state, runs `then`, and resets the connection. */
    function loseAnswerOnce(then: () => Promise<void>): void {
      let isLost = false;
      front.intercept = (call) => {
        if (isLost || !isPutTo(key)(call)) return undefined;
        isLost = true;
        return { lost: 'reset', then };
      };
    }

    it.each([
      ['409', { status: 409, body: createErrorXml('ConditionalRequestConflict') }],
      ['500 without a body', { status: 500 }],
      ['412', { status: 412, body: createErrorXml('PreconditionFailed') }],
    ] as [string, Fault][])('rejects a lost race with a conflict although the answer is %s', async (_title, fault) => {
      const first = await storage.write(createState(1), null);
      await another().write(createState(2), first);
      front.intercept = (call) => (isPutTo(key)(call) ? fault : undefined);
      expect((await captureStorageError(storage.write(createState(2, { by: 'loser' }), first))).code).toBe('conflict');
    });

    it('rejects with a conflict if another write is in progress', async () => {
      const first = await storage.write(createState(1), null);
      front.intercept = (call) =>
        isPutTo(key)(call) ? { status: 409, body: createErrorXml('ConditionalRequestConflict') } : undefined;
      expect((await captureStorageError(storage.write(createState(2), first))).code).toBe('conflict');
    });

    it('takes an answer without an ETag for what it is worth', async () => {
      front.intercept = (call) => (isPutTo(key)(call) ? { status: 200 } : undefined);
      expect((await captureStorageError(storage.write(createState(1), null))).message).toContain(
        'unexpected response, not from S3 (HTTP 200, a response without ETag).',
      );
    });
  });

  describe('ETags', () => {
    it('sends ETags with quotes and checks once that the server supports conditional writes', async () => {
      let version = await storage.write(createState(1), null);
      front.calls.length = 0;
      for (let revision = 2; revision < 5; revision++) version = await storage.write(createState(revision), version);
      const puts = front.calls.filter(({ method }) => method === 'PUT');
      expect(puts.map(({ path }) => path.split('.json')[1])).toEqual(['.probe', '', '', '']);
      for (const { headers } of puts) expect(headers['if-match']).toMatch(/^"[\da-f]{32}"$/);
      expect(front.calls.filter(({ method }) => method !== 'PUT')).toEqual([]);
    });

    it('detects a server that matches ETags only without quotes', async () => {
      front.matches = (condition, etag) => `"${condition}"` === etag;
      let version = await storage.write(createState(1), null);
      version = await storage.write(createState(2), version);
      front.calls.length = 0;
      version = await storage.write(createState(3), version);
      expect(front.calls.map(({ method, headers }) => `${method} ${headers['if-match']}`)).toEqual([
        expect.stringMatching(/^PUT [\da-f]{32}$/),
      ]);
      expect((await captureStorageError(another().write(createState(4), 'stale'))).code).toBe('conflict');
      // Then the server requires quotes again.
      front.matches = (condition, etag) => condition === etag;
      await storage.write(createState(4), version);
      expect((await storage.read())?.state.revision).toBe(4);
    });

    it('names a server that matches no ETag', async () => {
      front.matches = () => false;
      const version = await storage.write(createState(1), null);
      const error = await captureStorageError(storage.write(createState(2), version));
      expect(error.code).toBe('unavailable');
      expect(error.message).toContain('the ETag of the object does not match, with or without quotes');
    });
  });

  it('returns a fresh copy after a caller changed a returned state', async () => {
    await storage.write(createState(1), null);
    const first = await storage.read();
    first!.state.revision = 99;
    const second = await storage.read();
    expect(second?.state.revision).toBe(1);
    expect(await storage.read()).toBe(second);
  });

  it('does not fetch long expired reports and removes them from time to time', async () => {
    await storage.report(createReport('fresh'));
    await storage.report(createReport('old'));
    const hours = (count: number): Date => new Date(Date.now() - count * 3600_000);
    await utimes(light.getObjectFile(`/${LIGHT_BUCKET}/${key}.instances/old.json`), hours(2), hours(2));
    front.calls.length = 0;
    expect((await storage.reports()).map(({ id }) => id)).toEqual(['fresh']);
    expect(
      front.calls.filter(({ path }) => path.includes('.instances/')).map(({ path }) => path.split('/').at(-1)),
    ).toEqual(['fresh.json']);
    await storage.report(createReport('fresh'));
    expect(counted('DELETE')).toBe(0);
    await another().report(createReport('new'));
    expect(counted('DELETE')).toBe(1);
    expect(await namesBelow(behindFront(), `${key}.`)).toEqual([
      `${key}.instances/fresh.json`,
      `${key}.instances/new.json`,
    ]);
  });

  it('fetches a known report again only if it changed', async () => {
    await storage.report(createReport('a'));
    await storage.report(createReport('b'));
    await storage.reports();
    const changed = { ...createReport('b'), inFlight: 7 };
    await storage.report(changed);
    front.calls.length = 0;
    expect(await storage.reports()).toEqual([expect.objectContaining({ id: 'a', inFlight: 0 }), changed]);
    expect(front.calls.filter(({ path }) => path.endsWith('.json')).map(({ path }) => path.split('/').at(-1))).toEqual([
      'b.json',
    ]);
  });

  it('reads listings of several pages', async () => {
    const now = new Date().toISOString();
    const entry = (id: string): string =>
      `<Contents><Key>${key}.instances/${id}.json</Key><LastModified>${now}</LastModified></Contents>`;
    const pages: Record<string, string> = {
      '': `<NextContinuationToken>more</NextContinuationToken>${entry('a')}`,
      more: entry('b'),
    };
    front.intercept = ({ path, query }) => {
      const id = /(\w+)\.json$/.exec(path)?.[1];
      if (id) return { status: 200, headers: { etag: '"x"' }, body: JSON.stringify(createReport(id)) };
      const page = pages[query.get('continuation-token') ?? ''];
      return { status: 200, body: `<ListBucketResult>${page}</ListBucketResult>` };
    };
    expect((await storage.reports()).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('reports without permission to list and delete', async () => {
    front.intercept = ({ method }) =>
      method === 'PUT' ? undefined : { status: 403, body: createErrorXml('AccessDenied') };
    await storage.report(createReport('a'));
    front.intercept = () => undefined;
    expect((await storage.reports()).map(({ id }) => id)).toEqual(['a']);
  });
});

describe('S3StateStorage on a server without conditional writes', () => {
  const bare = (): Server => ({ endpoint: light.url, bucket: LIGHT_BUCKET, credentials: S3RVER_KEYS });
  let key: string;

  beforeEach(() => {
    key = newKey();
  });

  it.each(['an empty bucket', 'a stored state'])('refuses to write and says why with %s', async (title) => {
    const isEmpty = title === 'an empty bucket';
    if (!isEmpty) {
      await putByHand(bare(), key, '1');
      await light.holds(`/${LIGHT_BUCKET}/${key}`, Buffer.from('1'));
    }
    const storage = open({ ...bare(), key });
    const before = await storage.read();
    const error = await captureStorageError(storage.write(createState(2), before?.version ?? null));
    expect(error.code).toBe('unavailable');
    expect(error.message).toBe(
      `${storage.location}: the server ignores the conditions of writes, so that operators may undo each other's ` +
        'changes. Nothing was written. Use a server that supports If-Match, or Redis; or accept the risk with the ' +
        "option onUnconditionalWrites: 'warn' of S3StateStorage.",
    );
    expect(await storage.read()).toEqual(before);
    expect(await namesBelow(bare(), key)).toEqual(isEmpty ? [] : [key]);
  });

  it('writes if an option allows it, after a warning and a check for changes', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    front.heedsConditions = false;
    const storage = open({ ...behindFront(), key, onUnconditionalWrites: 'warn' });
    const first = await storage.write(createState(1), null);
    const second = await storage.write(createState(2), first);
    expect((await captureStorageError(storage.write(createState(3), first))).code).toBe('conflict');
    expect((await captureStorageError(storage.write(createState(3), null))).code).toBe('conflict');
    expect(await storage.read()).toEqual({ state: createState(2), version: second });
    const warnings = warn.mock.calls.filter(([text]) => String(text).includes('ignores the conditions'));
    expect(warnings).toEqual([
      [
        `${storage.location}: the server ignores the conditions of writes, so that operators may undo each other's ` +
          'changes.',
        'MaintenanceStorageWarning',
      ],
    ]);
  });

  it('detects a server that rejects conditional headers', async () => {
    const storage = open({ ...behindFront(), key });
    front.intercept = ({ headers }) =>
      headers['if-match'] === undefined && headers['if-none-match'] === undefined
        ? undefined
        : { status: 501, body: createErrorXml('NotImplemented') };
    expect((await captureStorageError(storage.write(createState(1), null))).message).toContain(
      'ignores the conditions of writes',
    );
    expect((await captureStorageError(storage.write(createState(1), 'version'))).message).toContain(
      'ignores the conditions of writes',
    );
  });

  it('checks again after a check without a result', async () => {
    const storage = open({ ...behindFront(), key });
    front.intercept = () => ({ status: 500 });
    expect((await captureStorageError(storage.write(createState(1), null))).message).toContain(
      'the server responded with HTTP 500',
    );
    front.intercept = () => undefined;
    await storage.write(createState(1), null);
  });
});

describe('S3StateStorage secrets', () => {
  const SECRETS = { accessKeyId: 'MYACCESSKEYID', secretAccessKey: 'my/secret+key', sessionToken: 'my-session-token' };

  it('redacts secrets that the server echoes', async () => {
    const storage = open({ ...behindFront(), key: newKey(), credentials: SECRETS });
    const words = Object.values(SECRETS).join(' ');
    front.intercept = () => ({
      status: 403,
      headers: { 'x-amz-request-id': 'req-1' },
      body: createErrorXml(
        'SignatureDoesNotMatch',
        `<Message>Not ${words} AKIAABCDEFGHIJKLMNOP</Message><AWSAccessKeyId>${SECRETS.accessKeyId}</AWSAccessKeyId>` +
          `<StringToSign>${words}</StringToSign><CanonicalRequest>x-amz-security-token:${words}</CanonicalRequest>`,
      ),
    });
    for (const work of [
      () => storage.read(),
      () => storage.write(createState(1), 'v'),
      () => storage.reports(),
      () => storage.report(createReport('a')),
    ]) {
      const shown = inspect(await captureStorageError(work()), { depth: 20, showHidden: true });
      for (const secret of [...Object.values(SECRETS), 'AKIAABC']) expect(shown).not.toContain(secret);
      expect(shown).toContain('SignatureDoesNotMatch, Not *** *** *** ***');
      expect(shown).toContain('request req-1');
    }
    expect(inspect(storage, { depth: 20, showHidden: true })).not.toContain(SECRETS.secretAccessKey);
    expect(JSON.stringify(storage)).not.toContain(SECRETS.secretAccessKey);
  });

  it('neither shows nor sends credentials in the endpoint URL', async () => {
    const endpoint = front.url.replace('//', '//root:topsecret@');
    const storage = open({ ...behindFront(), key: newKey(), endpoint });
    expect(storage.location).toBe(`s3://${LIGHT_BUCKET}/${storage.location.slice(12).split(' ')[0]} at ${front.url}`);
    expect(await storage.read()).toBeNull();
    front.intercept = () => ({ status: 500 });
    const error = await captureStorageError(storage.read());
    expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(/root|topsecret/);
    expect(JSON.stringify(front.calls)).not.toMatch(/topsecret/);
  });

  it.each([
    ['s3://key:secret@bucket/state.json', 'contains credentials, which would be logged; set AWS_ACCESS_KEY_ID and'],
    [
      's3://key:sec/ret@bucket/state.json',
      'is not an S3 URL; expected a URL such as s3://bucket/path/maintenance.json?region=eu-central-1',
    ],
    [
      's3://bucket/state.json?endpoint=ftp://key:secret@host',
      'The option endpoint of S3StateStorage must be a URL such as https://minio.internal:9000',
    ],
    [
      's3://bucket/state.json?secretAccessKey=secret',
      'has the unknown parameter secretAccessKey; known: region, endpoint,',
    ],
  ])('reveals no secret of the URL %s', async (url, sentence) => {
    const message = await captureMessage(createStorage(url));
    expect(message).toContain(sentence);
    expect(message).not.toMatch(/[=:/]sec\/?ret|ret@|key:/);
  });
});

describe('S3StateStorage URL and options', () => {
  it.each([
    ['s3://bucket/a/b.json', 's3://bucket/a/b.json'],
    ['S3://bucket/a%20b%23.json?region=', 's3://bucket/a b#.json'],
    [
      's3://bucket/k?endpoint=https://minio.internal:9000/&forcePathStyle=false',
      's3://bucket/k at https://minio.internal:9000',
    ],
    [
      's3://bucket/k?endpoint=https%3A%2F%2Fhost%2Fs3%2F&region=x&forcePathStyle=true',
      's3://bucket/k at https://host/s3',
    ],
  ])('resolves %s to the location %s', async (url, location) => {
    expect(await createStorage(url)).toMatchObject({ kind: 's3', location });
  });

  it.each([
    ['s3:bucket/key', '"s3:bucket/key" is not an S3 URL; expected a URL such as s3://bucket/path/maintenance.json'],
    ['s3:///key', '"s3:///key" has no bucket'],
    ['s3://bucket', '"s3://bucket" has no object key'],
    ['s3://bucket/', '"s3://bucket/" has no object key'],
    ['s3://bucket/folder/', '"s3://bucket/folder/" has no object key'],
    ['s3://bucket:80/key', '"s3://bucket:80/key" is not an S3 URL; expected a URL such as'],
    ['s3://bucket/key#1', '"s3://bucket/key#1" contains "#"; encode it as %23'],
    ['s3://bucket/%zz', '"s3://bucket/%zz" is not an S3 URL; expected a URL such as'],
    ['s3://bucket/key?regoin=x', 'has the unknown parameter regoin; known: region, endpoint, forcePathStyle'],
    ['s3://bucket/key?region=a&region=b', 'has the parameter region more than once'],
    ['s3://bucket/key?forcePathStyle=yes', 'has an invalid forcePathStyle; expected true or false'],
    [
      's3://bucket/key?endpoint=minio:9000',
      'The option endpoint of S3StateStorage must be a URL such as https://minio.internal:9000, not "minio:9000"',
    ],
  ])('rejects the invalid URL %s', async (url, sentence) => {
    expect(await captureMessage(createStorage(url))).toContain(sentence);
  });

  it.each([
    [{ bucket: '', key: 'k' }, 'S3StateStorage requires the option bucket'],
    [{ bucket: 'b', key: '' }, 'S3StateStorage requires the option key'],
    [
      { bucket: 'b', key: 'k', timeout: 0 },
      'timeout of S3StateStorage must be a number of milliseconds above 0, not 0',
    ],
    [
      { bucket: 'b', key: 'k', reportTtl: NaN },
      'reportTtl of S3StateStorage must be a number of milliseconds above 0, not NaN',
    ],
  ])('%j are no options', (options, sentence) => {
    expect(() => new S3StateStorage(options)).toThrow(sentence);
  });
});

// Under Jest, system errors belong to another realm than the SDK, which therefore does not retry them.
describe('S3StateStorage in a separate process', () => {
  const root = resolve(__dirname, '../..');
  let folder: string;

  beforeAll(async () => {
    // Outside of the repository, so that no parent node_modules contains the SDK.
    folder = await mkdtemp(join(tmpdir(), 's3-process-'));
    // The dependencies of the package, but no optional peer.
    const { dependencies } = JSON.parse(await readFile(join(root, 'libs/maintenance/package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    for (const name of Object.keys(dependencies)) {
      const link = join(folder, 'without/node_modules', name);
      await mkdir(dirname(link), { recursive: true });
      // A version that only this package uses is installed below it.
      const own = join(root, 'libs/maintenance/node_modules', name);
      await symlink(existsSync(own) ? own : join(root, 'node_modules', name), link);
    }
    for (const place of ['without', 'with']) {
      await cp(join(root, 'libs/maintenance/dist'), join(folder, place), { recursive: true });
      await writeFile(join(folder, place, 'esm/package.json'), '{ "type": "module" }');
    }
    await symlink(join(root, 'node_modules'), join(folder, 'with/node_modules'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Runs a program in which `S3StateStorage` is in scope and returns the lines that it prints. */
  async function run(place: string, form: string, program: string): Promise<string[]> {
    const path = join(folder, place, 'program.mjs');
    await writeFile(path, `import { S3StateStorage } from './${form}/s3.js';\n${program}`);
    const { stdout } = await promisify(execFile)(process.execPath, [path]);
    return stdout.trimEnd().split('\n');
  }

  it.each(['esm', 'cjs'])('loads without the SDK and says what to install on use (%s)', async (form) => {
    const lines = await run(
      'without',
      form,
      `const storage = new S3StateStorage({ bucket: 'b', key: 'k.json', region: 'eu-west-1' });
      console.log(storage.location);
      await storage.read().catch((error) => console.log(error.code, error.message));
      await storage.report({ id: 'a' }).catch((error) => console.log(error.code, error.message));`,
    );
    const sentence = '@aws-sdk/client-s3 is not installed. Run `npm install @aws-sdk/client-s3`.';
    expect(lines).toEqual([
      's3://b/k.json',
      `unavailable s3://b/k.json (region eu-west-1) could not be read: ${sentence}`,
      `unavailable s3://b/k.json.instances/ (region eu-west-1) could not be written: ${sentence}`,
    ]);
  });

  it('explains network failures', async () => {
    const port = await getPort();
    const endpoints = [`http://127.0.0.1:${port}`, 'http://no-such-host.invalid', front.url.replace('http:', 'https:')];
    front.intercept = () => 'reset';
    const lines = await run(
      'with',
      'esm',
      `const credentials = ${JSON.stringify(S3RVER_KEYS)};
      for (const endpoint of ${JSON.stringify([...endpoints, front.url])}) {
        const storage = new S3StateStorage({ bucket: 'b', key: 'k', endpoint, credentials });
        await storage.read().catch((error) => console.log(error.message));
        await storage.close();
      }`,
    );
    expect(lines).toEqual([
      expect.stringContaining(`connection refused (connect ECONNREFUSED 127.0.0.1:${port}). Start the server, or`),
      expect.stringContaining('host not found (getaddrinfo'),
      expect.stringContaining('no secure connection ('),
      expect.stringContaining(
        'the connection was closed (socket hang up). Check the server and any proxy in front of it.',
      ),
    ]);
    expect(front.calls).toHaveLength(2);
  });

  it('succeeds for a write whose answer was lost after the SDK retried it', async () => {
    const key = newKey();
    let tries = 0;
    front.intercept = (call) => (isPutTo(key)(call) && ++tries === 1 ? { lost: 'reset' } : undefined);
    const options = { ...behindFront(), key };
    const lines = await run(
      'with',
      'esm',
      `const storage = new S3StateStorage(${JSON.stringify(options)});
      const version = await storage.write(${JSON.stringify(createState(1))}, null);
      const read = await storage.read();
      console.log(version === read.version, read.state.revision);
      await storage.close();`,
    );
    expect(lines).toEqual(['true 1']);
    expect(tries).toBe(2);
  });
});

async function captureMessage(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  return (error as Error).message;
}
