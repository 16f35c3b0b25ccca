import type { Type } from '@nestjs/common';
import type * as Swagger from '@nestjs/swagger';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { patchMethod } from '../utils/patch-method.js';
import { API_OPERATION_METADATA } from '../nest-internals.js';
import { ERROR, INSTANCES, OFF_BODY, ON_BODY, SIGN_IN_BODY, STATUS, STATUS_AND_BYPASS } from './openapi-schemas.js';

type Package = typeof Swagger;
type Document = Swagger.OpenAPIObject;
type Schema = Parameters<Package['ApiBody']>[0] extends infer Options
  ? Options extends { schema: infer S }
    ? S
    : never
  : never;

/** An endpoint, by the name of its method. */
interface Endpoint {
  summary: string;
  body?: object;
  /** The schema of the answer with the status 200. */
  answer?: object;
  /** The statuses of errors, besides those of the token. */
  errors: readonly number[];
  /** Whether callers need no token. */
  isOpen?: boolean;
}

/** Marks a class whose method is patched already. */
const PATCHED = Symbol.for('nestjs-maintenance:openapi');
const TAG = 'maintenance';
const BEARER = 'maintenance-bearer';
const HEADER = 'maintenance-token';
const SECURITY_SCHEMES = {
  [BEARER]: { type: 'http', scheme: 'bearer', description: 'The admin token; the viewer token for reading.' },
  [HEADER]: { type: 'apiKey', in: 'header', name: 'Maintenance-Token', description: 'The same token.' },
} as const;

const ERRORS: Readonly<Record<number, string>> = {
  400: 'The body can not be used; nothing was changed.',
  401: 'The token is missing or wrong.',
  403: 'The page of another origin sent the request, or the caller may only look; nothing was changed.',
  404: 'There is no token to sign in with.',
  409: 'The configuration forces the answer, or the state has another revision; nothing was changed.',
  415: 'The body is not JSON.',
  429: 'Too many wrong tokens were sent.',
  502: 'The storage failed.',
};

const CHANGE_ERRORS = [400, 403, 409, 415, 502];
const ADMIN_ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  status: { summary: 'Returns the status.', answer: STATUS, errors: [] },
  instances: { summary: 'Lists the instances of the application.', answer: INSTANCES, errors: [502] },
  on: {
    summary: 'Turns maintenance on, plans a window, or changes an active one.',
    body: ON_BODY,
    answer: STATUS_AND_BYPASS,
    errors: CHANGE_ERRORS,
  },
  off: {
    summary: 'Ends windows: every active one by default.',
    body: OFF_BODY,
    answer: STATUS,
    errors: CHANGE_ERRORS,
  },
};
const SESSION_ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  signIn: {
    summary: 'Exchanges the token for the cookie of a session.',
    body: SIGN_IN_BODY,
    answer: {
      type: 'object',
      required: ['access', 'endsAt'],
      properties: {
        access: { type: 'string', enum: ['change', 'view'] },
        endsAt: { type: 'string', format: 'date-time', description: 'The end of the session.' },
      },
    },
    errors: [400, 403, 404, 415],
    isOpen: true,
  },
  signOut: {
    summary: 'Ends the session of the caller.',
    answer: {
      type: 'object',
      required: ['everywhere'],
      properties: { everywhere: { type: 'boolean', description: 'Whether all instances know that it has ended.' } },
    },
    errors: [403],
  },
};

/** The controllers to describe. */
export interface DescribedControllers {
  admin: Type;
  /** `null` without the panel. */
  panel: Type | null;
}

/**
 * Describes the admin endpoints for `@nestjs/swagger`. Has to run before the application creates its document.
 *
 * @param hasOwnGuards - whether guards of the application protect the endpoints, whose security only it can describe
 * @throws {@link MaintenanceOptionsError} if the package is not installed
 */
export async function describeAdminEndpoints(
  { admin, panel }: DescribedControllers,
  hasOwnGuards: boolean,
): Promise<void> {
  const swagger = await loadSwagger();
  describeController(swagger, admin, ADMIN_ENDPOINTS, hasOwnGuards);
  if (panel) describeController(swagger, panel, SESSION_ENDPOINTS, hasOwnGuards);
  if (!hasOwnGuards) addSecuritySchemes(swagger);
}

async function loadSwagger(): Promise<Package> {
  try {
    return await import('@nestjs/swagger');
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MaintenanceOptionsError(
      '`admin.openapi` is set, but the package @nestjs/swagger is not installed: run `npm install @nestjs/swagger`, ' +
        'or remove the option.',
    );
  }
}

function describeController(
  swagger: Package,
  controller: Type,
  endpoints: Readonly<Record<string, Endpoint>>,
  hasOwnGuards: boolean,
): void {
  swagger.ApiTags(TAG)(controller);
  // One of the two is enough.
  if (!hasOwnGuards) for (const name of [BEARER, HEADER]) swagger.ApiSecurity(name)(controller);
  const base = Object.getPrototypeOf(controller.prototype) as object;
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(base))) {
    // Several applications of a process share the methods.
    const isDescribed = Reflect.hasMetadata(API_OPERATION_METADATA, descriptor.value as object);
    if (name === 'constructor' || typeof descriptor.value !== 'function' || isDescribed) continue;
    const endpoint = endpoints[name];
    const decorators = endpoint ? createDecorators(swagger, endpoint) : [swagger.ApiExcludeEndpoint()];
    for (const decorate of decorators) decorate(base, name, descriptor);
  }
}

function createDecorators(swagger: Package, { summary, body, answer, errors, isOpen }: Endpoint): MethodDecorator[] {
  const { ApiBody, ApiOperation, ApiResponse } = swagger;
  const statuses = [...errors, 401, 429].sort();
  return [
    ApiOperation({ summary, ...(isOpen && { security: [] }) }),
    ...(body ? [ApiBody({ schema: body as Schema, required: 'required' in body })] : []),
    ApiResponse({ status: 200, description: 'Done.', schema: answer as Schema }),
    ...statuses.map((status) =>
      ApiResponse({
        status,
        description: ERRORS[status]!,
        schema: ERROR,
        ...(status === 429 && { headers: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } } }),
      }),
    ),
  ];
}

/** Adds the security schemes to every document that has the endpoints, where the application does not define them. */
function addSecuritySchemes({ SwaggerModule }: Package): void {
  const marked = SwaggerModule as Package['SwaggerModule'] & { [PATCHED]?: true };
  if (marked[PATCHED]) return;
  marked[PATCHED] = true;
  patchMethod(SwaggerModule, 'createDocument', (create) => (...args) => {
    const document: Document = create.apply(SwaggerModule, args);
    if (!JSON.stringify(document.paths).includes(`"${BEARER}"`)) return document;
    const { components = {} } = document;
    return {
      ...document,
      components: { ...components, securitySchemes: { ...SECURITY_SCHEMES, ...components.securitySchemes } },
    };
  });
}
