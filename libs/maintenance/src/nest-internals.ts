/**
 * Lists every private name of other packages that this library rests on: metadata keys, provider tokens, class names
 * and members that no documentation promises. Each section names the versions in which the names were seen. The test
 * `test/e2e/nest-internals.spec.ts` checks each name on the installed versions, so that an upgrade which moves one
 * fails with a sentence. The keys are repeated here, since importing them would load optional packages.
 *
 * This file is a leaf: every folder may import it, and it imports no package at run time.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

// @nestjs/common 11.2, 12.5

/** Set by `@Controller()` on a class, and by `@Get()` and its like on a method. */
export const PATH_METADATA = 'path';
/** Set by `@UseGuards()` on a class or a method. Nest reads it when it creates the handlers. */
export const GUARDS_METADATA = '__guards__';
/** Set by `@Header()` on a method. */
export const HEADERS_METADATA = '__headers__';
/** Set by `@Sse()` on a method. */
export const SSE_METADATA = '__sse__';
/** List the types and tokens that a class injects: by TypeScript, by `@Inject()` of a parameter, and of a property. */
export const INJECTED_METADATA_KEYS: readonly string[] = [
  'design:paramtypes',
  'self:paramtypes',
  'self:properties_metadata',
];

// @nestjs/core 11.2, 12.5

/** A module in Nest's container. */
export interface NestModuleInternals {
  /** Nest calls the lifecycle hooks of the module with the largest distance first. */
  distance: number;
}

// @nestjs/terminus 12.1, which marks handlers with nothing of its own

/** The header that `@HealthCheck()` sets. */
export const HEALTH_CHECK_HEADER = { name: 'Cache-Control', value: 'no-cache, no-store, must-revalidate' } as const;
/** The class that every health controller injects. */
export const HEALTH_CHECK_SERVICE_NAME = 'HealthCheckService';

// @nestjs/cache-manager 3.1, 12.0

/** The provider of the application's cache. */
export const CACHE_MANAGER = 'CACHE_MANAGER';

// keyv 5.6 and cacheable 2.5

/** A Keyv. */
export interface KeyvInternals {
  /** The name of the store's class tells whether the cache is in memory: {@link IN_MEMORY_STORE_PATTERN}. */
  opts?: { store?: object };
  /** Keyv emits `disconnect` before it disconnects its store. */
  on?(event: 'disconnect', listener: () => void): unknown;
}

/** The class names of in-memory stores for Keyv: its own, and those of cacheable, quick-lru and lru-cache. */
export const IN_MEMORY_STORE_PATTERN = /^_*(?:Map|BigMap|CacheableMemory|KeyvCacheableMemory|QuickLRU|LRUCache)\d*$/;

/** A Cacheable, which has one or two stores. */
export interface CacheableInternals {
  primary?: KeyvInternals;
  secondary?: KeyvInternals;
}

// @nestjs/platform-express 11.2, 12.5

/** The members that Nest's Express adapter has beyond its type. */
export interface ExpressAdapterInternals {
  /** Nest calls the result for each path and method of a middleware. */
  createMiddlewareFactory(method: number): (path: string, callback: object) => unknown;
  setOnRequestHook: unknown;
  onRequestHook?: unknown;
  onResponseHook?: unknown;
}

// express 5.2, 5.3 with router 2

/** An entry of Express's router. */
export interface ExpressLayer {
  handle: unknown;
  /** Tells whether the path matches: an object instead of `true` from router 2.3 on. */
  match(path: string): unknown;
  /** Only for a route; `methods._all` is set by `app.all()`. */
  route?: { path: unknown; methods: Record<string, boolean | undefined>; stack: { handle: object }[] };
}

/** The members of an Express application that tell what it would do with a request. */
export interface ExpressApplicationInternals {
  router: { stack: ExpressLayer[] };
  handle(request: IncomingMessage, response: ServerResponse, done?: (error?: unknown) => void): void;
  enabled(setting: string): boolean;
  /** The prototype of requests. */
  request: object;
  locals: object;
}

// @nestjs/platform-fastify 11.2, 12.5

/** The members that Nest's Fastify adapter has beyond its type. `Hook` is the type of an `onRequest` hook. */
export interface FastifyAdapterInternals<Hook, Request> {
  setOnRequestHook: (hook: Hook) => void;
  onResponseHook?: unknown;
  /** Runs the hook of `app.enableCors()`. Nest 12 only; Nest 11 registers `@fastify/cors`. */
  corsHook?: Hook;
  /**
   * Sets the headers of `app.useSecurityHeaders()`, and returns an error for a request that
   * `app.enableCsrfProtection()` rejects. Nest 12 only.
   */
  securityHook?: (request: Request, response: ServerResponse) => unknown;
}

// fastify 5.11, 5.12

/** Describes the symbol under which a Fastify instance keeps its class of requests. */
export const FASTIFY_REQUEST_SYMBOL = 'fastify.Request';
/** Describes the symbol under which a Fastify request keeps the context of its route. */
export const FASTIFY_CONTEXT_SYMBOL = 'fastify.context';

/** The hooks of a route; `null` where it has none. */
export interface FastifyRouteContext<Hook> {
  onRequest: Hook[] | null;
  onSend: unknown[] | null;
  onResponse: unknown[] | null;
}

// @fastify/cors 11.3, 11.4 and @fastify/helmet 13.2

/** The names of the `onRequest` hooks that only set headers. */
export const FASTIFY_HEADER_HOOK_NAMES: ReadonlySet<string> = new Set([
  'bound handleCors',
  'bound helmetConfigureReply',
  'bound helmetApplyHeaders',
]);

// @nestjs/websockets 11.2, 12.1

/** Set by `@WebSocketGateway()` on a class, as are the options and the port. */
export const GATEWAY_METADATA = 'websockets:is_gateway';
export const GATEWAY_OPTIONS_METADATA = 'websockets:gateway_options';
export const GATEWAY_PORT_METADATA = 'port';
/** Set by `@SubscribeMessage()` on a method, as is the name of the message. */
export const MESSAGE_MAPPING_METADATA = 'websockets:message_mapping';
export const MESSAGE_METADATA = 'message';
/** A method of `BaseWsExceptionFilter` that sends exceptions to the clients of `ws`. Nest 12 only. */
export const EMIT_MESSAGE_METHOD = 'emitMessage';

// socket.io 4.8 and engine.io 6.6

/** The members of engine.io's server. */
export interface EngineIoServer<Middleware> {
  opts: { transports?: readonly string[]; addTrailingSlash?: boolean };
  use(middleware: Middleware): void;
}

/** The query that engine.io has parsed; `sid` names a session that exists. */
export type EngineIoRequest = IncomingMessage & { _query?: { sid?: string } };

/** The member of socket.io's server that serves the files of the client, past the application. */
export interface SocketIoFileServer {
  serve?(request: IncomingMessage, response: ServerResponse): void;
}

// @nestjs/microservices 11.2, 12.1

/** Set by `@MessagePattern()` and `@EventPattern()` on a method, as are the kind and the transport. */
export const PATTERN_METADATA = 'microservices:pattern';
export const PATTERN_HANDLER_METADATA = 'microservices:handler_type';
export const TRANSPORT_METADATA = 'microservices:transport';
/** The value of {@link PATTERN_HANDLER_METADATA} for events. */
export const EVENT_HANDLER_TYPE = 2;
/** The value of `streaming` in the pattern of a method with `@GrpcStreamCall()`. */
export const STREAM_CALL_STREAMING = 'pt_stream';

/** The members of Nest's servers of microservices that a custom strategy need not have. */
export interface RpcServerInternals<Callback> {
  /** RabbitMQ: whether the broker forgets a message as soon as it has sent it. */
  readonly noAck?: boolean;
  /** RabbitMQ: takes a message from its channel. */
  handleMessage?(message: unknown, channel: object): unknown;
  /** gRPC: creates the method of a service by its definition. */
  createServiceMethod?(handler: Callback, definition: { responseStream?: boolean }, streaming: unknown): unknown;
  /** Kafka: commits the offset when it resolves. */
  handleEvent?(pattern: string, packet: unknown, context: object): Promise<unknown>;
}

// kafkajs 2.2, which the test does not check, as it is not installed

/** An error that the package exports, but not in its types. */
export interface KafkaJsInternals {
  /** Makes the client fetch again. */
  KafkaJSFetcherRebalanceError?: new (message: string) => Error;
}

// @nestjs/graphql and @nestjs/apollo 13.4, 14.0

/** The provider of the options of a GraphQLModule. */
export const GRAPHQL_MODULE_OPTIONS = 'GqlModuleOptions';
/** Set by `@Query()`, `@Mutation()` and `@Subscription()` on a method, as is the name of the field. */
export const RESOLVER_TYPE_METADATA = 'graphql:resolver_type';
export const RESOLVER_NAME_METADATA = 'graphql:resolver_name';

/** The instance of a GraphQLModule. */
export interface GraphqlModuleInternals<Driver> {
  graphQlAdapter?: Driver;
}

/** The base class of the drivers that run Apollo Server. */
export const APOLLO_DRIVER_NAME = 'ApolloBaseDriver';

/** The method of a driver whose code names the protocol of subscriptions where the options name none. */
export const START_DRIVER_METHOD = 'start';

/** The servers of a driver's subscriptions: of graphql-ws, and on `@nestjs/graphql` 13 of the older protocol. */
export interface GraphqlSubscriptionServers<LegacyServer> {
  wss?: UpgradingServer;
  subTransWs?: UpgradingServer;
  subServer?: LegacyServer;
}

/** The members of a GraphQL driver that lead to its servers. */
export interface GraphqlDriverInternals<LegacyServer> {
  /** Set once the driver has started and serves subscriptions. */
  readonly _subscriptionService?: GraphqlSubscriptionServers<LegacyServer>;
}

// ws 8.21, 8.23

/** The members of a WebSocket server that take over a connection. */
export interface UpgradingServer {
  shouldHandle(request: IncomingMessage): boolean;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (...args: unknown[]) => void): void;
}

// @nestjs/schedule 6.1, 12.0 and cron 4

/** The provider of the options of ScheduleModule. */
export const SCHEDULE_OPTIONS = 'SCHEDULE_MODULE_OPTIONS';
/** Set by `@Cron()`, `@Timeout()` and `@Interval()` on a method; the values are the keys of {@link SCHEDULE_KINDS}. */
export const SCHEDULER_TYPE_METADATA = 'SCHEDULER_TYPE';
export const SCHEDULE_KINDS: Readonly<Record<number, string>> = { 1: 'cron', 2: 'timeout', 3: 'interval' };

/** Finds the scheduled methods, and makes of each the function that timers call. */
export interface ScheduleExplorer<Method, Tick> {
  lookupSchedulers(instance: object, key: string): void;
  wrapFunctionInTryCatchBlocks(method: Method, instance: object): Tick;
}

/** A cron job, which calls these functions. */
export interface CronJobInternals<Tick> {
  _callbacks: Tick[];
}

// @nestjs/bullmq 11.0, 12.0 and bullmq 5

/** Set by `@Processor()` of `@nestjs/bullmq` on a class. */
export const BULLMQ_PROCESSOR_METADATA = 'bullmq:processor_metadata';
/** The name of the error by which a processor tells BullMQ that it has moved its job. */
export const BULLMQ_DELAYED_ERROR_NAME = 'DelayedError';

/** Makes a worker for each processor: at boot, or when the application calls `BullRegistrar.register()`. */
export interface BullMqExplorer<Host> {
  registerWorkers(): void;
  handleProcessor(host: Host, ...rest: unknown[]): void;
}

/** The function that a worker of BullMQ calls for each job. */
export interface BullMqWorkerInternals<Job> {
  processFn: (job: Job, token?: string, ...rest: unknown[]) => Promise<unknown>;
}

// @nestjs/bull 11.0, 12.0 and bull 4

/** Set by `@Processor()` of `@nestjs/bull` on a class. */
export const BULL_PROCESSOR_METADATA = 'bull:module_queue';

/** Registers each method with `@Process()` at its queue. */
export interface BullExplorer<Queue> {
  handleProcessor(
    instance: Record<string, (...args: never[]) => unknown>,
    key: string,
    queue: Queue,
    ...rest: unknown[]
  ): void;
  handleListener(...args: unknown[]): void;
}

/** The members of a queue of Bull that process jobs. */
export interface BullQueueInternals<Job> {
  /** The functions that process jobs, by the name of the job; Bull looks one up for each job. */
  readonly handlers: Record<string, (job: Job) => Promise<unknown>>;
  setHandler(name: string, handler: unknown): void;
  processJob(...args: unknown[]): unknown;
  /** Bull calls it as soon as a function processes jobs, and does not wait for it. */
  setWorkerName(): Promise<unknown>;
  /** Set while the queue takes no jobs in this process. */
  readonly paused?: unknown;
}

// @aws-sdk/client-s3 3.1169

/** An option of a client beyond its type. The chain of credentials gets it, and reads the profile again. */
export const S3_REREAD_PROFILE_OPTION = { ignoreCache: true } as const;

// @nestjs/swagger 11.4, 12.0

/** Set by `@ApiExcludeController()` on a class, with `[true]`, and by `@ApiOperation()` on a method. */
export const API_EXCLUDE_CONTROLLER_METADATA = 'swagger/apiExcludeController';
export const API_OPERATION_METADATA = 'swagger/apiOperation';

// redis 5 and 6

/** The members that tell the three kinds of clients apart. */
export interface RedisClientKind<ClientOptions> {
  /** Of a cluster. */
  _options?: { rootNodes?: ClientOptions[]; defaults?: ClientOptions };
  masters?: unknown;
  /** Of sentinels. */
  getSentinelNode?: unknown;
  /** Of sentinels. The id begins with the address of the first one, and a slash. Redis 6 only. */
  identity?: { id?: string };
}

// ioredis 5.11 and 6.0

/** The members of a `Redis` or a `Cluster`. All but the nodes of a cluster are documented. */
export interface IoredisInternals<Node> {
  callBuffer(command: string, ...args: string[]): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  isCluster?: boolean;
  /** Of a cluster. */
  startupNodes?: Node[];
  nodes?(role: 'master'): unknown[];
  duplicate(...overrides: unknown[]): unknown;
  subscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
}

// mysql2 3.24

/** The members of a pool that lead to its server: `mysql2/promise` wraps a pool of `mysql2`. */
export interface MysqlPoolInternals<Server> {
  config?: { connectionConfig?: Server };
  pool?: MysqlPoolInternals<Server>;
}
