import type { DocumentNode } from 'graphql';
import { HandlerContext } from '../handler-context.js';
import type { RootField } from './root-fields.js';

/** The arguments with which graphql-ws executes an operation. */
export interface ExecutedOperation {
  document: DocumentNode;
  operationName?: string | null;
  contextValue?: unknown;
  variableValues?: unknown;
  schema?: unknown;
}

/** A context for a subscription that is open, since that of the guard is gone or was never created. */
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
