import type { execute, GraphQLError, parse } from 'graphql';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { GraphqlAdmission, isRefusal } from './admission.js';
import type { DriverOptions } from './driver.js';
import { refusedError } from './errors.js';
import type { GraphqlResponses } from './http-answers.js';
import { operationOf, sentOperations, type SentOperation } from './operation.js';
import type { GraphqlRequests } from './request.js';
import { RootFields } from './root-fields.js';
import type { TransportParts } from '../transport-parts.js';

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
    readonly parts: TransportParts,
    readonly graphql: GraphqlLibrary,
    readonly requests: GraphqlRequests,
    readonly responses: GraphqlResponses,
    { path, include }: Pick<DriverOptions, 'path' | 'include'>,
  ) {
    this.path = path;
    this.admission = new GraphqlAdmission(parts.policy, new RootFields(parts.modules, parts.reader, include));
  }

  /** Whether operations may be refused before the guards: not where handlers choose their guards, or nothing is to come before these. */
  get decidesEarly(): boolean {
    return this.parts.hasEdge && this.parts.hasGuard;
  }

  /** The refusal of an HTTP request that is certain by the operations in its body; in a batch, all of them. */
  foresee(request: PolicyRequest & { body?: unknown }): Refusal | null {
    const decisions = sentOperations(request)?.map((sent) => {
      const operation = this.read(sent);
      return operation && this.admission.decide(operation, request, true);
    });
    return decisions?.every((decision) => decision !== null && isRefusal(decision)) ? (decisions[0] as Refusal) : null;
  }

  /** What a client has sent; `null` where GraphQL itself has to say what is wrong with it. */
  read({ query, operationName }: SentOperation): ReturnType<typeof operationOf> {
    try {
      return operationOf(this.graphql.parse(query, { noLocation: true }), operationName);
    } catch {
      return null;
    }
  }

  errorOf(refusal: Refusal): GraphQLError {
    const { message, extensions } = refusedError(refusal);
    return new this.graphql.GraphQLError(message, { extensions: { ...extensions } });
  }
}
