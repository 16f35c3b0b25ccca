import type { Observable, Subscription } from 'rxjs';
import { encodeEvent, type EventStream, type StreamHub } from '../../http/stream-hub.js';
import type { AddressedRequest } from '../admin-caller.js';
import type { PanelState } from './panel-state.js';
import type { PanelStateBuilder, SharedState } from './panel-state-builder.js';

/** How often the instances are read while a client listens, in milliseconds. */
const INTERVAL_MS = 1_000;
/** After so many milliseconds a stream ends, so that the guards of the application are asked again. */
const MAX_STREAM_MS = 10 * 60_000;

/** A client that reads the feed. */
interface Reader {
  request: AddressedRequest;
  stream: EventStream;
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
  hub: StreamHub;
}

/** Sends the state to all clients that watch the panel, whenever it changes. It does nothing while no client does. */
export class PanelFeed {
  readonly #readers = new Set<Reader>();
  #timer: NodeJS.Timeout | undefined;
  #subscription: Subscription | null = null;
  #updating: Promise<void> | null = null;
  #isOutdated = false;

  constructor(private readonly deps: PanelFeedDeps) {}

  /** Answers a request with the feed. */
  open(request: AddressedRequest, response: object, isAdmitted: () => Promise<boolean>): void {
    const stream = this.deps.hub.open(response, () => this.#remove(reader));
    const reader: Reader = { request, stream, startedAt: performance.now(), last: '', isAdmitted };
    this.#readers.add(reader);
    if (this.#readers.size === 1) this.#start();
    void this.#update();
  }

  /** Sends the state again where it differs, and ends the streams whose session is over. */
  refresh(): void {
    if (this.#readers.size > 0) void this.#update();
  }

  #start(): void {
    this.#timer = setInterval(() => void this.#update(), INTERVAL_MS).unref();
    this.#subscription = this.deps.changes.subscribe(() => void this.#update());
  }

  #remove(reader: Reader): void {
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    clearInterval(this.#timer);
    this.#subscription?.unsubscribe();
  }

  /** Sends the state to those that have not got it. A change while it is read is sent right after. */
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
    if (isOver || !(await reader.isAdmitted())) return reader.stream.end();
    const state = this.deps.builder.addCaller(shared, reader.request);
    const content = getContent(state);
    if (content === reader.last) return;
    reader.last = content;
    reader.stream.send(encodeEvent(state, 'state'));
  }
}

/** Returns the state without the times that differ in each: they are no reason to send it again. */
function getContent(state: PanelState): string {
  return JSON.stringify(state, (name, value: unknown) => (name === 'now' || name === 'lastReadAt' ? undefined : value));
}
