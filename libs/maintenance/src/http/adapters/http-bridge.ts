import type { Answer, RawResponse } from '../answer.js';
import type { Edge } from '../edge.js';
import type { RoutedHandlers } from '../routed-handlers.js';

/** What the module needs of an HTTP adapter beyond what Nest's adapters have in common. */
export interface HttpBridge {
  /** Hooks into the adapter; called as soon as there is one, before `main.ts` goes on. */
  attach(): void;
  /** Puts the edge at this place of the order in which requests are handled, unless it has one already. */
  placeEdge(): void;
  /** Node's response behind the framework's. */
  rawResponse(response: unknown): RawResponse;
  /** Ends a request with the answer. */
  send(response: unknown, answer: Answer): void;
}

/** What a bridge is made with. */
export interface BridgeParts {
  /** `null`: the application does without. */
  edge: Edge | null;
  handlers: RoutedHandlers;
  /** The members that views see, made anew for each request. */
  viewLocals: PropertyDescriptorMap;
}
