import type { DocumentNode } from 'graphql';
import { HandlerContext } from '../handler-context.js';
import type { RootField } from './root-fields.js';

/** What graphql-ws executes. */
export interface ExecutedOperation {
  document: DocumentNode;
  operationName?: string | null;
  contextValue?: unknown;
  variableValues?: unknown;
  schema?: unknown;
}

/** Nest's context of a subscription that is open already: the guard's own is gone, or never was asked for. */
export class GraphqlCallContext extends HandlerContext {
  constructor(
    { name, resolver, handler }: RootField,
    { contextValue, variableValues, schema, document }: ExecutedOperation,
    operation: unknown,
  ) {
    const path = { prev: undefined, key: name, typename: 'Subscription' };
    const info = { fieldName: name, path, operation, document, schema, variableValues };
    super('graphql', { controller: resolver, handler }, [undefined, {}, contextValue, info]);
  }
}
