import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { pathOf, type PolicyRequest } from '../policy/request-path.js';
import type { Begun, InFlight, Work } from './in-flight.js';
import type { Situation } from '../core/state-monitor.js';
import type { EdgeEndpoints } from '../http/edge-endpoints.js';
import type { Route } from '../http/routed-handlers.js';

const WORK = Symbol('nestjs-maintenance:work');
const HELD = Symbol('nestjs-maintenance:held');
/** Of a name, in characters. */
const LONGEST = 200;

/** Node's response, of HTTP/1 or of HTTP/2. */
type TrackedResponse = Pick<ServerResponse, 'on' | 'getHeader' | 'destroyed' | 'finished' | 'writableFinished'> & {
  req?: { socket?: TrackedSocket };
  /** HTTP/2's. */
  stream?: TrackedStream;
  [WORK]?: RequestInFlight;
};
type TrackedStream = { destroyed: boolean; writableFinished: boolean };
type TrackedSocket = Pick<Socket, 'destroyed' | 'once'> & { [HELD]?: Set<() => void> };

/** What the adapter knows of one of its requests. */
export interface RequestLens<Request> {
  /** As it came, whatever has been done to it since. */
  asSent(request: Request): PolicyRequest;
  routeOf(request: Request): Route;
  /** The path of its route, with names instead of values; `undefined` where there is none. */
  patternOf(request: Request): string | undefined;
  /** Calls back when an answer is given that nobody is there to get, where the handler waits for its delivery. */
  onceAnswered?(request: Request, answered: () => void): void;
}

export interface InFlightParts {
  inFlight: InFlight;
  policy: MaintenancePolicy;
  endpoints: EdgeEndpoints;
}

// A promise that nobody can settle any more is collected, and its handler with it.
const forgotten = new FinalizationRegistry<() => void>((end) => end());

/**
 * A request that has come as far as the edge, until it is answered and its handler is done. While nobody waits for it, it costs next to
 * nothing: it listens to nothing, and finds out that it is over when it is looked at.
 */
class RequestInFlight<Request = unknown> implements Work {
  #begun: Begun | null = null;
  #isAnswered = false;
  /** Stops listening; `null` while nobody waits for it. */
  #release: (() => void) | null = null;
  /** What the handler is doing; let go of when it is all that is left, so that it can be collected. */
  #handling: Promise<unknown> | null = null;
  /** Which handler it is that counts: one may hand over to the next. */
  #handlers = 0;
  /** What is known of the request when it is answered, and its handler is not done. */
  #rest: { name: string; request: PolicyRequest; route: Route } | null = null;
  readonly #stream: TrackedStream | undefined;
  readonly #socket: TrackedSocket | undefined;

  constructor(
    private request: Request | null,
    private response: TrackedResponse | null,
    private readonly lens: RequestLens<Request>,
    readonly parts: InFlightParts,
    /** The same request in the application that this one is mounted in. */
    readonly outer: RequestInFlight | undefined,
  ) {
    this.#stream = response?.stream;
    this.#socket = response?.req?.socket;
  }

  get name(): string {
    if (this.#rest) return this.#rest.name;
    const { method, url } = this.lens.asSent(this.request!);
    const pattern = this.lens.patternOf(this.request!) ?? (this.parts.endpoints.at(url) ? pathOf(url) : '(no route)');
    return `${method} ${pattern}`.slice(0, LONGEST);
  }

  get isStream(): boolean {
    // What goes on after its answer is no stream to anybody.
    if (this.#rest) return false;
    const { route } = this.#visit();
    if (route !== 'unclear' && route.length > 0 && route.every(({ isEventStream }) => isEventStream)) return true;
    return /^text\/event-stream\b/i.test(String(this.response!.getHeader('content-type')));
  }

  isClosedSince(before: Situation): boolean {
    const { request, route } = this.#visit();
    const visited = route === 'unclear' ? (['unclear'] as const) : route.length === 0 ? [null] : route;
    return visited.some((rules) => this.parts.policy.closesSince({ rules, request, context: null }, before));
  }

  begin(): void {
    this.#begun = this.parts.inFlight.begin(this);
  }

  /** Whether there is an answer, or nobody any more who could get one. */
  get isAnswered(): boolean {
    const stream = this.#stream;
    const { response } = this;
    if (stream) return stream.destroyed || stream.writableFinished;
    if (!response || response.destroyed || this.#socket?.destroyed === true) return true;
    return response.finished && response.writableFinished;
  }

  look(): void {
    if (!this.#begun || !this.response || !this.isAnswered) return;
    if (this.#isAnswered) return this.#goOn();
    this.#isAnswered = true;
    if (this.#handling) this.#awaitHandler(this.#handling);
    else this.#end();
  }

  hold(): void {
    const { response } = this;
    if (this.#release || !response) return;
    // Its events are over, and nobody would look again.
    if (this.#isAnswered) return this.look();
    const answered = (): void => {
      this.look();
      // A handler that is done has said so by then.
      queueMicrotask(() => this.look());
    };
    // A response that was made without a connection never closes.
    response.on('finish', answered);
    response.on('close', answered);
    // One that waits for those before it is told nothing when its connection goes.
    const held = this.#stream ? undefined : heldOn(this.#socket);
    held?.add(answered);
    this.#release = () => held?.delete(answered);
  }

  /** A handler has taken it, perhaps only after its client had gone. */
  handledBy(handling: Promise<unknown>): void {
    this.#handling = handling;
    this.#handlers++;
    if (this.#begun && !this.#isAnswered) return;
    this.#begun ??= this.parts.inFlight.begin(this);
    this.#isAnswered = true;
    this.#awaitHandler(handling);
    if (!this.response) this.#forget(handling);
  }

  #awaitHandler(handling: Promise<unknown>): void {
    const done = this.#doneWith(this.#handlers);
    handling.then(done, done);
  }

  #doneWith(handler: number): () => void {
    return () => {
      if (handler === this.#handlers) this.#end();
    };
  }

  /** There is an answer, or nobody any more who could get one, and the handler goes on all the same. */
  #goOn(): void {
    const request = this.request!;
    const { method, url, ip, headers } = this.lens.asSent(request);
    this.#rest = { name: this.name, request: { method, url, ip, headers }, route: this.#visit().route };
    this.lens.onceAnswered?.(request, this.#doneWith(this.#handlers));
    this.request = null;
    this.response = null;
    if (this.#handling) this.#forget(this.#handling);
  }

  /** Keeps nothing that could keep the handler's promise alive. */
  #forget(handling: Promise<unknown>): void {
    forgotten.register(handling, this.#doneWith(this.#handlers));
    this.#handling = null;
  }

  #end(): void {
    this.#release?.();
    if (this.#begun) this.parts.inFlight.end(this.#begun);
    this.#begun = null;
  }

  #visit(): { request: PolicyRequest; route: Route } {
    if (this.#rest) return this.#rest;
    const request = this.lens.asSent(this.request!);
    const route = this.lens.routeOf(this.request!);
    if (route.length > 0) return { request, route };
    return { request, route: this.parts.endpoints.at(request.url)?.route(request) ?? route };
  }
}

/** Counts a request from here until it is answered and its handler is done. */
export function track<Request>(request: Request, raw: object, lens: RequestLens<Request>, parts: InFlightParts): void {
  const response = raw as TrackedResponse;
  const outer = response[WORK];
  for (let other = outer; other; other = other.outer) if (other.parts === parts) return;
  const work = new RequestInFlight(request, response, lens, parts, outer) as RequestInFlight;
  response[WORK] = work;
  // Who has gone by now closes nothing any more.
  if (!work.isAnswered) work.begin();
}

/** Notes what the handler of a request is doing. */
export function noteHandling<Result>(response: object, result: Result): Result {
  const work = (response as TrackedResponse)[WORK];
  if (work && result instanceof Promise) work.handledBy(result);
  return result;
}

/** Who is told when the connection goes. */
function heldOn(socket: TrackedSocket | undefined): Set<() => void> | undefined {
  if (!socket || socket[HELD]) return socket?.[HELD];
  const held = new Set<() => void>();
  socket.once('close', () => held.forEach((answered) => answered()));
  return (socket[HELD] = held);
}
