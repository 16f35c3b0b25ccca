import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { MonitorSnapshot } from '../core/state-monitor.js';
import type { HandlerRules } from '../policy/handler-rules.js';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { getPath, type PolicyRequest } from '../policy/request-path.js';
import type { InFlightEntry, InFlightTracker, InFlightWork } from './in-flight-tracker.js';

const TRACKED_REQUEST = Symbol('nestjs-maintenance:tracked-request');
const CLOSE_LISTENERS = Symbol('nestjs-maintenance:close-listeners');
/** In characters. */
const MAX_NAME_LENGTH = 200;

/** Node's response, of HTTP/1 or of HTTP/2. */
type TrackedResponse = Pick<ServerResponse, 'on' | 'getHeader' | 'destroyed' | 'finished' | 'writableFinished'> & {
  req?: { socket?: TrackedSocket };
  /** HTTP/2 only. */
  stream?: TrackedStream;
  [TRACKED_REQUEST]?: RequestInFlight;
};
type TrackedStream = { destroyed: boolean; writableFinished: boolean };
type TrackedSocket = Pick<Socket, 'destroyed' | 'once'> & { [CLOSE_LISTENERS]?: Set<() => void> };

/** The Nest handlers that may take a request: none for an unknown URL, `'unclear'` where the router does not tell. */
type ResolvedHandlers = HandlerRules[] | 'unclear';

/** The adapter's knowledge of one of its requests. */
export interface RequestAccessors<Request> {
  /** Returns the request as it arrived, even if middleware has changed it since. */
  getOriginalRequest(request: Request): PolicyRequest;
  resolveHandlers(request: Request): ResolvedHandlers;
  /** Returns the path of the route, with names instead of values; `undefined` where there is none. */
  getRoutePattern(request: Request): string | undefined;
  /**
   * Calls back when the handler replies although the client is gone, where the handler waits for the delivery of its
   * reply.
   */
  onAnswered?(request: Request, answered: () => void): void;
}

/** The dependencies of {@link trackRequest}. */
export interface RequestTrackingDeps {
  inFlight: InFlightTracker;
  policy: MaintenancePolicy;
  /** The URLs that several handlers share without a route of their own, such as that of GraphQL. */
  endpoints: {
    find(url: string): { resolveHandlers(request: PolicyRequest): ResolvedHandlers } | undefined;
  };
}

// Unreachable handler promises can never settle and are garbage-collected: they count as finished.
const handlerFinalizers = new FinalizationRegistry<() => void>((end) => end());

/**
 * A request that has reached the HTTP adapter, until its response is finished and its handler is done.
 *
 * It registers no listeners while no window is active: the tracker finds out by {@link checkFinished} that it is over.
 */
class RequestInFlight<Request = unknown> implements InFlightWork {
  #entry: InFlightEntry | null = null;
  #isAnswerSeen = false;
  /** Removes the listener for the end of the connection; `null` until {@link watchForCompletion}. */
  #stopListening: (() => void) | null = null;
  /** The result of the handler; dropped when the response is finished, so that it can be garbage-collected. */
  #handlerPromise: Promise<unknown> | null = null;
  /** The number of the last handler, which is the one that counts: a handler may call the next one. */
  #handlerCount = 0;
  /** The data that is kept of the request while only its handler is at work. */
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
    // A handler that is still running after its response is not a stream.
    if (this.#detached) return false;
    const { route } = this.#resolveRequest();
    if (route !== 'unclear' && route.length > 0 && route.every(({ isEventStream }) => isEventStream)) return true;
    return /^text\/event-stream\b/i.test(String(this.response!.getHeader('content-type')));
  }

  becameRefusedSince(before: MonitorSnapshot): boolean {
    const { request, route } = this.#resolveRequest();
    const candidates = route === 'unclear' ? (['unclear'] as const) : route.length === 0 ? [null] : route;
    return candidates.some((rules) => this.deps.policy.becameRefusedSince({ rules, request, context: null }, before));
  }

  begin(now?: number): void {
    this.#entry = this.deps.inFlight.begin(this, now);
  }

  /** Whether the response is finished, or its client is gone. */
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
    // The response has emitted its events already, so that no listener would be called.
    if (this.#isAnswerSeen) return this.checkFinished();
    const onAnswered = (): void => {
      this.checkFinished();
      // A handler that returns with its response has settled by then.
      queueMicrotask(() => this.checkFinished());
    };
    // `close` alone is not enough: a response that was made without a connection may never emit it.
    response.on('finish', onAnswered);
    response.on('close', onAnswered);
    // A pipelined response behind others emits nothing when its connection is closed.
    const listeners = this.#stream ? undefined : getCloseListeners(this.#socket);
    listeners?.add(onAnswered);
    this.#stopListening = () => listeners?.delete(onAnswered);
  }

  /** Attaches the promise of the handler, which may start only after the client is gone. */
  attachHandlerPromise(promise: Promise<unknown>): void {
    this.#handlerPromise = promise;
    this.#handlerCount++;
    if (this.#entry && !this.#isAnswerSeen) return;
    this.#entry ??= this.deps.inFlight.begin(this);
    this.#isAnswerSeen = true;
    this.#awaitHandler(promise);
    if (!this.response) this.#dropHandlerPromise(promise);
  }

  #awaitHandler(promise: Promise<unknown>): void {
    const done = this.#createDoneCallback(this.#handlerCount);
    promise.then(done, done);
  }

  #createDoneCallback(handler: number): () => void {
    return () => {
      if (handler === this.#handlerCount) this.#end();
    };
  }

  /**
   * Releases request and response: the response is finished, or its client is gone, while the handler is still
   * running.
   */
  #detachFromResponse(): void {
    const request = this.request!;
    const { method, url, ip, headers } = this.accessors.getOriginalRequest(request);
    this.#detached = { name: this.name, request: { method, url, ip, headers }, route: this.#resolveRequest().route };
    this.accessors.onAnswered?.(request, this.#createDoneCallback(this.#handlerCount));
    this.request = null;
    this.response = null;
    if (this.#handlerPromise) this.#dropHandlerPromise(this.#handlerPromise);
  }

  /** Lets the garbage collector take the promise of a handler that can never finish. */
  #dropHandlerPromise(promise: Promise<unknown>): void {
    handlerFinalizers.register(promise, this.#createDoneCallback(this.#handlerCount));
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

/**
 * Tracks a request until its response is finished and its handler is done.
 *
 * @param response - Node's response, of HTTP/1 or of HTTP/2
 * @param now - the current time, where the caller has read the clock already
 */
export function trackRequest<Request>(
  request: Request,
  response: object,
  accessors: RequestAccessors<Request>,
  deps: RequestTrackingDeps,
  now?: number,
): void {
  const tracked = response as TrackedResponse;
  const outer = tracked[TRACKED_REQUEST];
  for (let other = outer; other; other = other.outer) if (other.deps === deps) return;
  const work = new RequestInFlight(request, tracked, accessors, deps, outer) as RequestInFlight;
  tracked[TRACKED_REQUEST] = work;
  // If the client has already disconnected, no `close` event will follow.
  if (!work.isAnswered) work.begin(now);
}

/**
 * Tracks the promise that a handler has returned, beyond the end of the response.
 *
 * @param response - Node's response, which {@link trackRequest} was called with
 * @returns `result`
 */
export function trackHandlerResult<Result>(response: object, result: Result): Result {
  const work = (response as TrackedResponse)[TRACKED_REQUEST];
  if (work && result instanceof Promise) work.attachHandlerPromise(result);
  return result;
}

/** Returns the set of listeners for the end of a connection: one `close` listener on the socket calls them all. */
function getCloseListeners(socket: TrackedSocket | undefined): Set<() => void> | undefined {
  if (!socket || socket[CLOSE_LISTENERS]) return socket?.[CLOSE_LISTENERS];
  const listeners = new Set<() => void>();
  socket.once('close', () => listeners.forEach((listener) => listener()));
  return (socket[CLOSE_LISTENERS] = listeners);
}
