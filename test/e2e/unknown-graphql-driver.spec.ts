import { AbstractGraphQLDriver, GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { ADAPTERS, start, type Running } from './application.js';

/** Longer than any test may take: what waits for it fails. */
const LONG = 600_000;

/** Serves nothing, and is of another kind than Apollo's. */
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

describe.each(ADAPTERS)('a GraphQL driver that is not known, on %s', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  async function begin(options: object): Promise<void> {
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
  ])('is never reported as drained where it executes operations over WebSockets by %s', async (_name, options) => {
    await begin(options);
    const { drained, pending } = await running.maintenance.drained({ timeout: LONG });
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
    ['no option is set', {}],
    ['Mercurius takes only subscriptions there', { subscription: true }],
    ['options turn them off', { subscription: false, subscriptions: undefined, installSubscriptionHandlers: false }],
  ])('is reported as drained where it executes none over WebSockets: %s', async (_name, options) => {
    await begin(options);
    expect(await running.maintenance.drained({ timeout: LONG })).toMatchObject({ drained: true, pending: [] });
  });
});
