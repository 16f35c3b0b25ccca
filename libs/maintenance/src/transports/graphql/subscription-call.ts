import type { ContextType, ExecutionContext, Type } from '@nestjs/common';
import type { DocumentNode } from 'graphql';
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
export class GraphqlCall implements ExecutionContext {
  readonly #args: unknown[];

  constructor(
    private readonly field: RootField,
    { contextValue, variableValues, schema, document }: ExecutedOperation,
    operation: unknown,
  ) {
    const path = { prev: undefined, key: field.name, typename: 'Subscription' };
    const info = { fieldName: field.name, path, operation, document, schema, variableValues };
    this.#args = [undefined, {}, contextValue, info];
  }

  getType<T extends string = ContextType>(): T {
    return 'graphql' as T;
  }

  getClass<T>(): Type<T> {
    return this.field.resolver as unknown as Type<T>;
  }

  getHandler(): ReturnType<ExecutionContext['getHandler']> {
    return this.field.handler;
  }

  getArgs<T extends unknown[] = unknown[]>(): T {
    return this.#args as T;
  }

  getArgByIndex<T>(index: number): T {
    return this.#args[index] as T;
  }

  switchToHttp(): ReturnType<ExecutionContext['switchToHttp']> {
    return {
      getRequest: () => this.getArgByIndex(0),
      getResponse: () => this.getArgByIndex(1),
      getNext: () => this.getArgByIndex(2),
    };
  }

  switchToRpc(): ReturnType<ExecutionContext['switchToRpc']> {
    return { getData: () => this.getArgByIndex(0), getContext: () => this.getArgByIndex(1) };
  }

  switchToWs(): ReturnType<ExecutionContext['switchToWs']> {
    return {
      getClient: () => this.getArgByIndex(0),
      getData: () => this.getArgByIndex(1),
      getPattern: () => this.getArgByIndex(2),
    };
  }
}
