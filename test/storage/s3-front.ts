import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { createServer, request, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ServerProcess } from '../tools/server-process.js';

const S3RVER = join(dirname(require.resolve('s3rver/package.json')), 'bin/s3rver.js');

/** Keys that s3rver knows. */
export const S3RVER_KEYS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

/** A light S3 in a process of its own, which ignores the conditions of writes. */
export class LightServer extends ServerProcess {
  #port = 0;

  private constructor(
    private readonly bucket: string,
    folder: string,
  ) {
    super(folder);
  }

  /** Starts s3rver on a free port, with one empty bucket. */
  static async start(bucket: string): Promise<LightServer> {
    const server = new LightServer(bucket, await mkdtemp(join(tmpdir(), 's3rver-')));
    await server.restart();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The file in which an object lies; `path` begins with a slash and the bucket. */
  getObjectFile(path: string): string {
    return join(this.folder, `${decodeURIComponent(path)}._S3rver_object`);
  }

  /** Waits until a write is done: s3rver answers before it is. */
  async holds(path: string, body: Buffer): Promise<void> {
    for (
      const deadline = Date.now() + 10_000;
      !(await readFile(this.getObjectFile(path))).equals(body);
      await pause(1)
    ) {
      if (Date.now() > deadline) throw new Error(`s3rver did not write ${path}`);
    }
  }

  /** Starts it again on the same port, with what it has. */
  async restart(): Promise<void> {
    const where = ['-d', this.folder, '-a', '127.0.0.1', '-p', String(this.#port), '--no-vhost-buckets'];
    const child = spawn(process.execPath, [S3RVER, ...where, '--configure-bucket', this.bucket]);
    await this.run(child, (output) => {
      this.#port ||= Number(/listening on \S+:(\d+)/.exec(output)?.[1] ?? 0);
      return output.includes('listening on');
    });
  }
}

/** A request that came to the front. */
export interface S3Call {
  method: string;
  /** Of the object, without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** An answer, or what is left of one. */
interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** The fault that replaces the answer to a call. */
export type Fault =
  /** This answer, from the front itself. */
  | { status: number; headers?: Record<string, string>; body?: string }
  /** The server does what it is asked to, but the answer never comes; `then` runs in between. */
  | { lost: 'reset' | 'hang' | 500; then?: () => Promise<void> }
  /** Half the answer comes. */
  | 'cut'
  /** The call is neither answered nor carried out. */
  | 'hang'
  | 'reset';

/**
 * Stands before s3rver and does what S3 is documented to do and s3rver does not: it heeds `If-Match` and
 * `If-None-Match` of writes. Its ETags say nothing of the content, as those of encrypted objects. And it fails when it
 * is told to.
 */
export class S3Front {
  /** All calls received, in order. */
  readonly calls: S3Call[] = [];
  /** Called for each call: what is to happen to it, if not what should. */
  intercept: (call: S3Call) => Fault | undefined = () => undefined;
  /** Whether it heeds the conditions of writes. */
  heedsConditions = true;
  /** Whether the condition of a write names this ETag. AWS takes it as it gave it, in quotes. */
  matches: (condition: string, etag: string) => boolean = (condition, etag) => condition === etag;

  readonly #server: Server;
  readonly #etags = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly upstream: LightServer,
    private readonly bucket: string,
  ) {
    this.#server = createServer((message, response) => {
      const chunks: Buffer[] = [];
      message.on('data', (chunk: Buffer) => chunks.push(chunk));
      message.on('end', () => {
        const { method = '', url = '', headers } = message;
        const [path = '', query] = url.split('?');
        const call = { method, path, query: new URLSearchParams(query), headers, body: Buffer.concat(chunks) };
        this.#serve(call, url, response).catch(() => response.destroy());
      });
    });
  }

  /** @param bucket - the one that there is */
  static async start(upstream: LightServer, bucket: string): Promise<S3Front> {
    const front = new S3Front(upstream, bucket);
    front.#server.listen(0, '127.0.0.1');
    await once(front.#server, 'listening');
    return front;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Counts the connections that clients keep to it. */
  countConnections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
  }

  /** Forgets what came and what it was told to do. */
  reset(): void {
    this.calls.length = 0;
    this.intercept = () => undefined;
    this.heedsConditions = true;
    this.matches = (condition, etag) => condition === etag;
  }

  /** Records that an object was changed or removed without this front. */
  notice(path: string, what: 'changed' | 'removed'): void {
    if (what === 'changed') this.#etags.set(path, newEtag());
    else this.#etags.delete(path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(call: S3Call, url: string, response: ServerResponse): Promise<void> {
    this.calls.push(call);
    const fault = this.intercept(call);
    if (fault === 'hang') return;
    if (fault === 'reset') return void response.destroy();
    if (typeof fault === 'object' && 'status' in fault) {
      response.writeHead(fault.status, { 'content-type': 'application/xml', ...fault.headers });
      return void response.end(fault.body);
    }
    const { status, headers, body } = await this.#inTurn(() => this.#answer(call, url));
    if (typeof fault === 'object') {
      await fault.then?.();
      if (fault.lost === 'reset') response.destroy();
      if (fault.lost === 500) response.writeHead(500).end();
      return;
    }
    response.writeHead(status, headers);
    if (fault !== 'cut') return void response.end(body);
    response.write(body.subarray(0, body.length / 2), () => response.destroy());
  }

  /** One after the other: s3rver itself shows half-written objects. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #answer(call: S3Call, url: string): Promise<Answer> {
    const { method, path, headers } = call;
    const etag = this.#etags.get(path);
    const { 'if-match': match, 'if-none-match': noneMatch } = headers;
    if (method === 'PUT' && this.heedsConditions && path.startsWith(`/${this.bucket}/`)) {
      if (match !== undefined && etag === undefined) return createErrorAnswer(404, 'NoSuchKey');
      if (match !== undefined && !this.matches(match, etag!)) return createErrorAnswer(412, 'PreconditionFailed');
      if (noneMatch === '*' && etag !== undefined) return createErrorAnswer(412, 'PreconditionFailed');
    }
    const answer = await this.#forward(call, url);
    if (method === 'GET' && etag !== undefined && noneMatch === etag)
      return { status: 304, headers: {}, body: NOTHING };
    if (method === 'PUT' && answer.status === 200) {
      this.#etags.set(path, newEtag());
      await this.upstream.holds(path, call.body);
    }
    if (method === 'DELETE') this.#etags.delete(path);
    const current = this.#etags.get(path);
    if (current !== undefined && answer.headers.etag !== undefined) answer.headers.etag = current;
    return answer;
  }

  #forward({ method, headers, body }: S3Call, url: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const forwarded = request(`${this.upstream.url}${url}`, { method, headers, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const { connection: _connection, ...rest } = answer.headers as Record<string, string>;
          resolve({ status: answer.statusCode!, headers: rest, body: Buffer.concat(chunks) });
        });
      });
      forwarded.on('error', reject);
      forwarded.end(body);
    });
  }
}

const NOTHING = Buffer.alloc(0);

function newEtag(): string {
  return `"${randomBytes(16).toString('hex')}"`;
}

function createErrorAnswer(status: number, code: string): Answer {
  const body = Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>No.</Message></Error>`);
  return { status, headers: { 'content-type': 'application/xml' }, body };
}
