import type { ServerResponse } from 'node:http';
import type { Observable, Subscription } from 'rxjs';
import type { AddressedRequest } from '../admin-caller.js';
import type { PanelState } from './panel-state.js';
import type { PanelStateBuilder, SharedState } from './panel-state-builder.js';

/** How often the instances are read while a client listens, in milliseconds. */
const INTERVAL_MS = 1_000;
/** How often a comment is sent, so that no proxy closes a silent connection, in milliseconds. */
const HEARTBEAT_MS = 15_000;
/** After so many milliseconds a stream ends, so that the guards of the application are asked again. */
const MAX_STREAM_MS = 10 * 60_000;
/** How long a browser waits before it connects again, in milliseconds. */
const RECONNECT_MS = 2_000;

/** Node's response to a reader of the feed. */
export type FeedResponse = Pick<ServerResponse, 'write' | 'end' | 'on' | 'writableNeedDrain' | 'writableEnded'>;

/** A reader of the feed. */
interface Reader {
  request: AddressedRequest;
  response: FeedResponse;
  startedAt: number;
  /** The last state that was written, without its times. */
  last: string;
  /** Whether its session is still open. */
  isAdmitted: () => Promise<boolean>;
}

/** The dependencies of {@link PanelFeed}. */
export interface PanelFeedDeps {
  builder: PanelStateBuilder;
  /** Emits when this instance applies another state. */
  changes: Observable<unknown>;
  /** Aborts when the application starts to shut down. */
  shutdown: AbortSignal;
}

/** Sends the state to all clients that watch the panel, whenever it changes. It does nothing while no client does. */
export class PanelFeed {
  readonly #readers = new Set<Reader>();
  #timers: NodeJS.Timeout[] = [];
  #subscription: Subscription | null = null;
  #updating: Promise<void> | null = null;
  #isOutdated = false;

  constructor(private readonly deps: PanelFeedDeps) {
    deps.shutdown.addEventListener('abort', () => this.#closeAll());
  }

  /** Adds a reader, whose response has its headers. */
  add(request: AddressedRequest, response: FeedResponse, isAdmitted: () => Promise<boolean>): void {
    const reader: Reader = { request, response, startedAt: performance.now(), last: '', isAdmitted };
    response.write(`retry: ${RECONNECT_MS}\n\n`);
    if (this.deps.shutdown.aborted) return void response.end();
    this.#readers.add(reader);
    response.on('close', () => this.#remove(reader));
    // A write to a connection that was closed in this moment.
    response.on('error', () => this.#remove(reader));
    if (this.#readers.size === 1) this.#start();
    void this.#update();
  }

  /** Sends the state again where it differs, and ends the streams whose session is over. */
  refresh(): void {
    if (this.#readers.size > 0) void this.#update();
  }

  #start(): void {
    this.#timers = [
      setInterval(() => void this.#update(), INTERVAL_MS),
      setInterval(() => this.#readers.forEach(({ response }) => response.write(':\n\n')), HEARTBEAT_MS),
    ];
    this.#timers.forEach((timer) => timer.unref());
    this.#subscription = this.deps.changes.subscribe(() => void this.#update());
  }

  #remove(reader: Reader): void {
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    this.#timers.forEach(clearInterval);
    this.#subscription?.unsubscribe();
  }

  #closeAll(): void {
    for (const reader of [...this.#readers]) this.#close(reader);
  }

  #close(reader: Reader): void {
    this.#remove(reader);
    if (!reader.response.writableEnded) reader.response.end();
  }

  /** Sends the state to those who have not got it. A change while it is read is sent right after. */
  #update(): Promise<void> {
    this.#isOutdated = true;
    this.#updating ??= this.#updateAll().finally(() => (this.#updating = null));
    return this.#updating;
  }

  async #updateAll(): Promise<void> {
    while (this.#isOutdated && this.#readers.size > 0) {
      this.#isOutdated = false;
      const shared = await this.deps.builder.buildShared();
      await Promise.all([...this.#readers].map((reader) => this.#send(reader, shared)));
    }
  }

  async #send(reader: Reader, shared: SharedState): Promise<void> {
    const isOver = performance.now() - reader.startedAt > MAX_STREAM_MS;
    if (isOver || !(await reader.isAdmitted())) return this.#close(reader);
    // A reader that does not keep up gets the latest state once it does.
    if (!this.#readers.has(reader) || reader.response.writableNeedDrain) return;
    const state = this.deps.builder.addCaller(shared, reader.request);
    const content = getContent(state);
    if (content === reader.last) return;
    reader.last = content;
    reader.response.write(`event: state\ndata: ${JSON.stringify(state)}\n\n`);
  }
}

/** Returns the state without the times that differ in each: they are no reason to send it again. */
function getContent(state: PanelState): string {
  return JSON.stringify(state, (name, value: unknown) => (name === 'now' || name === 'lastReadAt' ? undefined : value));
}
