import type {
  AdminOptions,
  AnnounceOptions,
  BackgroundOptions,
  BypassOptions,
  CacheOptions,
  ExemptOptions,
  MaintenanceModuleExtras,
  MaintenanceModuleOptions,
  MicroservicesOptions,
  PageOptions,
  PublicStatusOptions,
  ResponseOptions,
} from './maintenance-options.js';
import * as types from './option-types.js';
import * as pageTypes from './page-option-types.js';

/** The definition of one option. */
export interface OptionDefinition<T = unknown> {
  type: types.OptionType;
  /** The environment variable that sets it; missing for an option that only code can set. */
  variable?: string;
  /** The value where neither code nor the environment gives one. */
  default?: T;
  /** The definitions of a group. */
  members?: AnyDefinitions;
}

/** The definitions of any options, by name. */
export type AnyDefinitions = Readonly<Record<string, OptionDefinition>>;

/** The definitions of the options of `T`: the compiler requires one for each, and no others. */
export type Definitions<T> = { readonly [Name in keyof T]-?: OptionDefinition<T[Name]> };

const cache: Definitions<CacheOptions> = {
  key: { type: types.text, variable: 'MAINTENANCE_CACHE_KEY', default: 'maintenance_mode_state' },
  ttl: {
    type: types.createInteger('milliseconds', 0, '0 (for ever) or more milliseconds'),
    variable: 'MAINTENANCE_CACHE_TTL',
    default: 60_000,
  },
};

const exempt: Definitions<ExemptOptions> = {
  urls: { type: types.urls, variable: 'MAINTENANCE_EXEMPT_URLS', default: [] },
  ips: { type: types.createList('addresses', types.text.check), variable: 'MAINTENANCE_EXEMPT_IPS', default: [] },
  roles: { type: types.createList('role names', types.text.check), variable: 'MAINTENANCE_EXEMPT_ROLES', default: [] },
  user: { type: types.callback, default: (request: { user?: unknown }) => request.user },
  when: { type: types.callback },
  probes: { type: types.flag, variable: 'MAINTENANCE_EXEMPT_PROBES', default: true },
  tests: { type: types.flag, variable: 'MAINTENANCE_EXEMPT_TESTS', default: false },
};

const page: Definitions<PageOptions> = {
  name: { type: types.text, variable: 'MAINTENANCE_PAGE_NAME' },
  logo: { type: types.text },
  accent: { type: pageTypes.color },
  supportUrl: { type: pageTypes.supportUrl, variable: 'MAINTENANCE_PAGE_SUPPORT_URL' },
  statusUrl: { type: pageTypes.statusUrl, variable: 'MAINTENANCE_PAGE_STATUS_URL' },
  languages: { type: pageTypes.languages },
};

const response: Definitions<ResponseOptions> = {
  statusCode: { type: types.statusCode, variable: 'MAINTENANCE_STATUS_CODE', default: 503 },
  retryAfter: {
    type: types.createInteger('seconds', 0, '0 or more'),
    variable: 'MAINTENANCE_RETRY_AFTER',
    default: 3_600,
  },
  type: {
    type: types.createChoiceOrFunction('auto', 'html', 'json'),
    variable: 'MAINTENANCE_RESPONSE_TYPE',
    default: 'auto',
  },
  template: { type: types.text, variable: 'MAINTENANCE_TEMPLATE' },
  context: { type: types.callback },
  page: { type: types.object, members: page },
  render: { type: types.callback },
  redirectUrl: { type: types.redirectUrl, variable: 'MAINTENANCE_REDIRECT_URL' },
};

const microservices: Definitions<MicroservicesOptions> = {
  events: {
    type: types.createChoiceOrFunction('redeliver', 'drop'),
    variable: 'MAINTENANCE_MICROSERVICES_EVENTS',
    default: 'redeliver',
  },
};

const background: Definitions<BackgroundOptions> = {
  pause: { type: types.flag, variable: 'MAINTENANCE_BACKGROUND_PAUSE', default: false },
};

const announce: Definitions<AnnounceOptions> = {
  before: { type: types.duration, variable: 'MAINTENANCE_ANNOUNCE_BEFORE' },
};

const bypass: Definitions<BypassOptions> = {
  cookieName: {
    // The characters of a token (RFC 6265, section 4.1.1).
    type: types.createText(/^[!#$%&'*+\-.^\w`|~]+$/, 'a name such as "maintenance-bypass"'),
    variable: 'MAINTENANCE_BYPASS_COOKIE_NAME',
    default: '__Host-maintenance-bypass',
  },
};

/** The options of the module: how each is checked, which variable sets it and its default. */
export const OPTIONS: Definitions<MaintenanceModuleOptions> = {
  storage: { type: types.storage, variable: 'MAINTENANCE_STORAGE' },
  application: { type: types.text, variable: 'MAINTENANCE_APPLICATION' },
  cache: { type: types.createSwitch('key and ttl'), variable: 'MAINTENANCE_CACHE', default: false, members: cache },
  enabled: { type: types.flag, variable: 'MAINTENANCE_MODE' },
  refreshInterval: { type: types.duration, variable: 'MAINTENANCE_REFRESH_INTERVAL', default: 5_000 },
  onStorageFailure: {
    type: types.createChoice('last-known', 'on', 'off'),
    variable: 'MAINTENANCE_ON_STORAGE_FAILURE',
    default: 'last-known',
  },
  adminToken: { type: types.adminToken, variable: 'MAINTENANCE_ADMIN_TOKEN' },
  viewerToken: { type: types.adminToken, variable: 'MAINTENANCE_VIEWER_TOKEN' },
  exempt: { type: types.object, members: exempt },
  response: { type: types.object, members: response },
  microservices: { type: types.object, members: microservices },
  background: { type: types.object, members: background },
  scopesOf: { type: types.callback },
  announce: { type: types.object, members: announce },
  bypass: { type: types.object, members: bypass },
};

const createPathType = (example: string): types.OptionType =>
  types.createText(/^[\w\-./~]*[\w\-~][\w\-./~]*$/, `a path such as "${example}"`);

const admin: Definitions<AdminOptions> = {
  path: { type: createPathType('maintenance-mode') },
  imports: { type: types.createList('modules') },
  guards: { type: types.createList('guard classes', types.callback.check) },
  decorators: { type: types.createList('class decorators', types.callback.check) },
  panel: { type: types.flag },
  openapi: { type: types.flag },
  trustedOrigins: { type: types.createList('origins', types.checkOrigin) },
};

const publicStatus: Definitions<PublicStatusOptions> = { path: { type: createPathType('maintenance-status') } };

const mount: Definitions<NonNullable<MaintenanceModuleExtras['mount']>> = {
  edge: { type: types.flag },
  guard: { type: types.flag },
};

/** The extras of the module, which only code can set. */
export const EXTRAS: Definitions<MaintenanceModuleExtras> = {
  isGlobal: { type: types.flag },
  admin: {
    type: types.createSwitch('path, imports, guards, decorators, panel, openapi, trustedOrigins'),
    members: admin,
  },
  mount: { type: types.object, members: mount },
  publicStatus: { type: types.createSwitch('path'), members: publicStatus },
};

/** Returns the definition of an option, given by its dotted path, such as `exempt.urls`. */
export function findDefinition(path: string): OptionDefinition | undefined {
  const root: OptionDefinition = { type: types.object, members: OPTIONS };
  return path.split('.').reduce<OptionDefinition | undefined>((definition, name) => definition?.members?.[name], root);
}

/** Returns the name of an option that the environment sets, given by its dotted path, for messages. */
export function formatOptionOfEnvironment(path: string): string {
  const variable = findDefinition(path)?.variable;
  return variable === undefined
    ? `option \`${path}\``
    : `option \`${path}\`, set by the environment variable ${variable},`;
}
