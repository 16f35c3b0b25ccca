import type { CanActivate, ExecutionContext, ModuleMetadata, Type } from '@nestjs/common';
import type { PageContext } from '../page/page-context.js';
import type { PageTexts } from '../page/page-texts.js';
import type { Refusal } from '../policy/refusal.js';
import type { StorageFailurePolicy } from '../core/state-monitor.js';
import type { CacheOptions } from '../storage/cache/state-cache.js';
import type { StateStorage } from '../storage/state-storage.js';

export type { CacheOptions };

/** The format of the response to a refused request. */
export type ResponseFormat = 'html' | 'json';

/** The exemptions: calls that are admitted during maintenance. */
export interface ExemptOptions {
  /**
   * Paths in Nest's route syntax (`/docs/{*rest}`), or RegExps. Either must match the whole path, with the global
   * prefix and without the query. One trailing slash is ignored; paths are case-sensitive.
   *
   * Environment variable: `MAINTENANCE_EXEMPT_URLS`, separated by commas, RegExps as `/.../flags`
   *
   * @defaultValue `[]`
   */
  urls?: (string | RegExp)[];
  /**
   * Addresses and CIDR blocks of clients, IPv4 and IPv6. The trust-proxy setting of the adapter determines the address
   * of a client.
   *
   * Environment variable: `MAINTENANCE_EXEMPT_IPS`, separated by commas
   *
   * @defaultValue `[]`
   */
  ips?: string[];
  /**
   * Roles of users, compared with `user.roles` and `user.role`.
   *
   * Environment variable: `MAINTENANCE_EXEMPT_ROLES`, separated by commas
   *
   * @defaultValue `[]`
   */
  roles?: string[];
  /**
   * Returns the user of a request; may be asynchronous. If it throws, the request is refused.
   *
   * @defaultValue `(request) => request.user`
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the application declares Express's or Fastify's
  user?: (request: any) => unknown;
  /** Whether a call is exempt; may be asynchronous. If it throws, the call is refused. */
  when?: (context: ExecutionContext) => boolean | Promise<boolean>;
  /**
   * Whether to admit GET and HEAD of `/health`, `/healthz`, `/livez`, `/readyz` and `/robots.txt`, with and without the
   * global prefix.
   *
   * Environment variable: `MAINTENANCE_EXEMPT_PROBES`
   *
   * @defaultValue `true`
   */
  probes?: boolean;
  /**
   * Whether to admit every call if `NODE_ENV` is `test`.
   *
   * Environment variable: `MAINTENANCE_EXEMPT_TESTS`
   *
   * @defaultValue `false`
   */
  tests?: boolean;
}

/** The built-in maintenance page. */
export interface PageOptions {
  /**
   * The name of the product, in the title and at the top of the page.
   *
   * Environment variable: `MAINTENANCE_PAGE_NAME`
   */
  name?: string;
  /**
   * The logo at the top of the page: a data URL, or the path of an image (AVIF, GIF, JPEG, PNG, SVG or WebP) of at
   * most 64 KiB, which becomes part of the page.
   */
  logo?: string;
  /**
   * The color of the button and of marks: `#rgb`, `#rrggbb`, `rgb()` or `hsl()`. Text on it is black or white,
   * whichever has more contrast.
   */
  accent?: string;
  /**
   * A link for help: an `https:`, `mailto:` or `tel:` URL, or a path that is exempt.
   *
   * Environment variable: `MAINTENANCE_PAGE_SUPPORT_URL`
   */
  supportUrl?: string;
  /**
   * A link to a status page: an `https:` URL, or a path that is exempt.
   *
   * Environment variable: `MAINTENANCE_PAGE_STATUS_URL`
   */
  statusUrl?: string;
  /**
   * Texts by language (BCP 47), such as `{ de: { title: 'Gleich zurück' } }`: they add languages to the built-in ones,
   * or override single texts. The first is the language of readers who know none of the others.
   */
  languages?: Record<string, Partial<PageTexts>>;
}

/** The response to a refused request. */
export interface ResponseOptions {
  /**
   * The status: 2xx, 4xx or 5xx with a body. The default is that of RFC 9110, section 15.6.4.
   *
   * Environment variable: `MAINTENANCE_STATUS_CODE`
   *
   * @defaultValue `503`
   */
  statusCode?: number;
  /**
   * Seconds for `Retry-After` if the window has no end; `0` sends no header.
   *
   * Environment variable: `MAINTENANCE_RETRY_AFTER`
   *
   * @defaultValue `3600`
   */
  retryAfter?: number;
  /**
   * The format: `auto` (by the `Accept` header), `html`, `json`, or a function of the request that returns `html` or
   * `json`.
   *
   * Environment variable: `MAINTENANCE_RESPONSE_TYPE`
   *
   * @defaultValue `'auto'`
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the application declares Express's or Fastify's
  type?: 'auto' | ResponseFormat | ((request: any) => ResponseFormat);
  /**
   * The path of a Handlebars template that replaces the built-in page.
   *
   * Environment variable: `MAINTENANCE_TEMPLATE`
   */
  template?: string;
  /**
   * Returns members to add to the context of the template and to the JSON body; may be asynchronous. They never replace
   * a built-in member.
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the application declares Express's or Fastify's
  context?: (request: any) => object | Promise<object>;
  /**
   * The built-in page: name, logo, color, links and languages. Templates and `render` get the same in their context.
   * The page is in the language that `Accept-Language` prefers.
   */
  page?: PageOptions;
  /**
   * Renders the page, such as by the view engine of the application; may be asynchronous. If it throws or takes more
   * than 2 seconds, the built-in page is sent.
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the application declares Express's or Fastify's
  render?: (context: PageContext, request: any) => string | Promise<string>;
  /**
   * The path or absolute URL to redirect to (302) instead of the page. A path is exempt itself. On the host of an
   * absolute URL, the page is served instead of a loop.
   *
   * Environment variable: `MAINTENANCE_REDIRECT_URL`
   */
  redirectUrl?: string;
}

/**
 * Handles an event that is refused, instead of its handler. If it returns, the event counts as handled: it is neither
 * acknowledged nor kept. An error that it throws reaches the transport.
 */
export type RefusedEventHandler = (context: ExecutionContext, refusal: Refusal) => unknown;

/** The behavior of microservices during maintenance. */
export interface MicroservicesOptions {
  /**
   * The handling of refused events (`@EventPattern()`): `redeliver`, `drop` or a function. With `redeliver`, RabbitMQ
   * (with `noAck: false`) and Kafka deliver them again after the window; other transports lose them. With `drop`, they
   * are acknowledged and lost.
   *
   * Environment variable: `MAINTENANCE_MICROSERVICES_EVENTS`
   *
   * @defaultValue `'redeliver'`
   */
  events?: 'redeliver' | 'drop' | RefusedEventHandler;
}

/** The behavior of background jobs during maintenance. */
export interface BackgroundOptions {
  /**
   * Whether to pause cron jobs and queue workers while a full window covers them. Scheduled methods
   * (`@nestjs/schedule`) skip their runs, workers (`@nestjs/bullmq`) take no jobs, and a drain waits for those that are
   * running. See
   * `@MaintenanceScope()` and `@RunInMaintenance()` for single jobs.
   *
   * Environment variable: `MAINTENANCE_BACKGROUND_PAUSE`
   *
   * @defaultValue `false`
   */
  pause?: boolean;
}

/** The bypass cookie. */
export interface BypassOptions {
  /**
   * The name of the bypass cookie. Browsers keep a cookie with the prefix `__Host-` over HTTPS only: choose a name
   * without it for plain HTTP in development.
   *
   * Environment variable: `MAINTENANCE_BYPASS_COOKIE_NAME`
   *
   * @defaultValue `'__Host-maintenance-bypass'`
   */
  cookieName?: string;
}

/** The announcement of planned windows. */
export interface AnnounceOptions {
  /**
   * Milliseconds before a planned window from which responses and views announce it. Responses carry the header
   * `Maintenance-Announcement`, views see `maintenanceAnnouncement`.
   *
   * Environment variable: `MAINTENANCE_ANNOUNCE_BEFORE`
   */
  before?: number;
}

/**
 * The options of the module. An option in code overrides its environment variable; an empty variable counts as unset.
 *
 * @example
 * ```ts
 * MaintenanceModule.forRoot({ exempt: { ips: ['10.0.0.0/8'] }, response: { retryAfter: 600 } })
 * ```
 */
export interface MaintenanceModuleOptions {
  /**
   * A `StateStorage`, or the URL of a storage, such as `file:/var/lib/app/maintenance.json`. By default the file
   * `maintenance-state.json` beside the nearest `package.json` above the working directory; without a
   * `package.json`, in the working directory. `module:./my-storage.js` loads a storage of your own.
   *
   * Environment variable: `MAINTENANCE_STORAGE`
   */
  storage?: string | StateStorage;
  /**
   * The name of the application in reports, in `instances` and in the log. By default `name` of the program's
   * `package.json`, else the file that was started. Applications that share a storage are turned on and off together:
   * give each a storage of its own.
   *
   * Environment variable: `MAINTENANCE_APPLICATION`
   */
  application?: string;
  /**
   * Whether to cache the state in the application's `CacheModule` (`@nestjs/cache-manager`); an object sets `key` and
   * `ttl` too. A cache in the memory of this process, on a storage that others write, logs a warning at startup; with
   * `ttl` 0 the application does not start.
   *
   * Environment variable: `MAINTENANCE_CACHE`
   *
   * @defaultValue `false`
   */
  cache?: boolean | CacheOptions;
  /**
   * Forces maintenance on (`true`) or off (`false`), whatever the stored state. `enable()` and `disable()` are then
   * refused.
   *
   * Environment variable: `MAINTENANCE_MODE`
   */
  enabled?: boolean;
  /**
   * Milliseconds between two reads of the storage, in addition to its change notifications.
   *
   * Environment variable: `MAINTENANCE_REFRESH_INTERVAL`
   *
   * @defaultValue `5000`
   */
  refreshInterval?: number;
  /**
   * The state to use while the storage fails: `last-known` (off if no state is known), `on` or `off`.
   *
   * Environment variable: `MAINTENANCE_ON_STORAGE_FAILURE`
   *
   * @defaultValue `'last-known'`
   */
  onStorageFailure?: StorageFailurePolicy;
  /**
   * The bearer token of the admin endpoints, at least 16 characters.
   *
   * Environment variable: `MAINTENANCE_ADMIN_TOKEN`
   */
  adminToken?: string;
  /**
   * A second token of the admin endpoints, at least 16 characters, for those who may only look: it reads status,
   * instances and the panel, and changes nothing. It needs `adminToken` too.
   *
   * Environment variable: `MAINTENANCE_VIEWER_TOKEN`
   */
  viewerToken?: string;
  /** The exemptions. */
  exempt?: ExemptOptions;
  /** The response to a refused request. */
  response?: ResponseOptions;
  /** The behavior of microservices. */
  microservices?: MicroservicesOptions;
  /** The behavior of background jobs. */
  background?: BackgroundOptions;
  /**
   * Returns additional scopes of a call, such as its tenant or region. Called while a window with a scope is active; if
   * it throws, the call is refused.
   *
   * @example
   * ```ts
   * scopesOf: (context) => [`tenant:${context.switchToHttp().getRequest().headers['x-tenant']}`]
   * ```
   */
  scopesOf?: (context: ExecutionContext) => string[];
  /** The announcement of planned windows. */
  announce?: AnnounceOptions;
  /** The bypass cookie. */
  bypass?: BypassOptions;
}

/** The HTTP endpoints that turn maintenance on and off. */
export interface AdminOptions {
  /**
   * The path of the endpoints, below the global prefix.
   *
   * @defaultValue `'maintenance-mode'`
   */
  path?: string;
  /** The modules that provide the dependencies of the guards. */
  imports?: ModuleMetadata['imports'];
  /** The guards of the endpoints. If `adminToken` is set too, both must pass. */
  guards?: Type<CanActivate>[];
  /** Decorators of the controller, such as `ApiBearerAuth()`. */
  decorators?: ClassDecorator[];
  /**
   * Whether to serve the panel at `{path}/panel`: a page on which operators turn maintenance on and off in a browser.
   *
   * @defaultValue `false`
   */
  panel?: boolean;
  /**
   * Whether the endpoints appear in the OpenAPI document of the application, fully described. Needs `@nestjs/swagger`.
   *
   * @defaultValue `false`
   */
  openapi?: boolean;
  /**
   * The origins, such as `https://ops.example.com`, whose pages may change the state besides those of the application's
   * own origin. Needed where a proxy changes the host, so that the application does not know its own origin.
   *
   * @defaultValue `[]`
   */
  trustedOrigins?: string[];
}

/** The options of the public status. */
export interface PublicStatusOptions {
  /**
   * The path, below the global prefix.
   *
   * @defaultValue `'maintenance-status'`
   */
  path?: string;
}

/** The options that define the structure of the application. An async factory can't provide them. */
export interface MaintenanceModuleExtras {
  /**
   * Whether `MaintenanceService` can be injected in every module.
   *
   * @defaultValue `true`
   */
  isGlobal?: boolean;
  /**
   * Whether to register the admin endpoints. Without `guards` or `adminToken` the application does not start.
   *
   * @defaultValue `false`
   */
  admin?: boolean | AdminOptions;
  /** The checks that the module adds to the application; turn one off to add it yourself. */
  mount?: {
    /**
     * Whether to refuse unknown URLs, static files and requests before their body is read.
     *
     * @defaultValue `true`
     */
    edge?: boolean;
    /**
     * Whether to guard every handler with {@link MaintenanceGuard}.
     *
     * @defaultValue `true`
     */
    guard?: boolean;
  };
  /**
   * Whether to serve the public status, for browser applications and status pages: `GET /maintenance-status`, and
   * `GET /maintenance-status/events` as a stream. No window refuses it, and no guard of the application sees it.
   *
   * @defaultValue `false`
   */
  publicStatus?: boolean | PublicStatusOptions;
}

/** A class that creates the options, for `useClass` and `useExisting`. */
export interface MaintenanceOptionsFactory {
  /** Returns the options; may be asynchronous. */
  createMaintenanceOptions(): MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
}

/** The options of `MaintenanceModule.forRootAsync()`: one of `useFactory`, `useClass` and `useExisting`. */
export interface MaintenanceModuleAsyncOptions extends MaintenanceModuleExtras, Pick<ModuleMetadata, 'imports'> {
  /** The providers to pass to `useFactory`. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in Nest's own FactoryProvider
  inject?: any[];
  /** Returns the options; may be asynchronous. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in Nest's own FactoryProvider
  useFactory?: (...dependencies: any[]) => MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
  /** A class that creates the options. The module instantiates it. */
  useClass?: Type<MaintenanceOptionsFactory>;
  /** A provider that creates the options. One of `imports` exports it. */
  useExisting?: Type<MaintenanceOptionsFactory>;
}
