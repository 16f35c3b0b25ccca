import { Injectable, Module, Scope, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Field,
  GraphQLModule,
  Mutation,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { ForceMaintenance, MaintenanceAccess, MaintenanceScope, SkipMaintenance } from 'nestjs-maintenance';
import type { Setup } from '../application.js';

/** Records the steps that requests reached on the way to a resolver. */
export const reached = { sessions: 0, contexts: 0, resolvers: [] as string[], closed: [] as string[] };

export function resetReached(): void {
  Object.assign(reached, { sessions: 0, contexts: 0, resolvers: [], closed: [] });
}

function answer(name: string): string {
  reached.resolvers.push(name);
  return name;
}

async function* ticks(field: string): AsyncGenerator<Record<string, string>> {
  // A subscription of an earlier test may close late.
  const { closed } = reached;
  try {
    for (let count = 0; ; count++) {
      yield { [field]: String(count) };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    closed.push(field);
  }
}

/** Returns an iterator that never emits. */
function createSilentIterator(field: string): AsyncIterableIterator<never> {
  const { closed } = reached;
  const done = { done: true as const, value: undefined };
  let close: (end: typeof done) => void;
  const iterator: AsyncIterableIterator<never> = {
    next: () => new Promise((resolve) => (close = resolve)),
    return: async () => {
      closed.push(field);
      close?.(done);
      return done;
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

@ObjectType()
export class Cat {
  @Field(() => String)
  name!: string;

  @Field(() => String)
  mood!: string;
}

/** A resolver without exemptions. */
@Resolver(() => Cat)
export class CatsResolver {
  @Query(() => String)
  cats(): string {
    return answer('cats');
  }

  @Query(() => String)
  @MaintenanceScope('billing')
  invoices(): string {
    return answer('invoices');
  }

  @Query(() => Cat)
  kitten(): { name: string } {
    return { name: answer('kitten') };
  }

  @Mutation(() => String)
  adopt(): string {
    return answer('adopt');
  }

  @Mutation(() => String)
  @MaintenanceAccess('read')
  search(): string {
    return answer('search');
  }

  @ResolveField(() => String)
  mood(): string {
    return answer('mood');
  }

  @Subscription(() => String)
  tick(): AsyncGenerator {
    answer('tick');
    return ticks('tick');
  }

  @Subscription(() => String)
  quiet(): AsyncIterableIterator<never> {
    return createSilentIterator('quiet');
  }
}

/** A resolver with some exempt fields. */
@Resolver()
export class MixedResolver {
  @SkipMaintenance()
  @Query(() => Cat, { name: 'mascot' })
  oneCat(): { name: string } {
    return { name: answer('mascot') };
  }

  @SkipMaintenance()
  @Mutation(() => String)
  report(): string {
    return answer('report');
  }

  @SkipMaintenance()
  @Subscription(() => String)
  openTick(): AsyncGenerator {
    return ticks('openTick');
  }
}

@SkipMaintenance()
@Resolver()
export class StatusResolver {
  @Query(() => String)
  status(): string {
    return answer('status');
  }

  @SkipMaintenance(false)
  @Query(() => String)
  undone(): string {
    return answer('undone');
  }

  @ForceMaintenance()
  @Query(() => String)
  forced(): string {
    return answer('forced');
  }
}

@Resolver()
@Injectable({ scope: Scope.REQUEST })
export class ScopedResolver {
  @SkipMaintenance()
  @Query(() => String)
  scopedOpen(): string {
    return answer('scopedOpen');
  }

  @Query(() => String)
  scopedClosed(): string {
    return answer('scopedClosed');
  }
}

/** Middleware that runs before GraphQL, such as a session middleware. */
@Module({})
export class SessionsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply((_request: object, _response: object, next: () => void) => {
        reached.sessions++;
        next();
      })
      .forRoutes('{*splat}');
  }
}

/** Returns a GraphQLModule with the default settings of the tests. */
export function createGraphqlModule(options: Partial<ApolloDriverConfig> = {}): NonNullable<Setup['imports']>[number] {
  return GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, ...createSettings(options) });
}

export function createSettings(options: Partial<ApolloDriverConfig> = {}): Omit<ApolloDriverConfig, 'driver'> {
  return {
    autoSchemaFile: true,
    playground: false,
    introspection: true,
    allowBatchedHttpRequests: true,
    context: () => {
      reached.contexts++;
      return {};
    },
    ...options,
  };
}
