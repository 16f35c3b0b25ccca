import { ApolloDriver } from '@nestjs/apollo';
import { BullModule, Processor as BullProcessor } from '@nestjs/bull';
import { BullModule as BullMqModule, Processor as BullMqProcessor } from '@nestjs/bullmq';
import { ModulesContainer } from '@nestjs/core';
import { GraphQLModule, Mutation, Query, Resolver, Subscription } from '@nestjs/graphql';
import * as microservices from '@nestjs/microservices';
import { EventPattern, GrpcStreamCall, MessagePattern, Transport } from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { Cron, Interval, ScheduleModule, Timeout } from '@nestjs/schedule';
import { BaseWsExceptionFilter, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import Bull from 'bull';
import { DelayedError, Worker } from 'bullmq';
import { CronJob } from 'cron';
import { WebSocketServer } from 'ws';
import * as internals from '../../libs/maintenance/src/nest-internals.js';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import {
  assertFound,
  assertMembers,
  assertMetadata,
  collectClasses,
  getPrototype,
  startApp,
} from '../tools/private-names.js';

declare const NEST_MAJOR: string;

describe('The private names of @nestjs/websockets and @nestjs/microservices', () => {
  it('include the metadata of gateways', () => {
    @WebSocketGateway(1234, { path: '/ws' })
    class Gateway {
      @SubscribeMessage('greet')
      greet(): void {}
    }
    assertMetadata('@nestjs/websockets', internals.GATEWAY_METADATA, Gateway, true);
    assertMetadata('@nestjs/websockets', internals.GATEWAY_OPTIONS_METADATA, Gateway);
    assertMetadata('@nestjs/websockets', internals.GATEWAY_PORT_METADATA, Gateway, 1234);
    assertMetadata('@nestjs/websockets', internals.MESSAGE_MAPPING_METADATA, Gateway.prototype.greet, true);
    assertMetadata('@nestjs/websockets', internals.MESSAGE_METADATA, Gateway.prototype.greet, 'greet');
    const hasMethod = internals.EMIT_MESSAGE_METHOD in BaseWsExceptionFilter.prototype;
    assertFound(hasMethod === (NEST_MAJOR !== '11'), '@nestjs/websockets', `\`${internals.EMIT_MESSAGE_METHOD}\``);
  });

  it('include the metadata of message handlers', () => {
    class Handlers {
      @MessagePattern('sum', Transport.TCP)
      sum(_data: unknown): void {}

      @EventPattern('created')
      created(_data: unknown): void {}

      @GrpcStreamCall('Service', 'Method')
      stream(_data: unknown): void {}
    }
    const { sum, created, stream } = Handlers.prototype;
    assertMetadata('@nestjs/microservices', internals.PATTERN_METADATA, sum);
    assertMetadata('@nestjs/microservices', internals.TRANSPORT_METADATA, sum, Transport.TCP);
    assertMetadata('@nestjs/microservices', internals.PATTERN_HANDLER_METADATA, created, internals.EVENT_HANDLER_TYPE);
    const [pattern] = Reflect.getMetadata(internals.PATTERN_METADATA, stream) as [{ streaming?: unknown }];
    const isStreamCall = pattern.streaming === internals.STREAM_CALL_STREAMING;
    assertFound(isStreamCall, '@nestjs/microservices', `streaming \`${internals.STREAM_CALL_STREAMING}\``);
  });

  it('include the members of servers of microservices', () => {
    const { ServerRMQ, ServerGrpc, ServerKafka } = microservices;
    type Members = internals.RpcServerInternals<unknown>;
    const packageName = '@nestjs/microservices';
    assertMembers<Pick<Members, 'handleMessage'>>(packageName, ServerRMQ.prototype, { handleMessage: 'function' });
    assertMembers<Pick<Members, 'createServiceMethod'>>(packageName, ServerGrpc.prototype, {
      createServiceMethod: 'function',
    });
    assertMembers<Pick<Members, 'handleEvent'>>(packageName, ServerKafka.prototype, { handleEvent: 'function' });
    // An instance would load the client of RabbitMQ, which is not installed.
    assertFound(String(ServerRMQ).includes('this.noAck ='), packageName, '`noAck` of ServerRMQ');
  });
});

describe('The private names of GraphQL', () => {
  it('include the metadata of resolvers', () => {
    @Resolver()
    class Cats {
      @Query(() => String, { name: 'read' })
      cat(): void {}

      @Mutation(() => String)
      add(): void {}

      @Subscription(() => String)
      added(): void {}
    }
    const { cat, add, added } = Cats.prototype;
    assertMetadata('@nestjs/graphql', internals.RESOLVER_TYPE_METADATA, cat, 'Query');
    assertMetadata('@nestjs/graphql', internals.RESOLVER_TYPE_METADATA, add, 'Mutation');
    assertMetadata('@nestjs/graphql', internals.RESOLVER_TYPE_METADATA, added, 'Subscription');
    assertMetadata('@nestjs/graphql', internals.RESOLVER_NAME_METADATA, cat, 'read');
  });

  it('include the driver, and the servers of its subscriptions', async () => {
    class CatsResolver {
      @Query(() => String)
      cat(): string {
        return 'Tom';
      }
    }
    Resolver()(CatsResolver);
    const subscriptions = { 'graphql-ws': true, ...(NEST_MAJOR === '11' && { 'subscriptions-transport-ws': true }) };
    const running = await startApp(new ExpressAdapter(), {
      imports: [GraphQLModule.forRoot({ driver: ApolloDriver, autoSchemaFile: true, subscriptions })],
      providers: [CatsResolver],
    });
    await running.listen(0, '127.0.0.1');
    const module = [...running.get(ModulesContainer).values()].find(({ providers }) =>
      providers.has(internals.GRAPHQL_MODULE_OPTIONS),
    );
    assertFound(module !== undefined, '@nestjs/graphql', `provider \`${internals.GRAPHQL_MODULE_OPTIONS}\``);
    assertMembers<internals.GraphqlModuleInternals<object>>('@nestjs/graphql', module!.instance, {
      graphQlAdapter: 'object',
    });
    const driver = Reflect.get(module!.instance, 'graphQlAdapter') as internals.GraphqlDriverInternals<object>;
    const base = Object.getPrototypeOf(ApolloDriver) as { name: string };
    assertFound(
      base.name === internals.APOLLO_DRIVER_NAME,
      '@nestjs/apollo',
      `class \`${internals.APOLLO_DRIVER_NAME}\``,
    );
    assertMembers<internals.GraphqlDriverInternals<object>>('@nestjs/apollo', driver, {
      _subscriptionService: 'object',
    });
    const start = internals.START_DRIVER_METHOD;
    const protocol = NEST_MAJOR === '11' ? 'subscriptions-transport-ws' : 'graphql-ws';
    const namesProtocol = String(Reflect.get(ApolloDriver.prototype, start)).includes(protocol);
    assertFound(namesProtocol, '@nestjs/apollo', `default protocol \`${protocol}\` in \`${start}\``);
    type Servers = internals.GraphqlSubscriptionServers<object>;
    const servers = driver._subscriptionService!;
    assertMembers<Pick<Servers, 'wss'>>('@nestjs/graphql', servers, { wss: 'object' });
    if (NEST_MAJOR !== '11') return;
    assertMembers<Omit<Servers, 'wss'>>('@nestjs/graphql', servers, { subTransWs: 'object', subServer: 'object' });
  });
});

describe('The private names of WebSocket libraries', () => {
  it('include the members of ws', () => {
    assertMembers<internals.UpgradingServer>('ws', WebSocketServer.prototype as object, {
      shouldHandle: 'function',
      handleUpgrade: 'function',
    });
  });

  it('include the members of socket.io and engine.io', async () => {
    const running = await startApp(new ExpressAdapter());
    await running.listen(0, '127.0.0.1');
    const server = new IoAdapter(running).createIOServer(0) as object as internals.SocketIoFileServer & {
      engine: internals.EngineIoServer<(...args: unknown[]) => void>;
    };
    const user = '@nestjs/platform-socket.io';
    assertMembers<internals.SocketIoFileServer>('socket.io', server, { serve: 'function' }, user);
    assertMembers<internals.EngineIoServer<unknown>>(
      'socket.io',
      server.engine,
      { opts: 'object', use: 'function' },
      user,
    );
    let request: internals.EngineIoRequest | undefined;
    server.engine.use((...[handshake]: unknown[]) => {
      request = handshake as internals.EngineIoRequest;
      (request as unknown as { destroy(): void }).destroy();
    });
    const url = await running.getUrl();
    await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=unknown`).catch(() => undefined);
    assertFound(request?._query?.sid === 'unknown', 'socket.io', '`_query.sid` of a handshake', user);
  });
});

describe('The private names of @nestjs/schedule', () => {
  it('include the metadata, the provider of options and the explorer', () => {
    class Jobs {
      @Cron('* * * * *')
      cron(): void {}

      @Timeout(1)
      timeout(): void {}

      @Interval(1)
      interval(): void {}
    }
    for (const [type, name] of Object.entries(internals.SCHEDULE_KINDS)) {
      const method = Reflect.get(Jobs.prototype, name) as object;
      assertMetadata('@nestjs/schedule', internals.SCHEDULER_TYPE_METADATA, method, Number(type));
    }
    const module = ScheduleModule.forRoot();
    const tokens = (module.providers ?? []).map((provider) => ('provide' in provider ? provider.provide : provider));
    const isFound = tokens.includes(internals.SCHEDULE_OPTIONS);
    assertFound(isFound, '@nestjs/schedule', `provider \`${internals.SCHEDULE_OPTIONS}\``);
    const explorer = getPrototype('@nestjs/schedule', collectClasses(module), 'ScheduleExplorer');
    assertMembers<internals.ScheduleExplorer<unknown, unknown>>('@nestjs/schedule', explorer, {
      lookupSchedulers: 'function',
      wrapFunctionInTryCatchBlocks: 'function',
    });
  });

  it('include the callbacks of a cron job', () => {
    const job = CronJob.from({ cronTime: '* * * * *', onTick: () => undefined });
    assertMembers<internals.CronJobInternals<unknown>>('cron', job, { _callbacks: 'object' });
    const [callback] = Reflect.get(job, '_callbacks') as unknown[];
    assertFound(typeof callback === 'function', 'cron', 'function in `_callbacks`');
  });
});

describe('The private names of queues', () => {
  it('include the metadata and the explorer of @nestjs/bullmq', () => {
    @BullMqProcessor('mails')
    class Mails {}
    assertMetadata('@nestjs/bullmq', internals.BULLMQ_PROCESSOR_METADATA, Mails);
    const classes = collectClasses(BullMqModule.registerQueue({ name: 'mails' }));
    const explorer = getPrototype('@nestjs/bullmq', classes, 'BullExplorer');
    assertMembers<internals.BullMqExplorer<unknown>>('@nestjs/bullmq', explorer, {
      registerWorkers: 'function',
      handleProcessor: 'function',
    });
    const { name } = new DelayedError();
    const expected = internals.BULLMQ_DELAYED_ERROR_NAME;
    assertFound(name === expected, 'bullmq', `error \`${expected}\``);
  });

  it('include the metadata and the explorer of @nestjs/bull', () => {
    @BullProcessor('mails')
    class Mails {}
    assertMetadata('@nestjs/bull', internals.BULL_PROCESSOR_METADATA, Mails);
    const explorer = getPrototype(
      '@nestjs/bull',
      collectClasses(BullModule.registerQueue({ name: 'mails' })),
      'BullExplorer',
    );
    assertMembers<internals.BullExplorer<unknown>>('@nestjs/bull', explorer, {
      handleProcessor: 'function',
      handleListener: 'function',
    });
  });

  describeWithRedis('with a server', () => {
    let redis: RedisServer;
    beforeAll(async () => (redis = await RedisServer.start()));
    afterAll(() => redis.stop());

    it('include the function of a BullMQ worker', async () => {
      const connection = { port: redis.port };
      const worker = new Worker('mails', async () => undefined, { connection, autorun: false });
      await worker.waitUntilReady();
      try {
        assertMembers<internals.BullMqWorkerInternals<unknown>>('bullmq', worker, { processFn: 'function' });
      } finally {
        await worker.close();
      }
    });

    it('include the members of a Bull queue', async () => {
      const queue = new Bull('mails', { redis: { port: redis.port } });
      try {
        await queue.isReady();
        await queue.pause(true);
        assertMembers<internals.BullQueueInternals<unknown>>('bull', queue, {
          handlers: 'object',
          setHandler: 'function',
          processJob: 'function',
          setWorkerName: 'function',
          paused: 'object',
        });
      } finally {
        await queue.close();
      }
    });
  });
});
