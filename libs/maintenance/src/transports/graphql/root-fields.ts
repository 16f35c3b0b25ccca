import type { DiscoveryService } from '@nestjs/core';
import { RESOLVER_NAME_METADATA, RESOLVER_TYPE_METADATA } from '../../nest-internals.js';
import type { HandlerRules, HandlerRulesReader } from '../../policy/handler-rules.js';
import { getMethods, type Class, type Method } from '../../utils/discovery.js';
import type { Operation } from './graphql-operation.js';

const ROOT_TYPES: Record<string, Operation['kind']> = {
  Query: 'query',
  Mutation: 'mutation',
  Subscription: 'subscription',
};

/** A root field of the schema, and the method that resolves it. */
export interface RootField {
  kind: Operation['kind'];
  name: string;
  resolver: Class;
  handler: Method;
  rules: HandlerRules;
}

/** The root fields of one schema, with the rules of their decorators. */
export class RootFields {
  readonly all: readonly RootField[];
  readonly #byKey = new Map<string, RootField[]>();

  /** @param include - the modules of the schema; empty for all */
  constructor(discovery: DiscoveryService, reader: HandlerRulesReader, include: readonly Class[] = []) {
    const providers = discovery.getProviders(include.length === 0 ? {} : { include: [...include] });
    this.all = providers.flatMap(({ instance }) => readRootFields(instance, reader));
    for (const field of this.all) {
      const key = createKey(field.kind, field.name);
      this.#byKey.set(key, [...(this.#byKey.get(key) ?? []), field]);
    }
  }

  /** Returns the methods of a root field; none for introspection and for fields without a resolver of Nest. */
  find(kind: Operation['kind'], name: string): readonly RootField[] {
    return this.#byKey.get(createKey(kind, name)) ?? [];
  }

  /** Whether a field has `@ForceMaintenance()`, so that it is refused while maintenance is off. */
  get hasForcedFields(): boolean {
    return this.all.some(({ rules }) => rules.override === 'refuse');
  }
}

function readRootFields(instance: unknown, reader: HandlerRulesReader): RootField[] {
  if (typeof instance !== 'object' || instance === null) return [];
  const prototype = Object.getPrototypeOf(instance) as object | null;
  return getMethods(prototype).flatMap(([method, handler]) => {
    const kind = ROOT_TYPES[String(Reflect.getMetadata(RESOLVER_TYPE_METADATA, handler))];
    if (!kind) return [];
    const name = (Reflect.getMetadata(RESOLVER_NAME_METADATA, handler) as string | undefined) ?? method;
    // The class that guards of Nest get from `getClass()`.
    const resolver = prototype!.constructor as unknown as Class;
    const rules = reader.getRules(resolver, handler);
    return [{ kind, name, resolver, handler, rules }];
  });
}

function createKey(kind: Operation['kind'], name: string): string {
  return `${kind}.${name}`;
}
