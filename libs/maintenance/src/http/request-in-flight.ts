import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { PolicyRequest } from '../policy/request-path.js';
import type { Begun, InFlight, Work } from '../state/in-flight.js';
import type { Situation } from '../state/state-monitor.js';
import type { EdgeEndpoints } from './edge-endpoints.js';
import type { Route } from './routed-handlers.js';

const WORK = Symbol('nestjs-maintenance:work');
const REQUESTS = Symbol('nestjs-maintenance:requests');
/** Of a name, in characters. */
const LONGEST = 200;

/** Node's response, of HTTP/1 or of HTTP/2. */
type TrackedResponse = Pick<ServerResponse, 'on' | 'getHeader' | 'destroyed'> & {
  req?: { socket?: TrackedSocket };
  /** HTTP/2's. */
  stream?: { destroyed: boolean };
  [WORK]?: RequestInFlight;
};
type TrackedSocket = Pick<Socket, 'destroyed' | 'once'> & { [REQUESTS]?: Set<RequestInFlight> };

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

/** A request that has come as far as the edge, until it is answered and its handler is done. */
class RequestInFlight<Request = unknown> implements Work {
  #begun: Begun | null = null;
  #isAnswered = false;
  /** What the handler is doing; let go of when it is all that is left, so that it can be collected. */
  #handling: Promise<unknown> | null = null;
  #isHandling = false;
  /** Which handler it is that counts: one may hand over to the next. */
  #handlers = 0;
  /** What is known of the request when it is answered, and its handler is not done. */
  #rest: { name: string; request: PolicyRequest; route: Route } | null = null;
  #siblings: Set<RequestInFlight> | undefined;

  constructor(
    private request: Request | null,
    private response: TrackedResponse | null,
    private readonly lens: RequestLens<Request>,
    readonly parts: InFlightParts,
    /** The same request in the application that this one is mounted in. */
    readonly outer: RequestInFlight | undefined,
  ) {}

  get name(): string {
    if (this.#rest) return this.#rest.name;
    const { method, url } = this.lens.asSent(this.request!);
    const pattern =
      this.lens.patternOf(this.request!) ?? (this.parts.endpoints.at(url) ? url.replace(/[?#].*$/s, '') : '(no route)');
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
    const socket = this.response?.stream ? undefined : this.response?.req?.socket;
    if (!socket) return;
    // A response that waits for those before it is told nothing when its connection goes.
    this.#siblings = socket[REQUESTS] ??= requestsOf(socket);
    this.#siblings.add(this);
  }

  /** A handler has taken it, perhaps only after its client had gone. */
  handledBy(handling: Promise<unknown>): void {
    this.#handling = handling;
    this.#isHandling = true;
    const settled = this.#settled(++this.#handlers);
    handling.then(settled, settled);
    if (this.#begun) return;
    this.#begun = this.parts.inFlight.begin(this);
    this.#isAnswered = true;
    this.#goOn();
  }

  /** There is an answer, or nobody any more who could get one. The handler may go on all the same. */
  answered(): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    if (this.#isHandling) this.#goOn();
    else this.#end();
  }

  #settled(handler: number): () => void {
    return () => {
      if (handler !== this.#handlers) return;
      this.#handling = null;
      this.#isHandling = false;
      if (this.#isAnswered) this.#end();
    };
  }

  /** Keeps nothing that could keep the handler's promise alive. */
  #goOn(): void {
    const [request, handling] = [this.request, this.#handling];
    const done = this.#settled(this.#handlers);
    if (request) {
      const { method, url, ip, headers } = this.lens.asSent(request);
      this.#rest = { name: this.name, request: { method, url, ip, headers }, route: this.#visit().route };
      this.lens.onceAnswered?.(request, done);
    }
    if (handling) forgotten.register(handling, done);
    this.#handling = null;
    this.request = null;
    this.response = null;
  }

  #end(): void {
    this.#siblings?.delete(this);
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
  if (isGone(response)) return;
  work.begin();
  if (outer) return;
  // A response that was made without a connection never closes.
  response.on('finish', answered);
  response.on('close', answered);
}

/** Notes what the handler of a request is doing. */
export function noteHandling<Result>(response: object, result: Result): Result {
  const work = (response as TrackedResponse)[WORK];
  if (work && result instanceof Promise) work.handledBy(result);
  return result;
}

function isGone({ destroyed, stream, req }: TrackedResponse): boolean {
  return stream ? stream.destroyed : destroyed || req?.socket?.destroyed === true;
}

function requestsOf(socket: TrackedSocket): Set<RequestInFlight> {
  const requests = new Set<RequestInFlight>();
  socket.once('close', () => {
    for (const request of requests) request.answered();
  });
  return requests;
}

// One function for all of them: nothing more is made for a request while maintenance is off.
function answered(this: TrackedResponse): void {
  for (let work = this[WORK]; work; work = work.outer) work.answered();
}
