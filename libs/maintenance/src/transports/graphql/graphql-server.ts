import type { execute, GraphQLError, parse } from 'graphql';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { GraphqlAdmission, isRefusal } from './graphql-admission.js';
import type { DriverOptions } from './graphql-driver.js';
import { createRefusalError } from './refused-operation.error.js';
import type { GraphqlResponses } from './graphql-responses.js';
import { toOperation, parseSentOperations, type SentOperation } from './graphql-operation.js';
import type { GraphqlRequests } from './graphql-requests.js';
import { RootFields } from './root-fields.js';
import type { TransportDeps } from '../transport-deps.interface.js';

/** The parts of the application's own copy of graphql-js: whoever asks for `instanceof` means that one. */
export interface GraphqlLibrary {
  GraphQLError: typeof GraphQLError;
  parse: typeof parse;
  execute: typeof execute;
}

/** What maintenance needs at one GraphQL endpoint. */
export class GraphqlServer {
  readonly admission: GraphqlAdmission;
  /** Where the endpoint is, with the global prefix. */
  readonly path: string;

  constructor(
    readonly deps: TransportDeps,
    readonly graphql: GraphqlLibrary,
    readonly requests: GraphqlRequests,
    readonly responses: GraphqlResponses,
    { path, include }: Pick<DriverOptions, 'path' | 'include'>,
  ) {
    this.path = path;
    this.admission = new GraphqlAdmission(deps.policy, new RootFields(deps.modules, deps.reader, include));
  }

  /** Whether operations may be refused before the guards: not where handlers choose their guards, or nothing is to come before these. */
  get canDecideEarly(): boolean {
    return this.deps.hasMiddleware && this.deps.hasGlobalGuard;
  }

  /** The refusal of an HTTP request that is certain by the operations in its body; in a batch, all of them. */
  decideEarly(request: PolicyRequest & { body?: unknown }): Refusal | null {
    const decisions = parseSentOperations(request)?.map((sent) => {
      const operation = this.parseOperation(sent);
      return operation && this.admission.decide(operation, request, true);
    });
    return decisions?.every((decision) => decision !== null && isRefusal(decision)) ? (decisions[0] as Refusal) : null;
  }

  /** What a client has sent; `null` where GraphQL itself has to say what is wrong with it. */
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
