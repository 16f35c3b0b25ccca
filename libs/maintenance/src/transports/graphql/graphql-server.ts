import type { execute, GraphQLError, parse } from 'graphql';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { GraphqlAdmission, isRefusal } from './graphql-admission.js';
import type { DriverOptions } from './graphql-driver.js';
import { createRefusalError } from './refused-operation.error.js';
import type { GraphqlResponses } from './graphql-responses.js';
import { toOperation, parseSentOperations, type SentOperation } from './graphql-operation.js';
import type { RefusedOperations } from './refused-operations.js';
import type { GraphqlRequests } from './graphql-requests.js';
import { RootFields } from './root-fields.js';
import type { TransportDeps } from '../transport-deps.interface.js';

/** The members of the application's copy of graphql-js, whose classes `instanceof` checks compare with. */
export interface GraphqlLibrary {
  GraphQLError: typeof GraphQLError;
  parse: typeof parse;
  execute: typeof execute;
}

/** One GraphQL endpoint, and the decisions about its operations. */
export class GraphqlServer {
  readonly admission: GraphqlAdmission;
  /** The path of the endpoint, with the global prefix. */
  readonly path: string;

  constructor(
    readonly deps: TransportDeps,
    readonly graphql: GraphqlLibrary,
    readonly requests: GraphqlRequests,
    readonly responses: GraphqlResponses,
    readonly refusedOperations: RefusedOperations,
    { path, include }: Pick<DriverOptions, 'path' | 'include'>,
  ) {
    this.path = path;
    this.admission = new GraphqlAdmission(deps.policy, new RootFields(deps.discovery, deps.reader, include));
  }

  /** Whether operations may be refused before the guards run: the guard is global, and the middleware is on. */
  get canDecideEarly(): boolean {
    return this.deps.hasMiddleware && this.deps.hasGlobalGuard;
  }

  /** Returns the refusal of an HTTP request where all operations in its body are refused for certain. */
  decideEarly(request: PolicyRequest & { body?: unknown }): Refusal | null {
    const decisions = parseSentOperations(request)?.map((sent) => {
      const operation = this.parseOperation(sent);
      return operation && this.admission.decide(operation, request, true);
    });
    return decisions?.every((decision) => decision !== null && isRefusal(decision)) ? (decisions[0] as Refusal) : null;
  }

  /** Parses an operation of a client; `null` where GraphQL has to report an error. */
  parseOperation({ query, operationName }: SentOperation): ReturnType<typeof toOperation> {
    try {
      return toOperation(this.graphql.parse(query, { noLocation: true }), operationName);
    } catch {
      return null;
    }
  }

  createError(refusal: Refusal): GraphQLError {
    const { message, extensions } = createRefusalError(refusal);
    return new this.graphql.GraphQLError(message, { extensions: { ...extensions } });
  }
}
