import type { ExecutionContext } from '@nestjs/common';
import { GRAPHQL_MODULE_OPTIONS, type GraphqlModuleInternals, type UpgradingServer } from '../../nest-internals.js';
import { findProviders } from '../../utils/discovery.js';
import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { PolicyInput } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import type { TransportAdapter } from '../../policy/transport-adapters.js';
import { getOperationAccess } from './graphql-admission.js';
import {
  executesOverWebSockets,
  GRAPHQL_WS,
  installsGraphqlWs,
  isApollo,
  type DriverOptions,
  type GraphqlDriver,
  type OtherDriverOptions,
  type ExecuteOperation,
} from './graphql-driver.js';
import { RefusedOperationError } from './refused-operation.error.js';
import { createErrorBody, createGraphqlEndpoint, GraphqlResponses } from './graphql-responses.js';
import type { Operation } from './graphql-operation.js';
import { createGuardedContext, createMaintenancePlugin } from './apollo-plugin.js';
import { GraphqlRequests } from './graphql-requests.js';
import { GraphqlServer, type GraphqlLibrary } from './graphql-server.js';
import { trackOperations } from './track-operations.js';
import { OpenSubscriptions, type SubscriptionHooks } from './open-subscriptions.js';
import { RefusedOperations } from './refused-operations.js';
import { refuseUpgrade } from '../refuse-upgrade.js';
import type { TransportDeps } from '../transport-deps.interface.js';

/** The `info` that GraphQL passes to a resolver. */
interface ResolverInfo {
  operation?: { operation: Operation['kind'] };
  path?: { prev?: unknown };
}

/** GraphQL by `@nestjs/graphql` with Apollo: operations over HTTP, subscriptions over graphql-ws. */
export class GraphqlTransport implements TransportAdapter {
  readonly type = 'graphql';
  readonly #requests: GraphqlRequests;
  readonly #responses: GraphqlResponses;
  readonly #refusedOperations: RefusedOperations;
  readonly #openSubscriptions = new OpenSubscriptions();
  #unsubscribe: () => void = () => undefined;

  private constructor(
    private readonly deps: TransportDeps,
    private readonly graphql: GraphqlLibrary,
  ) {
    this.#requests = new GraphqlRequests(deps.httpIntegration);
    this.#responses = new GraphqlResponses(deps.httpIntegration, deps.statusCode);
    this.#refusedOperations = new RefusedOperations(deps, this.#requests, this.#responses);
  }

  static async create(deps: TransportDeps): Promise<GraphqlTransport> {
    return new GraphqlTransport(deps, await import('graphql'));
  }

  toPolicyInput(context: ExecutionContext, rules: HandlerRules): PolicyInput | null {
    const info = context.getArgByIndex<ResolverInfo | undefined>(getInfoIndex(context));
    // A field below a root field was decided with the root field.
    if (info?.path?.prev !== undefined && rules.override !== 'refuse') return null;
    const access = info?.operation && getOperationAccess(info.operation.operation);
    return { rules, request: this.#requests.find(getGraphqlContext(context)), context, access };
  }

  createError(refusal: Refusal, context: ExecutionContext): RefusedOperationError {
    const graphqlContext = getGraphqlContext(context);
    this.#responses.markRefused(graphqlContext, refusal);
    const info = context.getArgByIndex<ResolverInfo | undefined>(getInfoIndex(context));
    this.#refusedOperations.publishOnce(refusal, graphqlContext, info?.operation);
    return new RefusedOperationError(refusal);
  }

  onExempt(context: ExecutionContext): void {
    this.#responses.markExempt(getGraphqlContext(context));
  }

  // Apollo starts later, when the modules are initialized.
  configure(): void {
    for (const { host, instance: options } of findProviders(this.deps.discovery, GRAPHQL_MODULE_OPTIONS)) {
      const driver = (host!.instance as GraphqlModuleInternals<GraphqlDriver>).graphQlAdapter;
      if (driver && isApollo(driver)) this.#attachToDriver(driver);
      else this.#warnAbout(driver, options as OtherDriverOptions | undefined);
    }
    const changes = this.deps.changes.subscribe(() => this.#openSubscriptions.closeRefused());
    this.#unsubscribe = () => changes.unsubscribe();
  }

  close(): void {
    this.#unsubscribe();
  }

  #attachToDriver(driver: GraphqlDriver): void {
    const start = driver.start.bind(driver);
    driver.start = async (options) => {
      const given = 'server' in options ? options.server : options;
      const server = new GraphqlServer(
        this.deps,
        this.graphql,
        this.#requests,
        this.#responses,
        this.#refusedOperations,
        given,
      );
      const guarded = this.#guardDriver(driver, given, server);
      const { endpoints, hasGlobalGuard, statusCode } = this.deps;
      const route = hasGlobalGuard ? server.admission.allRules : 'unclear';
      endpoints.add(createGraphqlEndpoint(given.path, route, statusCode));
      await start('server' in options ? { ...options, server: guarded } : guarded);
      this.#responses.trackExecutions(driver.instance);
      const sockets = driver._subscriptionService;
      for (const upgrading of [sockets?.wss, sockets?.subTransWs])
        if (upgrading) this.#refuseUpgrades(upgrading, server);
      if (sockets?.subServer) this.#openSubscriptions.attachToLegacyServer(sockets.subServer, server);
    };
  }

  #guardDriver(driver: GraphqlDriver, options: DriverOptions, server: GraphqlServer): DriverOptions {
    const { plugins = [], context = () => ({}) } = options;
    return {
      ...options,
      context: createGuardedContext(server, context),
      plugins: server.canDecideEarly ? [createMaintenancePlugin(server), ...plugins] : plugins,
      ...(installsGraphqlWs(driver, options) && { subscriptions: this.#guardSubscriptions(options, server) }),
    };
  }

  #guardSubscriptions({ subscriptions }: DriverOptions, server: GraphqlServer): DriverOptions['subscriptions'] {
    const given = subscriptions?.[GRAPHQL_WS];
    const own = typeof given === 'object' ? (given as SubscriptionHooks) : {};
    // graphql-ws and the driver choose the function in the same order.
    const execute =
      own.execute ??
      (subscriptions?.execute as ExecuteOperation | undefined) ??
      (this.graphql.execute as ExecuteOperation);
    const counting = { ...own, execute: trackOperations(execute, server) };
    const hooks = this.deps.hasGlobalGuard ? this.#openSubscriptions.createHooks(server, counting) : counting;
    return { ...subscriptions, [GRAPHQL_WS]: hooks };
  }

  #warnAbout(driver: object | undefined, options: OtherDriverOptions = {}): void {
    const name = `driver "${driver?.constructor.name}"`;
    new MaintenanceLogger().warn(
      `The GraphQL ${name} is not known: resolvers are guarded, but the answers are not those of GraphQL.`,
    );
    // Over HTTP, their requests count.
    if (executesOverWebSockets(options))
      this.deps.inFlight.addUncounted(`GraphQL operations over WebSockets, as the ${name} is not known`);
  }

  #refuseUpgrades(upgrading: UpgradingServer, { admission, canDecideEarly, path }: GraphqlServer): void {
    const { httpIntegration, statusCode, upgrades } = this.deps;
    upgrades.delegate((request) => upgrading.shouldHandle(request));
    if (!canDecideEarly) return;
    const handleUpgrade = upgrading.handleUpgrade.bind(upgrading);
    upgrading.handleUpgrade = (request, socket, head, done) => {
      const isRefusable = !admission.isIdle && upgrading.shouldHandle(request);
      const refusal = isRefusable ? admission.decideEarly(httpIntegration.toPolicyRequest(request)) : null;
      if (!refusal) return handleUpgrade(request, socket, head, done);
      this.#refusedOperations.publishHandshake(refusal, path);
      const headers = { 'Content-Type': 'application/json; charset=utf-8' };
      refuseUpgrade(socket, { status: statusCode, headers, body: createErrorBody(refusal) }, refusal);
    };
  }
}

// A resolver gets context and info last: after parent and arguments, or after a reference of federation.
function getInfoIndex(context: ExecutionContext): number {
  return context.getArgs<unknown[]>().length > 3 ? 3 : 2;
}

function getGraphqlContext(context: ExecutionContext): unknown {
  return context.getArgByIndex<unknown>(getInfoIndex(context) - 1);
}
