/** A schema of OpenAPI 3.0, as far as it is used here. */
export interface Schema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  description?: string;
  format?: string;
  enum?: string[];
  nullable?: boolean;
  minimum?: number;
  items?: Schema;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
}

const text = (description?: string): Schema => ({ type: 'string', ...(description && { description }) });
const flag = (description: string): Schema => ({ type: 'boolean', description });
const integer = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
const time = (description: string): Schema => ({ type: 'string', format: 'date-time', description });
const nullable = (schema: Schema): Schema => ({ ...schema, nullable: true });
const list = (items: Schema, description?: string): Schema => ({
  type: 'array',
  items,
  ...(description && { description }),
});
const object = (properties: Record<string, Schema>, required = Object.keys(properties)): Schema => ({
  type: 'object',
  properties,
  ...(required.length > 0 && { required }),
});

const SCOPE = text('The scope; `*` for the whole application.');
const MODE: Schema = {
  type: 'string',
  enum: ['full', 'read-only'],
  description: '`full` refuses every call, `read-only` those that write.',
};
const MESSAGE = text('The message to clients, as plain text.');
const MESSAGES: Schema = {
  type: 'object',
  additionalProperties: text(),
  description: 'The message in further languages, by their tags (BCP 47).',
};
const RETRY_AFTER = integer('Seconds for `Retry-After`; 0 sends no header.');
const ALLOW_IPS = list(text(), 'The addresses and CIDR blocks that the window admits.');
const IF_REVISION = integer('The revision that you have seen. If the state has another one by now, the answer is 409.');
const RECURRENCE_MEMBERS = {
  cron: text('The cron expression, of five fields.'),
  timeZone: text('The IANA name of the time zone; `UTC` by default.'),
  duration: { ...integer('The length of each occurrence in milliseconds.'), minimum: 1 },
};

const WINDOW = object(
  {
    id: text('The id, unique within the state.'),
    scope: SCOPE,
    mode: MODE,
    startsAt: time('The first moment of the window.'),
    endsAt: nullable(time('The first moment after the window; `null` until it is turned off.')),
    message: MESSAGE,
    messages: MESSAGES,
    retryAfter: RETRY_AFTER,
    allowIps: ALLOW_IPS,
    createdAt: time('The time of its creation.'),
    createdBy: text('The author.'),
    recurrence: object(RECURRENCE_MEMBERS),
  },
  ['id', 'scope', 'mode', 'startsAt', 'endsAt', 'createdAt'],
);

const STATUS_MEMBERS: Record<string, Schema> = {
  active: flag('Whether maintenance is on.'),
  source: {
    type: 'string',
    enum: ['configuration', 'storage', 'last-known', 'fallback'],
    description: 'The origin of the answer.',
  },
  revision: integer('The revision of the state; 0 if none is stored.'),
  windows: object({ active: list(WINDOW), planned: list(WINDOW) }),
  storage: object(
    {
      kind: text('The kind, such as `file` or `redis`.'),
      location: text('The location, without credentials.'),
      healthy: flag('Whether the last read succeeded.'),
      lastReadAt: nullable(time('The time of the last successful read.')),
      error: text('The error of the last read, if it failed.'),
    },
    ['kind', 'location', 'healthy', 'lastReadAt'],
  ),
};

/** The answer of `GET {path}` and `POST {path}/off`. */
export const STATUS: Schema = object(STATUS_MEMBERS);

/** The answer of `POST {path}/on`. */
export const STATUS_AND_BYPASS: Schema = object(
  {
    ...STATUS_MEMBERS,
    bypass: {
      ...object({
        token: text('The secret of the bypass, shown only here.'),
        header: text('The header that carries it.'),
        parameter: text('The query parameter of the link.'),
      }),
      description: 'Only if the body asks for it.',
    },
  },
  Object.keys(STATUS_MEMBERS),
);

/** The body of `POST {path}/on`. */
export const ON_BODY: Schema = {
  ...object(
    {
      scope: SCOPE,
      mode: MODE,
      startsAt: time('The start, with a time zone; now by default.'),
      endsAt: nullable(time('The end, with a time zone; `null` until it is turned off.')),
      message: MESSAGE,
      messages: nullable(MESSAGES),
      retryAfter: RETRY_AFTER,
      allowIps: nullable(ALLOW_IPS),
      allowMe: flag('Whether the window admits the address of the caller.'),
      bypass: flag('Whether to create a bypass, whose token is in the answer.'),
      createdBy: text('The author, if no user is known.'),
      recurrence: object(RECURRENCE_MEMBERS, ['cron', 'duration']),
      ifRevision: IF_REVISION,
    },
    [],
  ),
  additionalProperties: false,
};

/** The body of `POST {path}/off`. */
export const OFF_BODY: Schema = {
  ...object(
    {
      scope: text('Ends only the windows of this scope.'),
      id: text('Ends only this window, active or planned.'),
      all: flag('Whether to cancel planned windows too.'),
      ifRevision: IF_REVISION,
    },
    [],
  ),
  additionalProperties: false,
};

/** The answer of `GET {path}/instances`. */
export const INSTANCES: Schema = list(
  object(
    {
      id: text('The id, unique for the life of the process.'),
      host: text(),
      pid: integer('The process id.'),
      application: text(),
      appVersion: text('The version of the application.'),
      lineage: nullable(text('The lineage of the state that the instance applies.')),
      revision: integer('The revision that the instance applies.'),
      inFlight: integer('The number of calls admitted before the window and not finished.'),
      streams: integer('The number of open streams.'),
      longest: list(
        object({
          name: text('The handler, such as `GET /orders/:id`.'),
          count: integer('The number of calls.'),
          oldest: integer('The age of the oldest call in milliseconds.'),
        }),
      ),
      uncounted: list(text(), 'Work that the instance runs but can not count.'),
      stopped: flag('Whether the instance has shut down in good order.'),
      seenAt: time('The time of the report.'),
    },
    ['id', 'host', 'pid', 'lineage', 'revision', 'inFlight', 'streams', 'seenAt'],
  ),
);

/** The body of an error. */
export const ERROR: Schema = object({ statusCode: integer('The status.'), message: text(), error: text() }, [
  'statusCode',
  'message',
]);

/** The body of `POST {path}/session`. */
export const SIGN_IN_BODY: Schema = object({ token: text('The admin token or the viewer token.') });
