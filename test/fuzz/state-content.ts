import fc, { type Arbitrary } from 'fast-check';
import type { MaintenanceState } from 'nestjs-maintenance';

/** Members of no version so far, without the three names that no reader should copy between objects. */
const extra = fc.dictionary(
  fc
    .string({ minLength: 1, maxLength: 8, unit: 'binary' })
    .filter((name) => !['__proto__', 'constructor', 'prototype'].includes(name))
    .map((name) => `x-${name}`),
  fc.jsonValue({ maxDepth: 2 }),
  { maxKeys: 2 },
);

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12, unit: 'binary' }));
const name = fc.oneof(fc.constantFrom('*', 'payments', 'orders'), fc.string({ minLength: 1, maxLength: 8 }));

/** Dates that every part of the format must accept, including edge cases. */
const moment = fc.oneof(
  fc
    .date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  fc.constantFrom(
    '0000-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    '2024-02-29T23:59:59Z',
    '2026-12-01T03:00+01:00',
  ),
);

const recurrence = fc.record(
  {
    cron: fc.oneof(
      { weight: 40, arbitrary: fc.constantFrom('0 3 * * 0', '*/5 * * * *', '0 0 29 2 *', '59 23 L * *') },
      // Never occurs, which takes a while to detect.
      { weight: 1, arbitrary: fc.constant('0 0 31 2 *') },
    ),
    timeZone: fc.constantFrom('UTC', 'Europe/Rome', 'Australia/Lord_Howe', 'America/New_York'),
    duration: fc.constantFrom(1, 60_000, 3_600_000, 3_650 * 86_400_000),
    ended: moment,
  },
  { requiredKeys: ['cron', 'timeZone', 'duration'] },
);

const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64url'));

const window = fc
  .tuple(
    fc.record(
      {
        id: fc.string({ minLength: 1, maxLength: 8 }),
        scope: name,
        mode: fc.constantFrom('full', 'read-only'),
        startsAt: moment,
        endsAt: fc.oneof(fc.constant(null), moment),
        message: text,
        retryAfter: fc.constantFrom(0, 1, 3600, Number.MAX_SAFE_INTEGER),
        allowIps: fc.array(fc.constantFrom('203.0.113.7', '10.0.0.0/8', '2001:db8::/32', '::ffff:10.0.0.1'), {
          maxLength: 3,
        }),
        createdAt: moment,
        createdBy: text,
        leaseUntil: moment,
        bypass: fc.record({ hash: key, key }),
        recurrence,
      },
      { requiredKeys: ['id', 'scope', 'mode', 'startsAt', 'endsAt', 'createdAt'] },
    ),
    extra,
  )
  .map(([known, more]) => ({ ...more, ...known }));

const entry = fc.record({
  revision: fc.nat(),
  at: moment,
  action: fc.constantFrom('on', 'change', 'off', 'something else'),
  windows: fc.array(fc.record({ id: fc.string() }), { maxLength: 2 }),
});

/** A valid state. */
export const state: Arbitrary<MaintenanceState> = fc
  .tuple(
    fc.record({
      format: fc.constant(1),
      lineage: fc.string({ minLength: 1 }),
      revision: fc.oneof(fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER - 5)),
      windows: fc.array(window, { maxLength: 3 }),
      history: fc.array(entry, { maxLength: 3 }),
    }),
    extra,
  )
  .map(([known, more]) => ({ ...more, ...known }) as MaintenanceState);

/** Values that often break parsers. */
const VALUES = [
  ...['null', 'true', '0', '-1', '-0', '1e400', '9'.repeat(400), '9007199254740993', '1.5', '""', '{}', '[]', '[[[['],
  ...[
    '"\\u0000"',
    '"\\ud800"',
    '"__proto__"',
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
  ],
  ...['"+275760-09-13T00:00:00.000Z"', '"-000001-01-01T00:00:00Z"', '"2026-02-30T00:00:00Z"', '"2026-12-01T24:00:00Z"'],
  ...['"2026-12-01T02:00"', '"2026-12-01T02:00+99:99"', '"*"', '"read-only"', '"full"', `"${'x'.repeat(2000)}"`],
];
const value = fc.oneof(fc.constantFrom(...VALUES), fc.json({ maxDepth: 2 }));

/** Mutations of a serialized state: parts are removed, duplicated or replaced. */
const change = fc.record({
  kind: fc.constantFrom('byte', 'cut', 'insert', 'double', 'end', 'value', 'value', 'value'),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  length: fc.integer({ min: 1, max: 20 }),
  byte: fc.integer({ min: 0, max: 255 }),
  value,
});

const PLACE_OF_VALUE = /(?<=[:[,])\s*(?:"(?:[^"\\]|\\.)*"|-?[\d.]+|null|true|false)/g;

function changed(
  content: Buffer,
  { kind, at, length, byte, value }: typeof change extends Arbitrary<infer T> ? T : never,
): Buffer {
  const from = Math.floor(at * content.length);
  const to = Math.min(content.length, from + length);
  const [before, behind] = [content.subarray(0, from), content.subarray(to)];
  switch (kind) {
    case 'byte':
      return Buffer.concat([before, Buffer.from([byte]), content.subarray(from + 1)]);
    case 'cut':
      return Buffer.concat([before, behind]);
    case 'insert':
      return Buffer.concat([before, Buffer.from(value), content.subarray(from)]);
    case 'double':
      return Buffer.concat([content.subarray(0, to), content.subarray(from)]);
    case 'end':
      return before;
    default: {
      const text = content.toString();
      const places = [...text.matchAll(PLACE_OF_VALUE)];
      const place = places[Math.floor(at * places.length)];
      if (!place) return content;
      return Buffer.from(text.slice(0, place.index) + value + text.slice(place.index + place[0].length));
    }
  }
}

const mutated = fc
  .tuple(state, fc.array(change, { minLength: 1, maxLength: 3 }))
  .map(([valid, changes]) => changes.reduce(changed, Buffer.from(JSON.stringify(valid))));

const WINDOW =
  '{"id":"a","scope":"*","mode":"full","startsAt":"2026-01-01T00:00:00Z","endsAt":null,"createdAt":"2026-01-01T00:00:00Z"}';
const createState = (windows: string, more = ''): string =>
  `{"format":1,"lineage":"a","revision":1,"windows":[${windows}],"history":[]${more}}`;

/** Values that no generator produces by chance. */
const SPECIAL = [
  ...[
    '1',
    '0',
    ' 1\n',
    '\t0 ',
    '\ufeff1',
    '\ufeff0\n',
    '01',
    '1.0',
    '1 0',
    '+1',
    '-0',
    '１',
    '',
    ' ',
    '\0',
    'null',
    'true',
    '"1"',
    '[1]',
  ],
  ...['['.repeat(5_000), '{"a":'.repeat(5_000), `${'['.repeat(2_000)}${']'.repeat(2_000)}`],
  ...[
    createState(''),
    createState(WINDOW),
    `\ufeff${createState(WINDOW)}`,
    `${createState('')}${createState('')}`,
    `${createState('')}\0`,
  ],
  ...[createState('', ',"__proto__":{"polluted":1}'), createState('', ',"constructor":{"prototype":{"polluted":1}}')],
  ...[createState('', `,"windows":[${WINDOW}]`), createState('', ',"windows":7'), createState(WINDOW, ',"format":2')],
  ...[createState(Array(500).fill(WINDOW).join()), createState('', `,"x":${'['.repeat(90)}${']'.repeat(90)}`)],
  ...[3_000, 10_000].map((depth) => createState('', `,"x":${'['.repeat(depth)}${']'.repeat(depth)}`)),
];

/** Any content that a storage may contain, as bytes. */
export const content: Arbitrary<Buffer> = fc.oneof(
  { weight: 10, arbitrary: mutated },
  { weight: 2, arbitrary: fc.constantFrom(...SPECIAL).map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 2, arbitrary: fc.json().map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: state.map((valid) => Buffer.from(JSON.stringify(valid))) },
  // Invalid UTF-8 within a text.
  {
    weight: 1,
    arbitrary: fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => {
      const [before, behind] = createState(WINDOW.replace('"full"', '"full","message":"?"')).split('?');
      return Buffer.concat([Buffer.from(before!), Buffer.from(bytes), Buffer.from(behind!)]);
    }),
  },
);

/** Whether the bytes are JSON, ignoring a byte order mark and surrounding white space. */
export function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString().trim());
    return true;
  } catch {
    return false;
  }
}
