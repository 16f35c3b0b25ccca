import { inspect } from 'node:util';
import * as v from 'valibot';
import { normalizePath } from '../policy/request-path.js';
import { redactCredentials } from '../utils/redact-credentials.js';
import type { CacheOptions, MaintenanceModuleOptions } from './maintenance-options.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';

const BODYLESS_STATUS_CODES = [204, 205, 304];

const text = v.pipe(v.string('a string'), v.nonEmpty('a string that is not empty'));
const flag = v.boolean('true or false');
const milliseconds = v.pipe(
  v.number('a number of milliseconds'),
  v.safeInteger('a whole number of milliseconds'),
  v.minValue(1, 'at least 1 ms'),
);
const callback = v.function('a function');

function createPicklist<const Names extends readonly string[]>(...names: Names): v.PicklistSchema<Names, string> {
  return v.picklist(names, `one of ${names.map((name) => `"${name}"`).join(', ')}`);
}

const storage = v.union(
  [
    text,
    v.custom<object>(
      (value) =>
        typeof value === 'object' &&
        value !== null &&
        typeof (value as { read?: unknown }).read === 'function' &&
        typeof (value as { write?: unknown }).write === 'function',
    ),
  ],
  'a StateStorage or the URL of one, such as "file:/var/lib/app/maintenance.json"',
);

const exempt = v.strictObject(
  {
    urls: v.optional(v.array(v.union([text, v.instance(RegExp)], 'a path or a RegExp'), 'an array of paths')),
    ips: v.optional(v.array(text, 'an array of addresses')),
    roles: v.optional(v.array(text, 'an array of role names')),
    user: v.optional(callback),
    when: v.optional(callback),
    probes: v.optional(flag),
    tests: v.optional(flag),
  },
  'an object',
);

const response = v.strictObject(
  {
    statusCode: v.optional(
      v.pipe(
        v.number('a status code'),
        v.integer('a whole number'),
        v.check(
          (code) =>
            ((code >= 200 && code < 300) || (code >= 400 && code < 600)) && !BODYLESS_STATUS_CODES.includes(code),
          'a 2xx, 4xx or 5xx status that has a body',
        ),
      ),
    ),
    retryAfter: v.optional(
      v.pipe(v.number('a number of seconds'), v.safeInteger('a whole number of seconds'), v.minValue(0, '0 or more')),
    ),
    type: v.optional(
      v.union([createPicklist('auto', 'html', 'json'), callback], '"auto", "html", "json" or a function'),
    ),
    template: v.optional(text),
    context: v.optional(callback),
    redirectUrl: v.optional(
      v.pipe(text, v.check(isRedirectUrl, 'a path such as "/closed" or an absolute http(s) URL')),
    ),
  },
  'an object',
);

const microservices = v.strictObject(
  { events: v.optional(v.union([createPicklist('redeliver', 'drop'), callback], '"redeliver", "drop" or a function')) },
  'an object',
);

const background = v.strictObject({ pause: v.optional(flag) }, 'an object');

const bypass = v.strictObject(
  {
    cookieName: v.optional(
      // RFC 6265, section 4.1.1.
      v.pipe(text, v.regex(/^[!#$%&'*+\-.^\w`|~]+$/, 'a name such as "maintenance-bypass"')),
    ),
  },
  'an object',
);

const announce = v.strictObject({ before: v.optional(milliseconds) }, 'an object');

const cache = v.strictObject(
  {
    key: v.optional(text),
    ttl: v.optional(
      v.pipe(
        v.number('a number of milliseconds'),
        v.safeInteger('a whole number of milliseconds'),
        v.minValue(0, '0 (for ever) or more milliseconds'),
      ),
    ),
  },
  'true, false or an object with key and ttl',
);

const options = v.strictObject(
  {
    storage: v.optional(storage),
    application: v.optional(text),
    cache: v.optional(v.union([v.boolean(), cache], 'true, false or an object with key and ttl')),
    enabled: v.optional(flag),
    refreshInterval: v.optional(milliseconds),
    onStorageFailure: v.optional(createPicklist('last-known', 'on', 'off')),
    adminToken: v.optional(
      v.pipe(
        text,
        v.minLength(16, 'at least 16 characters long'),
        // What a header can carry after "Bearer": anything else could never match (RFC 6750, section 2.1).
        v.regex(/^[\x21-\x7e]+$/, 'of visible ASCII characters, without spaces or a line break at the end'),
      ),
    ),
    exempt: v.optional(exempt),
    response: v.optional(response),
    microservices: v.optional(microservices),
    background: v.optional(background),
    scopesOf: v.optional(callback),
    announce: v.optional(announce),
    bypass: v.optional(bypass),
  },
  'an object',
);

const admin = v.strictObject(
  {
    path: v.optional(v.pipe(text, v.regex(/^[\w\-./~]*[\w\-~][\w\-./~]*$/, 'a path such as "maintenance-mode"'))),
    imports: v.optional(v.array(v.any(), 'an array of modules')),
    guards: v.optional(v.array(callback, 'an array of guard classes')),
    decorators: v.optional(v.array(callback, 'an array of class decorators')),
  },
  'an object',
);

const extras = v.strictObject(
  {
    isGlobal: v.optional(flag),
    admin: v.optional(v.union([v.boolean(), admin], 'true, false or an object with path, imports, guards, decorators')),
    mount: v.optional(v.strictObject({ edge: v.optional(flag), guard: v.optional(flag) }, 'an object')),
  },
  'an object',
);

// A path that is not in normal form would not be recognised when the visitor comes back with it.
function isRedirectUrl(url: string): boolean {
  if (/[\s\\]|^\/\//.test(url)) return false;
  if (!url.startsWith('/')) return /^https?:\/\//i.test(url) && URL.canParse(url);
  return (
    URL.canParse(url, 'http://localhost') && normalizePath(new URL(url, 'http://localhost').pathname) !== undefined
  );
}

/**
 * Checks the options.
 *
 * @param named - how a path of the options is called where it came from, an environment variable for example
 * @throws {@link MaintenanceOptionsError} that names the first option that can't be used
 */
export function assertOptions(value: unknown, named: (path: string) => string = (path) => `option \`${path}\``): void {
  assertSchema(options, value, named);
}

/** @throws {@link MaintenanceOptionsError} that names the first extra that can't be used */
export function assertExtras(value: unknown): void {
  assertSchema(extras, value, (path) => `option \`${path}\``);
}

function assertSchema(schema: v.GenericSchema, value: unknown, named: (path: string) => string): void {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return;
  const issue = findDeepestIssue(result.issues[0]);
  const path = v.getDotPath(issue) ?? '';
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    if (schema === options && path in extras.entries) {
      throw new MaintenanceOptionsError(
        `the option \`${path}\` is part of the application's structure and can't come from a factory: put it beside \`useFactory\`.`,
      );
    }
    const parent = path.includes('.') ? path.slice(0, path.lastIndexOf('.') + 1) : '';
    throw new MaintenanceOptionsError(
      `unknown option \`${path}\`. Known here: ${getKnownKeys(schema, parent)
        .map((name) => `\`${parent}${name}\``)
        .join(', ')}.`,
    );
  }
  const subject = path === '' ? 'the options' : `the ${named(path)}`;
  throw new MaintenanceOptionsError(`${subject} must be ${issue.message}, not ${formatValue(path, issue.input)}.`);
}

// The part of a union that fits best tells more than the union does, if it got past the type.
function findDeepestIssue(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  const inner = issue.issues?.find((candidate) => (candidate.path?.length ?? 0) > 0);
  if (!inner) return issue;
  return findDeepestIssue({ ...inner, path: [...(issue.path ?? []), ...(inner.path ?? [])] as typeof inner.path });
}

function getKnownKeys(schema: v.GenericSchema, parent: string): string[] {
  let at: unknown = schema;
  for (const name of parent.split('.').filter(Boolean)) {
    at = unwrap((at as { entries?: Record<string, unknown> }).entries?.[name]);
  }
  return Object.keys((at as { entries?: object }).entries ?? {});
}

function unwrap(schema: unknown): unknown {
  const { wrapped, options: parts } = (schema ?? {}) as { wrapped?: unknown; options?: unknown[] };
  if (wrapped) return unwrap(wrapped);
  return Array.isArray(parts) ? parts.map(unwrap).find((part) => 'entries' in (part as object)) : schema;
}

function formatValue(path: string, value: unknown): string {
  if (/token/i.test(path)) return 'what was given';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  // Objects may hold anything, keys of a storage among it.
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'function') return 'a function';
  const shown = typeof value === 'string' ? redactCredentials(JSON.stringify(value)) : inspect(value);
  return shown.length > 100 ? `${shown.slice(0, 100)}...` : shown;
}

// Keeps the schema and the documented interface from drifting apart.
type Exact<A, B> = [keyof A] extends [keyof B] ? ([keyof B] extends [keyof A] ? true : never) : never;
export type SchemaMatchesDocs = [
  Exact<v.InferInput<typeof options>, MaintenanceModuleOptions>,
  Exact<v.InferInput<typeof cache>, CacheOptions>,
  Exact<v.InferInput<typeof exempt>, NonNullable<MaintenanceModuleOptions['exempt']>>,
  Exact<v.InferInput<typeof response>, NonNullable<MaintenanceModuleOptions['response']>>,
  Exact<v.InferInput<typeof announce>, NonNullable<MaintenanceModuleOptions['announce']>>,
  Exact<v.InferInput<typeof bypass>, NonNullable<MaintenanceModuleOptions['bypass']>>,
  Exact<v.InferInput<typeof background>, NonNullable<MaintenanceModuleOptions['background']>>,
  Exact<v.InferInput<typeof microservices>, NonNullable<MaintenanceModuleOptions['microservices']>>,
];
