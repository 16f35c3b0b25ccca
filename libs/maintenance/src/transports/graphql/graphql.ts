import type { ExecutionContext } from '@nestjs/common';
import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Visit } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import type { Transport } from '../../policy/transport.js';
import { accessOf } from './admission.js';
import {
  executesOverWebSockets,
  GRAPHQL_WS,
  installsGraphqlWs,
  isApollo,
  type DriverOptions,
  type GraphqlDriver,
  type OtherDriverOptions,
  type Run,
  type UpgradingServer,
} from './driver.js';
import { RefusedOperation } from './errors.js';
import { bodyOf, graphqlEndpoint, GraphqlResponses } from './http-answers.js';
import type { Operation } from './operation.js';
import { guardedContext, maintenancePlugin } from './apollo-plugin.js';
import { GraphqlRequests } from './request.js';
import { GraphqlServer, type GraphqlLibrary } from './server.js';
import { countOperations } from './socket-operations.js';
import { OpenSubscriptions, type SubscriptionHooks } from './subscriptions.js';
import { refuseUpgrade } from '../refuse-upgrade.js';
import type { TransportParts } from '../transport-parts.js';

// The name that @nestjs/graphql gives to its options' provider. Importing it would load the package.
const GRAPHQL_OPTIONS = 'GqlModuleOptions';

/** What GraphQL tells a resolver about its field. */
interface Info {
  operation?: { operation: Operation['kind'] };
  path?: { prev?: unknown };
}

/** GraphQL by @nestjs/graphql with Apollo: operations over HTTP, subscriptions over graphql-ws. */
export class GraphqlTransport implements Transport {
  readonly type = 'graphql';
  readonly #requests: GraphqlRequests;
  readonly #responses: GraphqlResponses;
  readonly #subscriptions = new OpenSubscriptions();
  #unsubscribe: () => void = () => undefined;

  private constructor(
    private readonly parts: TransportParts,
    private readonly graphql: GraphqlLibrary,
  ) {
    this.#requests = new GraphqlRequests(parts.mount);
    this.#responses = new GraphqlResponses(parts.mount, parts.statusCode);
  }

  static async create(parts: TransportParts): Promise<GraphqlTransport> {
    return new GraphqlTransport(parts, await import('graphql'));
  }

  visitOf(context: ExecutionContext, rules: HandlerRules): Visit | null {
    const info = context.getArgByIndex<Info | undefined>(infoAt(context));
    // What stands below a root field was decided with that.
    if (info?.path?.prev !== undefined && rules.verdict !== 'refuse') return null;
    const access = info?.operation && accessOf(info.operation.operation);
    return { rules, request: this.#requests.find(contextOf(context)), context, access };
  }

  errorFor(refusal: Refusal, context: ExecutionContext): RefusedOperation {
    this.#responses.refuse(contextOf(context), refusal);
    return new RefusedOperation(refusal);
  }

  exempted(context: ExecutionContext): void {
    this.#responses.exempt(contextOf(context));
  }

  // Apollo starts when the modules are initialized, which comes later.
  beforeRoutes(): void {
    for (const module of this.parts.modules.values()) {
      if (!module.providers.has(GRAPHQL_OPTIONS)) continue;
      const driver = (module.instance as { graphQlAdapter?: GraphqlDriver }).graphQlAdapter;
      if (driver && isApollo(driver)) this.#attachTo(driver);
      else this.#warnAbout(driver, module.providers.get(GRAPHQL_OPTIONS)?.instance as OtherDriverOptions | undefined);
    }
    const changes = this.parts.changes.subscribe(() => this.#subscriptions.review());
    this.#unsubscribe = () => changes.unsubscribe();
  }

  close(): void {
    this.#unsubscribe();
  }

  #attachTo(driver: GraphqlDriver): void {
    const start = driver.start.bind(driver);
    driver.start = async (options) => {
      const given = 'server' in options ? options.server : options;
      const server = new GraphqlServer(this.parts, this.graphql, this.#requests, this.#responses, given);
      const guarded = this.#guard(driver, given, server);
      const { endpoints, hasGuard, statusCode } = this.parts;
      endpoints.add(given.path, graphqlEndpoint(hasGuard ? server.admission.allRules : 'unclear', statusCode));
      await start('server' in options ? { ...options, server: guarded } : guarded);
      this.#responses.follow(driver.instance);
      const sockets = driver._subscriptionService;
      for (const upgrading of [sockets?.wss, sockets?.subTransWs])
        if (upgrading) this.#refuseUpgrades(upgrading, server);
      if (sockets?.subServer) this.#subscriptions.attachTo(sockets.subServer, server);
    };
  }

  #guard(driver: GraphqlDriver, options: DriverOptions, server: GraphqlServer): DriverOptions {
    const { plugins = [], context = () => ({}) } = options;
    return {
      ...options,
      context: guardedContext(server, context),
      plugins: server.decidesEarly ? [maintenancePlugin(server), ...plugins] : plugins,
      ...(installsGraphqlWs(driver, options) && { subscriptions: this.#guardSubscriptions(options, server) }),
    };
  }

  #guardSubscriptions({ subscriptions }: DriverOptions, server: GraphqlServer): DriverOptions['subscriptions'] {
    const given = subscriptions?.[GRAPHQL_WS];
    const own = typeof given === 'object' ? (given as SubscriptionHooks) : {};
    // As graphql-ws and the driver choose it.
    const execute = own.execute ?? (subscriptions?.execute as Run | undefined) ?? (this.graphql.execute as Run);
    const counting = { ...own, execute: countOperations(execute, server) };
    const hooks = this.parts.hasGuard ? this.#subscriptions.hooksFor(server, counting) : counting;
    return { ...subscriptions, [GRAPHQL_WS]: hooks };
  }

  #warnAbout(driver: object | undefined, options: OtherDriverOptions = {}): void {
    const name = `driver "${driver?.constructor.name}"`;
    new MaintenanceLogger().warn(
      `The GraphQL ${name} is not known: resolvers are guarded, but the answers are not those of GraphQL.`,
    );
    // Over HTTP, their requests count.
    if (executesOverWebSockets(options))
      this.parts.inFlight.cannotCount(`GraphQL operations over WebSockets, as the ${name} is not known`);
  }

  #refuseUpgrades(upgrading: UpgradingServer, { admission, decidesEarly }: GraphqlServer): void {
    const { mount, statusCode, upgrades } = this.parts;
    upgrades.leave((request) => upgrading.shouldHandle(request));
    if (!decidesEarly) return;
    const handleUpgrade = upgrading.handleUpgrade.bind(upgrading);
    upgrading.handleUpgrade = (request, socket, head, done) => {
      const isMine = !admission.isIdle && upgrading.shouldHandle(request);
      const refusal = isMine ? admission.foresee(mount.requestOf(request)) : null;
      if (!refusal) return handleUpgrade(request, socket, head, done);
      const headers = { 'Content-Type': 'application/json; charset=utf-8' };
      refuseUpgrade(socket, { status: statusCode, headers, body: bodyOf(refusal) }, refusal.retryAfter);
    };
  }
}

// The last two arguments of a resolver: after its parent and the field's arguments, or after a reference of federation.
function infoAt(context: ExecutionContext): number {
  return context.getArgs<unknown[]>().length > 3 ? 3 : 2;
}

function contextOf(context: ExecutionContext): unknown {
  return context.getArgByIndex<unknown>(infoAt(context) - 1);
}
