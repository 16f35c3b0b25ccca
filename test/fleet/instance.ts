import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import type { MaintenanceModuleOptions, MaintenanceState, MaintenanceStatus } from 'nestjs-maintenance';
import { until } from '../tools/waiting.js';
import type { LeaseTimes } from '../../libs/maintenance/src/leases/lease-times.js';

export interface InstanceSettings {
  options: Omit<MaintenanceModuleOptions, 'exempt' | 'response'>;
  adapter?: 'express' | 'fastify';
  /** Lease times that are shorter than those of an application. */
  lease?: LeaseTimes;
  env?: Record<string, string>;
  /** Options of Node itself. */
  execArgv?: string[];
  /** Whether the instance reports stalls of its process and long reads: see {@link Instance.stalls}. */
  reportsDelays?: boolean;
  /** Whether the instance serves the panel, for operators with the option `adminToken`. */
  panel?: boolean;
  /** Whether the instance leaks 1 KiB with each request to `/`. */
  leaks?: boolean;
}

export interface LogLine {
  level: 'log' | 'warn' | 'error' | 'fatal';
  text: string;
}

/** The moment at which an instance applied a revision, in milliseconds since the epoch. */
interface AppliedRevision {
  revision: number;
  at: number;
}

/** A period of time, in milliseconds since the epoch. */
export interface Span {
  from: number;
  to: number;
}

/** Resources of a process after a garbage collection, while no call to the storage is pending. */
export interface Vitals {
  /** Bytes. */
  heap: number;
  /** Number of active handles of each kind. */
  handles: Record<string, number>;
  /** Open files and sockets. */
  descriptors: number;
  /** Of the process and of its HTTP server. */
  listeners: number;
}

export interface Answer {
  status: number;
  /** The body, if it is JSON. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

interface Answers {
  beginWork: void;
  /** When the signal of the task aborted, in milliseconds since the epoch, and why; `null` if it has not. */
  aborted: { at: number; reason: string } | null;
  endWork: string;
  status: MaintenanceStatus;
  stored: MaintenanceState | null;
  calls: Record<'read' | 'write' | 'report' | 'reports', number>;
  finished: number[];
  /** The number of running handlers of `/blocked`. */
  blocked: number;
  /** Ends the handlers of `/blocked`. */
  release: void;
  roundTrip: number;
  slowestRead: number;
  vitals: Vitals;
  stall: number;
}

interface Sent {
  body?: string;
  headers?: Record<string, string>;
  onSent?: (() => void) | undefined;
}

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** An application with the built package in a separate process. */
export class Instance {
  readonly applied: AppliedRevision[] = [];
  readonly log: LogLine[] = [];
  /** Errors that caused a 500. */
  readonly serverErrors: string[] = [];
  /** Warnings of Node, such as that of a listener leak. */
  readonly warnings: { name: string; message: string }[] = [];
  /** Periods in which the event loop was blocked; recorded only with `reportsDelays`, like the long reads. */
  readonly stalls: Span[] = [];
  readonly longReads: Span[] = [];
  // Uses all sockets in turn, so that the server does not close an idle one while a request is sent.
  readonly agent = new Agent({ keepAlive: true, maxSockets: 32, scheduling: 'fifo' });
  #port = 0;
  #errors = '';
  #lastId = 0;
  readonly #pending = new Map<number, Pending>();

  private constructor(
    private readonly child: ChildProcess,
    /** Resolves with exit code and signal when the process has ended. */
    readonly closed: Promise<[number | null, NodeJS.Signals | null]>,
  ) {}

  /** Starts an instance and waits until it listens. */
  static async start({ env, execArgv = [], ...settings }: InstanceSettings): Promise<Instance> {
    const ours = Object.entries(process.env).filter(([name]) => !/^(MAINTENANCE|AWS|NODE_OPTIONS)/.test(name));
    const child = fork(join(__dirname, 'instance.mjs'), [JSON.stringify(settings)], {
      env: { ...Object.fromEntries(ours), ...env },
      execArgv,
      silent: true,
    });
    const instance = new Instance(child, once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>);
    child.stderr!.on('data', (data) => (instance.#errors += data));
    await new Promise<void>((resolve, reject) => {
      child.on('message', (message) => {
        instance.#onMessage(message as Record<string, unknown>);
        if (instance.#port) resolve();
      });
      child.on('close', () => {
        const error = new Error(`the instance ended: ${instance.#errors}`);
        instance.#pending.forEach((pending) => pending.reject(error));
        reject(error);
      });
    });
    return instance;
  }

  /** Starts several instances with the same settings. */
  static fleet(size: number, settings: InstanceSettings): Promise<Instance[]> {
    return Promise.all(Array.from({ length: size }, () => Instance.start(settings)));
  }

  ask<K extends keyof Answers>(command: K): Promise<Answers[K]> {
    const id = ++this.#lastId;
    return new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.child.send({ id, command });
    }) as Promise<Answers[K]>;
  }

  /** @param onSent - called once the operating system has the request */
  get(path: string, onSent?: () => void): Promise<Answer> {
    return this.#send('GET', path, { onSent });
  }

  /**
   * Requests a WebSocket upgrade and returns the status of the response.
   *
   * @param onSent - called once the operating system has the request
   */
  upgrade(path: string, onSent: () => void = () => undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { connection: 'Upgrade', upgrade: 'websocket' };
      const sent = request({ host: '127.0.0.1', port: this.#port, path, headers, agent: false });
      sent.on('upgrade', (response, socket) => resolve((socket.destroy(), response.statusCode!)));
      sent.on('response', (response) => resolve(response.resume().statusCode!));
      sent.on('error', reject).on('finish', onSent).end();
    });
  }

  /** Turns maintenance on or off over HTTP as an operator with this name. */
  turn(mode: 'on' | 'off', operator: string, body: object = {}): Promise<Answer> {
    const headers = { 'content-type': 'application/json', 'x-operator': operator };
    return this.#send('POST', `/maintenance-mode/${mode}`, { body: JSON.stringify(body), headers });
  }

  /** Sends requests to `/blocked`, which end with {@link release}, and waits until their handlers run. */
  async block(count = 1): Promise<Promise<Answer>[]> {
    const answers = Array.from({ length: count }, () => this.get('/blocked'));
    await this.#waitUntilBlocked(count);
    return answers;
  }

  /** Sends a request to `/blocked` and disconnects once its handler runs. */
  async blockAndDisconnect(): Promise<void> {
    const sent = request({ host: '127.0.0.1', port: this.#port, path: '/blocked', agent: false }).end();
    const closed = new Promise<void>((resolve) => sent.on('error', () => resolve()));
    await this.#waitUntilBlocked(1);
    sent.destroy();
    await closed;
  }

  /** Ends the handlers of `/blocked`. */
  release(): Promise<void> {
    return this.ask('release');
  }

  #waitUntilBlocked(count: number): Promise<void> {
    return until(`${count} handlers run`, async () => (await this.ask('blocked')) === count);
  }

  /** Returns the stderr of the process. */
  get errors(): string {
    return this.#errors;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get pid(): number {
    return this.child.pid!;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Returns when the instance applied this revision or a later one; `undefined` if it has not. */
  appliedAt(revision: number): number | undefined {
    return this.applied.find((applied) => applied.revision >= revision)?.at;
  }

  async stop(): Promise<void> {
    this.agent.destroy();
    this.child.kill('SIGCONT');
    this.child.kill('SIGTERM');
    await this.closed;
  }

  #onMessage({ port, applied, log, error500, warning, delay, read, id, value, error }: Record<string, unknown>): void {
    if (port) this.#port = port as number;
    if (applied) this.applied.push(applied as AppliedRevision);
    if (log) this.log.push(log as LogLine);
    if (error500) this.serverErrors.push(error500 as string);
    if (warning) this.warnings.push(warning as { name: string; message: string });
    if (delay) this.stalls.push(delay as Span);
    if (read) this.longReads.push(read as Span);
    const pending = this.#pending.get(id as number);
    if (!pending) return;
    this.#pending.delete(id as number);
    if (error === undefined) pending.resolve(value);
    else pending.reject(new Error(error as string));
  }

  #send(method: string, path: string, { body, headers, onSent = () => undefined }: Sent): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: this.#port, method, path, headers, agent: this.agent },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('error', reject);
          response.on('end', () => {
            const isJson = response.headers['content-type']?.includes('json');
            resolve({ status: response.statusCode!, body: isJson ? JSON.parse(text) : text });
          });
        },
      );
      sent.on('error', reject).on('finish', onSent).end(body);
    });
  }
}
