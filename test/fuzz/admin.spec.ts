import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import fc, { type Arbitrary } from 'fast-check';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { CatsController } from '../e2e/controllers.js';
import { CASES, expectCleanPrototypes, holds, PATIENCE } from './cases.js';
import { formatRequest, Wire, type Answer } from './wire.js';

const TOKEN = 'the-token-of-the-test';
const FIELDS = [
  ...['scope', 'mode', 'startsAt', 'endsAt', 'message', 'retryAfter', 'allowIps', 'allowMe', 'createdBy', 'recurrence'],
];
const SELECTORS = ['scope', 'id', 'all'];
const WINDOW = {
  ...{ id: 'w1', scope: '*', mode: 'read-only', startsAt: '2026-01-01T00:00:00.000Z', endsAt: null },
  ...{ createdAt: '2026-01-01T00:00:00.000Z', unknown: ['kept'] },
};
const STORED = JSON.stringify({
  format: 1,
  lineage: 'a',
  revision: 7,
  windows: [WINDOW],
  history: [],
  unknown: 'kept',
});

/** A JSON value as text, so that it can be what no object of JavaScript is: with a key twice, or with `__proto__`. */
type Json = string;

const string = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ maxLength: 12, unit: 'binary' }),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    '\u001b[2J',
    '\ud800',
    '\udfff\ud800',
    '\u202e',
    '<script>alert(1)</script>',
    '</title><b>',
    '__proto__',
  ),
  fc.constantFrom(100, 5_000).map((length) => '<b>'.repeat(length / 3)),
);
const number = fc.constantFrom('0', '1', '-1', '-0', '1.5', '1e3', '1e400', '9007199254740993', '9'.repeat(100));
const moment = fc.constantFrom(
  ...[
    '2030-01-01T00:00:00Z',
    '2030-02-28T23:59+14:00',
    '9999-12-31T23:59:59.999Z',
    '2020-01-01T00:00Z',
    '2030-02-30T00:00Z',
  ],
  ...[
    '+275760-09-13T00:00:00.000Z',
    '-000001-01-01T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '2030-01-01T00:00',
    'tomorrow',
    '',
  ],
);
const other: Arbitrary<Json> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom('null', 'true', 'false', '[]', '{}', '[[]]', '{"$ne":1}') },
  { weight: 1, arbitrary: number },
  { weight: 2, arbitrary: string.map((text) => JSON.stringify(text)) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 2 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}'),
  },
);
const quoted = (text: Arbitrary<string>): Arbitrary<Json> => text.map((value) => JSON.stringify(value));
const object = (members: Arbitrary<[string, Json]>, maxLength: number): Arbitrary<Json> =>
  fc
    .array(members, { maxLength })
    .map((all) => `{${all.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`);

/** Values of a field, mostly valid. */
const LIKELY: Record<string, Arbitrary<Json>> = {
  scope: quoted(fc.oneof(fc.constantFrom('*', 'payments', 'orders'), string)),
  mode: quoted(fc.constantFrom('full', 'read-only', 'Full', 'off')),
  startsAt: quoted(moment),
  endsAt: fc.oneof(fc.constant('null'), quoted(moment)),
  message: quoted(string),
  retryAfter: number,
  allowIps: fc
    .array(
      quoted(fc.oneof(fc.constantFrom('203.0.113.7', '10.0.0.0/8', '2001:db8::/32', '10.0.0.300', '::/129'), string)),
      {
        maxLength: 3,
      },
    )
    .map((entries) => `[${entries.join()}]`),
  allowMe: fc.constantFrom('true', 'false'),
  createdBy: quoted(string),
  id: quoted(fc.oneof(fc.constantFrom('w1', 'w2'), string)),
  all: fc.constantFrom('true', 'false'),
  recurrence: object(
    fc.oneof(
      fc.tuple(
        fc.constant('cron'),
        quoted(fc.constantFrom('0 3 * * 0', '* * * * *', '0 0 30 2 *', '@daily', 'x', '0 3 * * 0 2030')),
      ),
      fc.tuple(fc.constant('timeZone'), quoted(fc.constantFrom('UTC', 'Europe/Rome', 'Mars', '../etc/passwd'))),
      fc.tuple(fc.constant('duration'), fc.constantFrom('60000', '3600000', '0', '1e15', '"1h"')),
      fc.tuple(fc.constantFrom('__proto__', 'ended', 'x'), other),
    ),
    4,
  ),
};
const member = (names: string[]): Arbitrary<[string, Json]> =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.constantFrom(...names).chain((name) => LIKELY[name]!.map((value): [string, Json] => [name, value])),
    },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...names), other) },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.oneof(
          fc.constantFrom(
            '__proto__',
            'constructor',
            'prototype',
            'toString',
            'bypass',
            'leaseUntil',
            'createdAt',
            'Scope',
            'id',
            '',
          ),
          fc.string(),
        ),
        other,
      ),
    },
  );

const text: Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: object(member(FIELDS), 4) },
  { weight: 4, arbitrary: object(member(SELECTORS), 3) },
  { weight: 2, arbitrary: other },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      ' ',
      '{',
      '{"a":',
      '\ufeff{}',
      '{}{}',
      "{'a':1}",
      '{"scope":"*",}',
      'scope=*&mode=full',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1_000, 30_000).map((depth) => `{"message":${'['.repeat(depth)}${']'.repeat(depth)}}`),
  },
);
const bytes: Arbitrary<Buffer> = fc.oneof(
  { weight: 10, arbitrary: text.map((json) => Buffer.from(json)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((codes) => Buffer.from(codes)) },
  { weight: 1, arbitrary: text.map((json) => Buffer.from(json, 'utf16le')) },
  { weight: 1, arbitrary: text.map((json) => Buffer.from(json, 'latin1')) },
);

const type = fc.oneof(
  { weight: 12, arbitrary: fc.constant<string | null>('application/json') },
  {
    weight: 4,
    arbitrary: fc.constantFrom<string | null>(
      ...[
        'application/json; charset=utf-8',
        'application/json;charset=utf-16',
        'application/json; charset=latin1',
        'APPLICATION/JSON',
      ],
      ...[
        'application/json; charset=x',
        'application/json;;',
        'application/json, text/plain',
        'application/vnd.api+json',
        'text/json',
      ],
      ...[
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'text/plain',
        'text/html',
        'application/octet-stream',
      ],
      ...[
        'application/jsonx',
        'json',
        '/',
        ';',
        '',
        '*/*',
        '<script>',
        'application/json; charset="utf-8',
        '__proto__',
        null,
      ],
    ),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[\x20-\x7e]{0,20}$/) },
);
const ENCODERS: Record<string, (body: Buffer) => Buffer> = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  identity: (body) => body,
};
const encoding = fc.oneof(
  { weight: 8, arbitrary: fc.constant(null) },
  {
    weight: 1,
    arbitrary: fc.record({
      name: fc.constantFrom('gzip', 'deflate', 'br', 'identity', 'zstd', 'x', 'gzip, gzip'),
      isTrue: fc.boolean(),
    }),
  },
);
const framing = fc.oneof(
  { weight: 8, arbitrary: fc.constant('length') },
  { weight: 3, arbitrary: fc.constant('chunks') },
);
const access = fc.oneof(
  { weight: 12, arbitrary: fc.constant<string | null>(`Bearer ${TOKEN}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<string | null>(
      null,
      'Bearer',
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN}x`,
      `Bearer <b>`,
      'Bearer  ',
    ),
  },
);
const change = fc.record({ endpoint: fc.constantFrom('on', 'on', 'off'), bytes, type, encoding, framing, access });

/** The parts of a request, with the body as it goes over the wire. */
function requestWith({
  endpoint,
  bytes,
  type,
  encoding,
  framing,
  access,
}: typeof change extends Arbitrary<infer T> ? T : never) {
  const encode = encoding?.isTrue ? ENCODERS[encoding.name] : undefined;
  const body = encode ? encode(bytes) : bytes;
  const half = Math.floor(body.length / 2);
  const parts = [body.subarray(0, half), body.subarray(half)].filter(({ length }) => length > 0);
  const chunks = [...parts, Buffer.alloc(0)].map(
    (part) => `${part.length.toString(16)}\r\n${part.toString('latin1')}\r\n`,
  );
  const headers = [
    ...(access === null ? [] : [`Authorization: ${access}`]),
    ...(type === null ? [] : [`Content-Type: ${type}`]),
    ...(encoding === null ? [] : [`Content-Encoding: ${encoding.name}`]),
    framing === 'length' ? `Content-Length: ${body.length}` : 'Transfer-Encoding: chunked',
  ];
  return formatRequest(
    'POST',
    `/maintenance-mode/${endpoint}`,
    headers,
    framing === 'length' ? body.toString('latin1') : chunks.join(''),
  );
}

/** Whether a body (as parsed by `JSON.parse`) has fields that are obviously invalid. */
function isInvalid(endpoint: string, given: Record<string, unknown>): boolean {
  const known = endpoint === 'on' ? FIELDS : SELECTORS;
  if (Object.keys(given).some((name) => !known.includes(name))) return true;
  const has = (name: string, isRight: (value: unknown) => boolean): boolean => name in given && !isRight(given[name]);
  const isName = (value: unknown): boolean => typeof value === 'string' && value.trim() !== '';
  const isText = (value: unknown): boolean => typeof value === 'string';
  return (
    has('scope', isName) ||
    has('id', isName) ||
    has('all', (value) => typeof value === 'boolean') ||
    has('mode', (value) => value === 'full' || value === 'read-only') ||
    has('message', isText) ||
    has('createdBy', isText) ||
    has('retryAfter', (value) => Number.isSafeInteger(value) && (value as number) >= 0) ||
    has('allowIps', (value) => value === null || (Array.isArray(value) && value.every(isText))) ||
    has('allowMe', (value) => typeof value === 'boolean') ||
    has('startsAt', isText) ||
    has('endsAt', (value) => value === null || isText(value)) ||
    has(
      'recurrence',
      (value) => typeof value === 'object' && !Array.isArray(value) && Object.keys(value ?? {}).length > 1,
    )
  );
}

/** How messages name a field if not by its name in backticks. */
const WORDS = new Map([
  ['startsAt', /^The start .* is in the past|not after the start/],
  ['endsAt', /^The end .* is (?:in the past|not after the start)/],
  ['recurrence', /cron expression|time zone|never occurs|overlap|does not occur|`cron`|`duration`|`timeZone`/],
]);

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    return undefined;
  }
}

describe.each(ADAPTERS)('admin endpoints on %s', (adapter) => {
  const storage = new MemoryStateStorage();
  let running: Running;
  let wire: Wire;
  beforeAll(async () => {
    running = await start(adapter, {
      controllers: [CatsController],
      options: { storage, adminToken: TOKEN },
      extras: { admin: true },
    });
    wire = new Wire(running.port);
  });
  afterAll(async () => {
    wire.close();
    await running.close();
  });

  /** Returns the stored state after checking that it can be read and that nothing was lost. */
  async function content(): Promise<object> {
    const { state } = (await storage.read())!;
    expect(state).toMatchObject({ lineage: 'a', unknown: 'kept' });
    return state;
  }

  /** Checks that the answer is JSON, so that no browser renders it as a page. */
  function expectNoPage({ headers, text }: Answer): void {
    if (text !== '') expect(headers['content-type']).toMatch(/^application\/(?:problem\+)?json(?:;|$)/);
  }

  async function status(): Promise<object> {
    const { status, text } = await wire.send(
      formatRequest('GET', '/maintenance-mode', [`Authorization: Bearer ${TOKEN}`]),
    );
    expect(status).toBe(200);
    const { active, revision, windows } = JSON.parse(text) as Record<string, unknown>;
    return { active, revision, windows };
  }

  it(
    'either applies a body or explains why it is invalid',
    async () => {
      const seen: Record<number, number> = {};
      await holds(change, async (made) => {
        storage.put(STORED);
        await running.maintenance.refresh();
        const answer = await wire.send(requestWith(made));
        seen[answer.status] = (seen[answer.status] ?? 0) + 1;
        expectNoPage(answer);
        expectCleanPrototypes();
        expect([200, 400, 401, 413, 415, 429]).toContain(answer.status);
        const isAllowed = made.access === `Bearer ${TOKEN}`;
        if (!isAllowed) expect([400, 401, 413, 415, 429]).toContain(answer.status);
        const after = await content();

        if (answer.status !== 200) {
          expect(after).toEqual(JSON.parse(STORED));
          expect(JSON.parse(answer.text)).toMatchObject({
            statusCode: answer.status,
            message: expect.stringMatching(/./),
          });
          expect(answer.text).not.toMatch(/node_modules|\.js:\d/);
        } else {
          const { active, revision, windows } = JSON.parse(answer.text) as Record<string, unknown>;
          expect(await status()).toEqual({ active, revision, windows });
          expect(after).toMatchObject({ revision });
        }

        const body = parsed(made.bytes);
        const isPlain =
          made.type === 'application/json' && made.encoding === null && isAllowed && made.bytes.length < 100_000;
        if (!isPlain || typeof body !== 'object' || body === null || Array.isArray(body)) return;
        const given = body as Record<string, unknown>;
        if (isInvalid(made.endpoint, given)) expect(answer.status).toBe(400);
        // Fastify's parser rejects prototype members itself, without naming them.
        if (answer.status !== 400 || /__proto__|constructor/.test(made.bytes.toString())) return;
        const { message } = JSON.parse(answer.text) as { message: string };
        const names = Object.keys(given).filter(
          (name) => message.includes(`\`${name}\``) || WORDS.get(name)?.test(message),
        );
        expect([message, names.length > 0]).toEqual([message, true]);
      });
      for (const status of [200, 400, 401, 415]) expect(seen[status]).toBeGreaterThan(CASES / 100);
    },
    PATIENCE,
  );

  it(
    'accepts every valid window and returns it',
    async () => {
      const start = fc.date({ min: new Date('2038-01-01'), max: new Date('2039-12-31'), noInvalidDate: true });
      const future = fc.date({ min: new Date('2040-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
      const name = fc.string({ minLength: 1, unit: 'binary' }).filter((value) => value.trim() !== '');
      const validWindow = fc.record(
        {
          scope: name,
          mode: fc.constantFrom('full', 'read-only'),
          startsAt: start,
          endsAt: fc.option(future),
          message: fc.oneof(fc.string({ unit: 'binary' }), string),
          retryAfter: fc.maxSafeNat(),
          allowIps: fc.uniqueArray(fc.constantFrom('203.0.113.7', '10.0.0.0/8', '2001:db8::/32'), { minLength: 1 }),
          createdBy: string,
        },
        { requiredKeys: ['scope'] },
      );
      await holds(validWindow, async (options) => {
        storage.put(STORED);
        await running.maintenance.refresh();
        const json = JSON.stringify(options);
        const change = {
          type: 'application/json',
          encoding: null,
          framing: 'length' as const,
          access: `Bearer ${TOKEN}`,
        };
        const answer = await wire.send(requestWith({ endpoint: 'on', bytes: Buffer.from(json), ...change }));
        expect(answer.status).toBe(200);
        type Windows = Record<'active' | 'planned', { scope: string; mode: string }[]>;
        const { windows } = JSON.parse(answer.text) as { windows: Windows };
        const mode = options.mode ?? 'full';
        const known = [...windows.active, ...windows.planned];
        const created = known.find((window) => window.scope === options.scope && window.mode === mode);
        const expected = { mode, ...options };
        expect(created).toMatchObject(JSON.parse(JSON.stringify(expected)));
      });
    },
    PATIENCE,
  );

  it(
    'survives a body with a wrong length',
    async () => {
      const lie = fc.record({
        line: fc.constantFrom(
          ...[
            'Content-Length: 5',
            'Content-Length: 500',
            'Content-Length: 0',
            'Content-Length: -1',
            'Content-Length: 1e3',
          ],
          ...[
            'Content-Length: 99999999999999999999',
            'Content-Length: 3\r\nContent-Length: 4',
            'Content-Length: 2, 2',
            'Expect: x',
          ],
          ...[
            'Transfer-Encoding: chunked',
            'Transfer-Encoding: gzip, chunked',
            'Transfer-Encoding: identity',
            'Transfer-Encoding: x',
          ],
          ...[
            'Transfer-Encoding: chunked\r\nContent-Length: 4',
            'Content-Length: 1048577',
            'X: y',
            'Expect: 100-continue',
          ],
        ),
        body: fc.oneof(
          text,
          fc.constantFrom('0\r\n\r\n', '2\r\n{}\r\n0\r\n\r\n', '5\r\n{}', 'zz\r\n', 'ffffffffffffffff\r\n{}'),
        ),
      });
      await holds(
        lie,
        async ({ line, body }) => {
          storage.put(STORED);
          await running.maintenance.refresh();
          const headers = [
            `Authorization: Bearer ${TOKEN}`,
            'Content-Type: application/json',
            'Connection: close',
            line,
          ];
          const bytes = formatRequest('POST', '/maintenance-mode/on', headers, body);
          const answer = await wire.sendAndEnd(Buffer.from(bytes));
          if (answer) expectNoPage(answer);
          if (answer) expect([200, 400, 413, 415, 417, 501]).toContain(answer.status);
          // Node may parse the end of the body as a second request and answer that first, so only the state is checked.
          await content();
        },
        // Each case needs its own connection, and a machine has a limited number of ports.
        Math.min(CASES, 2_000),
      );
    },
    PATIENCE,
  );
});
