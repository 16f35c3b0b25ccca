import { AbstractGraphQLDriver, GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { ADAPTERS, start, type Running } from './application.js';

/** Longer than the timeout of a test: a test that waits for it fails. */
const NEVER_REACHED_MS = 600_000;

/** A driver that is not Apollo's and serves nothing. */
class OtherDriver extends AbstractGraphQLDriver {
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
}

@Resolver()
class OrdersResolver {
  @Query(() => String)
  orders(): string {
    return 'orders';
  }
}

describe.each(ADAPTERS)('an unsupported GraphQL driver (%s)', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  async function startActive(options: object): Promise<void> {
    running = await start(adapter, {
      imports: [
        GraphQLModule.forRootAsync({
          driver: OtherDriver,
          useFactory: () => ({ autoSchemaFile: true, ...options }),
        }),
      ],
      providers: [OrdersResolver],
    });
    await running.maintenance.enable();
  }

  it.each([
    ['`fullWsTransport`, as Mercurius', { subscription: { fullWsTransport: true } }],
    ['`subscriptions`, as Yoga', { subscriptions: { 'graphql-ws': true } }],
    ['`installSubscriptionHandlers`', { installSubscriptionHandlers: true }],
  ])('is never reported as drained if it executes operations over WebSockets: %s', async (_name, options) => {
    await startActive(options);
    const { drained, pending } = await running.maintenance.drained({ timeout: NEVER_REACHED_MS });
    expect(drained).toBe(false);
    expect(pending).toEqual([
      expect.objectContaining({
        reason: 'uncounted',
        instance: expect.objectContaining({
          uncounted: ['GraphQL operations over WebSockets, as the driver "OtherDriver" is not known'],
        }),
      }),
    ]);
  });

  it.each([
    ['no options', {}],
    ['subscriptions only, as Mercurius', { subscription: true }],
    ['options turned off', { subscription: false, subscriptions: undefined, installSubscriptionHandlers: false }],
  ])('is reported as drained if it executes no operations over WebSockets: %s', async (_name, options) => {
    await startActive(options);
    expect(await running.maintenance.drained({ timeout: NEVER_REACHED_MS })).toMatchObject({
      drained: true,
      pending: [],
    });
  });
});
