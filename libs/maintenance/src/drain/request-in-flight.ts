import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { getPath, type PolicyRequest } from '../policy/request-path.js';
import type { InFlightEntry, InFlightTracker, InFlightWork } from './in-flight-tracker.js';
import type { MonitorSnapshot } from '../core/state-monitor.js';
import type { SharedEndpoints } from '../http/shared-endpoints.js';
import type { ResolvedHandlers } from '../http/routed-handlers.js';

const TRACKED_REQUEST = Symbol('nestjs-maintenance:work');
const CLOSE_LISTENERS = Symbol('nestjs-maintenance:held');
/** Of a name, in characters. */
const MAX_NAME_LENGTH = 200;

/** Node's response, of HTTP/1 or of HTTP/2. */
type TrackedResponse = Pick<ServerResponse, 'on' | 'getHeader' | 'destroyed' | 'finished' | 'writableFinished'> & {
  req?: { socket?: TrackedSocket };
  /** HTTP/2's. */
  stream?: TrackedStream;
  [TRACKED_REQUEST]?: RequestInFlight;
};
type TrackedStream = { destroyed: boolean; writableFinished: boolean };
type TrackedSocket = Pick<Socket, 'destroyed' | 'once'> & { [CLOSE_LISTENERS]?: Set<() => void> };

/** What the adapter knows of one of its requests. */
export interface RequestAccessors<Request> {
  /** As it came, whatever has been done to it since. */
  getOriginalRequest(request: Request): PolicyRequest;
  resolveHandlers(request: Request): ResolvedHandlers;
  /** The path of its route, with names instead of values; `undefined` where there is none. */
  getRoutePattern(request: Request): string | undefined;
  /** Calls back when an answer is given that nobody is there to get, where the handler waits for its delivery. */
  onAnswered?(request: Request, answered: () => void): void;
}

export interface RequestTrackingDeps {
  inFlight: InFlightTracker;
  policy: MaintenancePolicy;
  endpoints: SharedEndpoints;
}

// A promise that nobody can settle any more is collected, and its handler with it.
const handlerFinalizers = new FinalizationRegistry<() => void>((end) => end());

/**
 * A request that has come as far as the edge, until it is answered and its handler is done. While nobody waits for it, it costs next to
 * nothing: it listens to nothing, and finds out that it is over when it is looked at.
 */
class RequestInFlight<Request = unknown> implements InFlightWork {
  #entry: InFlightEntry | null = null;
  #isAnswerSeen = false;
  /** Stops listening; `null` while nobody waits for it. */
  #stopListening: (() => void) | null = null;
  /** What the handler is doing; let go of when it is all that is left, so that it can be collected. */
  #handlerPromise: Promise<unknown> | null = null;
  /** Which handler it is that counts: one may hand over to the next. */
  #handlerCount = 0;
  /** What is known of the request when it is answered, and its handler is not done. */
  #detached: { name: string; request: PolicyRequest; route: ResolvedHandlers } | null = null;
  readonly #stream: TrackedStream | undefined;
  readonly #socket: TrackedSocket | undefined;

  constructor(
    private request: Request | null,
    private response: TrackedResponse | null,
    private readonly accessors: RequestAccessors<Request>,
    readonly deps: RequestTrackingDeps,
    /** The same request in the application that this one is mounted in. */
    readonly outer: RequestInFlight | undefined,
  ) {
    this.#stream = response?.stream;
    this.#socket = response?.req?.socket;
  }

  get name(): string {
    if (this.#detached) return this.#detached.name;
    const { method, url } = this.accessors.getOriginalRequest(this.request!);
    const pattern =
      this.accessors.getRoutePattern(this.request!) ?? (this.deps.endpoints.find(url) ? getPath(url) : '(no route)');
    return `${method} ${pattern}`.slice(0, MAX_NAME_LENGTH);
  }

  get isStream(): boolean {
    // What goes on after its answer is no stream to anybody.
    if (this.#detached) return false;
    const { route } = this.#resolveRequest();
    if (route !== 'unclear' && route.length > 0 && route.every(({ isEventStream }) => isEventStream)) return true;
    return /^text\/event-stream\b/i.test(String(this.response!.getHeader('content-type')));
  }

  becameRefusedSince(before: MonitorSnapshot): boolean {
    const { request, route } = this.#resolveRequest();
    const visited = route === 'unclear' ? (['unclear'] as const) : route.length === 0 ? [null] : route;
    return visited.some((rules) => this.deps.policy.becameRefusedSince({ rules, request, context: null }, before));
  }

  begin(): void {
    this.#entry = this.deps.inFlight.begin(this);
  }

  /** Whether there is an answer, or nobody any more who could get one. */
  get isAnswered(): boolean {
    const stream = this.#stream;
    const { response } = this;
    if (stream) return stream.destroyed || stream.writableFinished;
    if (!response || response.destroyed || this.#socket?.destroyed === true) return true;
    return response.finished && response.writableFinished;
  }

  checkFinished(): void {
    if (!this.#entry || !this.response || !this.isAnswered) return;
    if (this.#isAnswerSeen) return this.#detachFromResponse();
    this.#isAnswerSeen = true;
    if (this.#handlerPromise) this.#awaitHandler(this.#handlerPromise);
    else this.#end();
  }

  watchForCompletion(): void {
    const { response } = this;
    if (this.#stopListening || !response) return;
    // Its events are over, and nobody would look again.
    if (this.#isAnswerSeen) return this.checkFinished();
    const answered = (): void => {
      this.checkFinished();
      // A handler that is done has said so by then.
      queueMicrotask(() => this.checkFinished());
    };
    // A response that was made without a connection never closes.
    response.on('finish', answered);
    response.on('close', answered);
    // One that waits for those before it is told nothing when its connection goes.
    const held = this.#stream ? undefined : getCloseListeners(this.#socket);
    held?.add(answered);
    this.#stopListening = () => held?.delete(answered);
  }

  /** A handler has taken it, perhaps only after its client had gone. */
  attachHandlerPromise(handling: Promise<unknown>): void {
    this.#handlerPromise = handling;
    this.#handlerCount++;
    if (this.#entry && !this.#isAnswerSeen) return;
    this.#entry ??= this.deps.inFlight.begin(this);
    this.#isAnswerSeen = true;
    this.#awaitHandler(handling);
    if (!this.response) this.#dropHandlerPromise(handling);
  }

  #awaitHandler(handling: Promise<unknown>): void {
    const done = this.#createDoneCallback(this.#handlerCount);
    handling.then(done, done);
  }

  #createDoneCallback(handler: number): () => void {
    return () => {
      if (handler === this.#handlerCount) this.#end();
    };
  }

  /** There is an answer, or nobody any more who could get one, and the handler goes on all the same. */
  #detachFromResponse(): void {
    const request = this.request!;
    const { method, url, ip, headers } = this.accessors.getOriginalRequest(request);
    this.#detached = { name: this.name, request: { method, url, ip, headers }, route: this.#resolveRequest().route };
    this.accessors.onAnswered?.(request, this.#createDoneCallback(this.#handlerCount));
    this.request = null;
    this.response = null;
    if (this.#handlerPromise) this.#dropHandlerPromise(this.#handlerPromise);
  }

  /** Keeps nothing that could keep the handler's promise alive. */
  #dropHandlerPromise(handling: Promise<unknown>): void {
    handlerFinalizers.register(handling, this.#createDoneCallback(this.#handlerCount));
    this.#handlerPromise = null;
  }

  #end(): void {
    this.#stopListening?.();
    if (this.#entry) this.deps.inFlight.end(this.#entry);
    this.#entry = null;
  }

  #resolveRequest(): { request: PolicyRequest; route: ResolvedHandlers } {
    if (this.#detached) return this.#detached;
    const request = this.accessors.getOriginalRequest(this.request!);
    const route = this.accessors.resolveHandlers(this.request!);
    if (route.length > 0) return { request, route };
    return { request, route: this.deps.endpoints.find(request.url)?.resolveHandlers(request) ?? route };
  }
}

/** Counts a request from here until it is answered and its handler is done. */
export function trackRequest<Request>(
  request: Request,
  raw: object,
  lens: RequestAccessors<Request>,
  parts: RequestTrackingDeps,
): void {
  const response = raw as TrackedResponse;
  const outer = response[TRACKED_REQUEST];
  for (let other = outer; other; other = other.outer) if (other.deps === parts) return;
  const work = new RequestInFlight(request, response, lens, parts, outer) as RequestInFlight;
  response[TRACKED_REQUEST] = work;
  // Who has gone by now closes nothing any more.
  if (!work.isAnswered) work.begin();
}

/** Notes what the handler of a request is doing. */
export function trackHandlerResult<Result>(response: object, result: Result): Result {
  const work = (response as TrackedResponse)[TRACKED_REQUEST];
  if (work && result instanceof Promise) work.attachHandlerPromise(result);
  return result;
}

/** Who is told when the connection goes. */
function getCloseListeners(socket: TrackedSocket | undefined): Set<() => void> | undefined {
  if (!socket || socket[CLOSE_LISTENERS]) return socket?.[CLOSE_LISTENERS];
  const held = new Set<() => void>();
  socket.once('close', () => held.forEach((answered) => answered()));
  return (socket[CLOSE_LISTENERS] = held);
}
