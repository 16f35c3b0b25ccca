import type { CanActivate, ExecutionContext, ModuleMetadata, Type } from '@nestjs/common';
import type { Refusal } from '../policy/refusal.js';
import type { StorageFailurePolicy } from '../core/state-monitor.js';
import type { StateStorage } from '../storage/state-storage.js';

/** What answers a refused request. */
export type ResponseFormat = 'html' | 'json';

/** Who stays admitted while a window is active. */
export interface ExemptOptions {
  /**
   * Paths in Nest's route syntax (`/docs/{*rest}`), or regular expressions. Either has to match the whole path, without the
   * query and with the global prefix. One trailing slash is ignored; case counts.
   *
   * @defaultValue `[]`; environment: `MAINTENANCE_EXEMPT_URLS`, separated by commas, an expression as `/.../flags`
   */
  urls?: (string | RegExp)[];
  /**
   * Addresses and CIDR blocks of clients, IPv4 and IPv6. The client's address is what the adapter's trust-proxy setting says.
   *
   * @defaultValue `[]`; environment: `MAINTENANCE_EXEMPT_IPS`, separated by commas
   */
  ips?: string[];
  /**
   * Roles (`user.roles`, `user.role`) of users who stay admitted.
   *
   * @defaultValue `[]`; environment: `MAINTENANCE_EXEMPT_ROLES`, separated by commas
   */
  roles?: string[];
  /**
   * Finds out who is asking. May be asynchronous; where it throws, the request is refused.
   *
   * @defaultValue `(request) => request.user`
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Express's request or Fastify's, as the application declares it
  user?: (request: any) => unknown;
  /** A condition of the application's own. Where it throws, the request is refused. */
  when?: (context: ExecutionContext) => boolean | Promise<boolean>;
  /**
   * Admits GET and HEAD of `/health`, `/healthz`, `/livez`, `/readyz` and `/robots.txt`, with and without the global prefix.
   *
   * @defaultValue `true`; environment: `MAINTENANCE_EXEMPT_PROBES`
   */
  probes?: boolean;
  /**
   * Refuses nothing where `NODE_ENV` is `test`.
   *
   * @defaultValue `false`; environment: `MAINTENANCE_EXEMPT_TESTS`
   */
  tests?: boolean;
}

/** What a refused request is answered. */
export interface ResponseOptions {
  /**
   * The status: 2xx, 4xx or 5xx with a body.
   *
   * @defaultValue 503 (RFC 9110, section 15.6.4); environment: `MAINTENANCE_STATUS_CODE`
   */
  statusCode?: number;
  /**
   * Seconds for `Retry-After` where the window has no end; 0 sends no header.
   *
   * @defaultValue 3600; environment: `MAINTENANCE_RETRY_AFTER`
   */
  retryAfter?: number;
  /**
   * Page or JSON: by the `Accept` header, always the one, or as a function says.
   *
   * @defaultValue `'auto'`; environment: `MAINTENANCE_RESPONSE_TYPE`
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Express's request or Fastify's, as the application declares it
  type?: 'auto' | ResponseFormat | ((request: any) => ResponseFormat);
  /** Path of a Handlebars template instead of the built-in page. Environment: `MAINTENANCE_TEMPLATE`. */
  template?: string;
  /** Returns a plain object, whose members are added to the template's context and to the JSON body; it replaces none of ours. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Express's request or Fastify's, as the application declares it
  context?: (request: any) => object | Promise<object>;
  /**
   * Sends those who would get the page somewhere else (302). A path is itself admitted; on the host of an absolute URL the page
   * is shown. Environment: `MAINTENANCE_REDIRECT_URL`.
   */
  redirectUrl?: string;
}

/** How the state is kept in the application's cache. */
export interface CacheOptions {
  /**
   * The key of the entry.
   *
   * @defaultValue `'maintenance_mode_state'`; environment: `MAINTENANCE_CACHE_KEY`
   */
  key?: string;
  /**
   * How long an entry counts, in milliseconds; 0 = for ever. Other instances may be behind by this and `refreshInterval`.
   *
   * @defaultValue 60000; environment: `MAINTENANCE_CACHE_TTL`
   */
  ttl?: number;
}

/**
 * Decides by itself what happens to an event that is refused. The handler does not run. Where the function returns, the event counts
 * as dealt with: nothing else is acknowledged or kept. What it throws is thrown at the transport.
 */
export type RefusedEventHandler = (context: ExecutionContext, refusal: Refusal) => unknown;

/** What maintenance means for microservices. */
export interface MicroservicesOptions {
  /**
   * What happens to events (`@EventPattern()`) that are refused. `'redeliver'`: RabbitMQ (with `noAck: false`) and Kafka deliver them
   * again when the window is over; other transports can't, and lose them. `'drop'`: they are acknowledged and gone.
   *
   * @defaultValue `'redeliver'`; environment: `MAINTENANCE_MICROSERVICES_EVENTS`
   */
  events?: 'redeliver' | 'drop' | RefusedEventHandler;
}

/** What maintenance means for work that nobody calls. */
export interface BackgroundOptions {
  /**
   * While a full window covers them, scheduled methods (`@nestjs/schedule`) skip their runs and the workers of processors
   * (`@nestjs/bullmq`) take no jobs, and a window waits for what is running when it opens. `@MaintenanceScope()` and
   * `@RunInMaintenance()` say what is meant.
   *
   * @defaultValue `false`; environment: `MAINTENANCE_BACKGROUND_PAUSE`
   */
  pause?: boolean;
}

/** How whoever has a bypass is known again. */
export interface BypassOptions {
  /**
   * The name of the cookie. Browsers keep one with the prefix `__Host-` over HTTPS only; for plain HTTP in development take a name without
   * it.
   *
   * @defaultValue `'__Host-maintenance-bypass'`; environment: `MAINTENANCE_BYPASS_COOKIE_NAME`
   */
  cookieName?: string;
}

/** How planned windows are announced. */
export interface AnnounceOptions {
  /**
   * Milliseconds before the start of a planned window, from when answers carry `Maintenance-Announcement` and views see
   * `maintenanceAnnouncement`.
   *
   * @defaultValue nothing is announced; environment: `MAINTENANCE_ANNOUNCE_BEFORE`
   */
  before?: number;
}

/**
 * The options of the module. An option that is given wins over its environment variable; an empty variable counts as unset.
 *
 * @example
 * ```ts
 * MaintenanceModule.forRoot({ exempt: { ips: ['10.0.0.0/8'] }, response: { retryAfter: 600 } })
 * ```
 */
export interface MaintenanceModuleOptions {
  /**
   * A storage, or the URL of one, such as `file:/var/lib/app/maintenance.json`.
   *
   * @defaultValue the file `maintenance-state.json` beside the nearest `package.json` above the working directory (none: in the
   *   working directory); environment: `MAINTENANCE_STORAGE`
   */
  storage?: string | StateStorage;
  /**
   * Names the application that this instance belongs to, in its reports, in `instances` and in the log. Applications that share a storage
   * are turned on and off together: give each its own.
   *
   * @defaultValue `name` of the program's package.json, else the file that was started; environment: `MAINTENANCE_APPLICATION`
   */
  application?: string;
  /**
   * Keeps a copy of the state in the cache of the application's `CacheModule` (`@nestjs/cache-manager`), so that the storage is
   * read on a miss only. A cache in the memory of this process, on a storage that others write, warns at boot; with `ttl` 0 it
   * refuses to boot.
   *
   * @defaultValue `false`; environment: `MAINTENANCE_CACHE`
   */
  cache?: boolean | CacheOptions;
  /** `true` or `false` forces the answer over what is stored; on and off are then refused. Environment: `MAINTENANCE_MODE`. */
  enabled?: boolean;
  /**
   * How often a storage that can't notify is read, in milliseconds; the safety net for those that can.
   *
   * @defaultValue 5000; environment: `MAINTENANCE_REFRESH_INTERVAL`
   */
  refreshInterval?: number;
  /**
   * What decides while the storage fails: the last state known (none yet: off), always on, always off.
   *
   * @defaultValue `'last-known'`; environment: `MAINTENANCE_ON_STORAGE_FAILURE`
   */
  onStorageFailure?: StorageFailurePolicy;
  /** Bearer token of the admin endpoints, at least 16 characters. Environment: `MAINTENANCE_ADMIN_TOKEN`. */
  adminToken?: string;
  exempt?: ExemptOptions;
  response?: ResponseOptions;
  microservices?: MicroservicesOptions;
  background?: BackgroundOptions;
  /**
   * More scopes of a call than its decorators name: a tenant, a region. Asked while a window with a scope is active; where it throws,
   * the call is refused.
   *
   * @example
   * ```ts
   * scopesOf: (context) => [`tenant:${context.switchToHttp().getRequest().headers['x-tenant']}`]
   * ```
   */
  scopesOf?: (context: ExecutionContext) => string[];
  announce?: AnnounceOptions;
  bypass?: BypassOptions;
}

/** The endpoints that turn maintenance on and off over HTTP. */
export interface AdminOptions {
  /** Path of the endpoints, below the global prefix. @defaultValue `'maintenance-mode'` */
  path?: string;
  /** Modules whose providers the guards need. */
  imports?: ModuleMetadata['imports'];
  /** Guards of the endpoints; with `adminToken` as well, both must pass. */
  guards?: Type<CanActivate>[];
  /** Decorators of the controller, such as `ApiExcludeController()`. */
  decorators?: ClassDecorator[];
}

/** What the module adds to the application: known before any factory runs. */
export interface MaintenanceModuleExtras {
  /** Whether `MaintenanceService` can be injected everywhere. @defaultValue `true` */
  isGlobal?: boolean;
  /** The admin endpoints. They refuse to boot without `guards` or `adminToken`. @defaultValue `false` */
  admin?: boolean | AdminOptions;
  /** Parts that the application mounts by itself. */
  mount?: {
    /** Refuses unknown URLs, static files and requests whose body was not read yet. @defaultValue `true` */
    edge?: boolean;
    /** Registers {@link MaintenanceGuard} for every handler. @defaultValue `true` */
    guard?: boolean;
  };
}

/** A class that makes the options, for `useClass` and `useExisting`. */
export interface MaintenanceOptionsFactory {
  createMaintenanceOptions(): MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
}

/** The argument of `MaintenanceModule.forRootAsync()`. */
export interface MaintenanceModuleAsyncOptions extends MaintenanceModuleExtras, Pick<ModuleMetadata, 'imports'> {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in Nest's own FactoryProvider
  inject?: any[];
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in Nest's own FactoryProvider
  useFactory?: (...dependencies: any[]) => MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
  useClass?: Type<MaintenanceOptionsFactory>;
  useExisting?: Type<MaintenanceOptionsFactory>;
}
