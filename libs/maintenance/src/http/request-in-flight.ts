import type { ServerResponse } from 'node:http';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { PolicyRequest } from '../policy/request-path.js';
import type { Begun, InFlight, Work } from '../state/in-flight.js';
import type { Situation } from '../state/state-monitor.js';
import type { EdgeEndpoints } from './edge-endpoints.js';
import type { Route } from './routed-handlers.js';

const WORK = Symbol('nestjs-maintenance:work');

/** Node's response, of HTTP/1 or of HTTP/2. */
type TrackedResponse = Pick<ServerResponse, 'on' | 'getHeader' | 'writableEnded' | 'destroyed'> & {
  [WORK]?: RequestInFlight;
  /** HTTP/2's. */
  stream?: { destroyed: boolean };
};

/** What the adapter knows of one of its requests. */
export interface RequestLens<Request> {
  /** As it came, whatever has been done to it since. */
  asSent(request: Request): PolicyRequest;
  routeOf(request: Request): Route;
  /** The path of its route, with names instead of values; the path itself where there is none. */
  patternOf(request: Request): string;
}

export interface InFlightParts {
  inFlight: InFlight;
  policy: MaintenancePolicy;
  endpoints: EdgeEndpoints;
}

/** A request that has come as far as the edge, until it is answered. */
class RequestInFlight<Request = unknown> implements Work {
  #begun: Begun | null = null;
  /** What the handler is doing, once there is one. */
  #handling: Promise<unknown> | null = null;

  constructor(
    private readonly request: Request,
    private readonly response: TrackedResponse,
    private readonly lens: RequestLens<Request>,
    private readonly parts: InFlightParts,
  ) {}

  get name(): string {
    return `${this.lens.asSent(this.request).method} ${this.lens.patternOf(this.request)}`;
  }

  get isStream(): boolean {
    const route = this.#route(this.lens.asSent(this.request));
    if (route !== 'unclear' && route.some(({ isEventStream }) => isEventStream)) return true;
    return /^text\/event-stream\b/i.test(String(this.response.getHeader('content-type')));
  }

  isClosedSince(before: Situation): boolean {
    const request = this.lens.asSent(this.request);
    const route = this.#route(request);
    const visited = route === 'unclear' ? (['unclear'] as const) : route.length === 0 ? [null] : route;
    return visited.some((rules) => this.parts.policy.closesSince({ rules, request, context: null }, before));
  }

  begin(): void {
    this.#begun = this.parts.inFlight.begin(this);
  }

  /** A handler has taken it, perhaps only after its client had gone. */
  handledBy(handling: Promise<unknown>): void {
    this.#handling = handling;
    if (this.#begun) return;
    this.begin();
    this.closed();
  }

  /** The connection is done with it. A handler whose client has gone goes on all the same. */
  closed(): void {
    const begun = this.#begun;
    if (!begun) return;
    const end = (): void => {
      this.#begun = null;
      this.parts.inFlight.end(begun);
    };
    if (this.#handling && !this.response.writableEnded) void this.#handling.then(end, end);
    else end();
  }

  #route(request: PolicyRequest): Route {
    const route = this.lens.routeOf(this.request);
    return route.length === 0 ? (this.parts.endpoints.at(request.url)?.route(request) ?? route) : route;
  }
}

/** Counts a request from here until it is answered. */
export function track<Request>(
  request: Request,
  response: TrackedResponse,
  lens: RequestLens<Request>,
  parts: InFlightParts,
): void {
  if (response[WORK]) return;
  const work = new RequestInFlight(request, response, lens, parts);
  response[WORK] = work;
  // Who has gone by now closes nothing any more.
  if (response.destroyed || response.stream?.destroyed) return;
  work.begin();
  response.on('close', closed);
}

/** Notes what the handler of a request is doing. */
export function noteHandling<Result>(response: object, result: Result): Result {
  const work = (response as TrackedResponse)[WORK];
  if (work && result instanceof Promise) work.handledBy(result);
  return result;
}

// One function for all of them: nothing more is made for a request while maintenance is off.
function closed(this: TrackedResponse): void {
  this[WORK]?.closed();
}
