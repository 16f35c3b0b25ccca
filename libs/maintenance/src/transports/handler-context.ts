import type { ContextType, ExecutionContext, Type } from '@nestjs/common';
import type { HandlerReference } from '../policy/handler-rules.js';

type Handler = ReturnType<ExecutionContext['getHandler']>;

/** A context for calls that are decided where Nest creates none. Guards of the application do not run for it. */
export class HandlerContext implements ExecutionContext {
  constructor(
    private readonly type: string,
    private readonly reference: HandlerReference,
    private readonly args: readonly unknown[],
  ) {}

  getType<T extends string = ContextType>(): T {
    return this.type as T;
  }

  getClass<T>(): Type<T> {
    return this.reference.controller as unknown as Type<T>;
  }

  getHandler(): Handler {
    return this.reference.handler;
  }

  getArgs<T extends unknown[] = unknown[]>(): T {
    return this.args as unknown as T;
  }

  getArgByIndex<T>(index: number): T {
    return this.args[index] as T;
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
