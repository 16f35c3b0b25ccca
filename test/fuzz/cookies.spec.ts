import { createHash, createHmac, randomBytes } from 'node:crypto';
import fc, { type Arbitrary } from 'fast-check';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { CatsController } from '../e2e/controllers.js';
import { CASES, holds, PATIENCE } from './cases.js';
import { formatRequest, Wire } from './wire.js';

const NAME = '__Host-maintenance-bypass';
const HOUR = 3_600_000;
const NOW = Date.now();

/** A window and its bypass, computed here from docs/bypass.md and the state format. */
function windowWithKey(id: string, scope: string) {
  const token = randomBytes(32).toString('base64url');
  const key = randomBytes(32).toString('base64url');
  const hash = createHash('sha256').update(token).digest('base64url');
  const date = new Date(NOW - HOUR).toISOString();
  const stored = {
    id,
    scope,
    mode: 'full' as const,
    startsAt: date,
    endsAt: null,
    createdAt: date,
    bypass: { hash, key },
  };
  const pass = (issued: number | string, expiry: number | string, purpose = 'nestjs-maintenance bypass'): string => {
    const fields = ['v1', Buffer.from(id).toString('base64url'), String(issued), String(expiry)];
    const signed = createHmac('sha256', Buffer.from(key, 'base64url')).update(JSON.stringify([purpose, ...fields]));
    return [...fields, signed.digest('base64url')].join('.');
  };
  return { token, stored, pass };
}

const everything = windowWithKey('e1', '*');
const part = windowWithKey('p1', 'payments');
const gone = windowWithKey('g1', '*');

/** All valid cookies of the window for all scopes. Any other value must be rejected. */
const VALID = [everything.pass(NOW - 1000, NOW + HOUR), everything.pass(NOW - 11 * HOUR, NOW + HOUR)];
const ALMOST = [
  everything.pass(NOW - 2 * HOUR, NOW - HOUR),
  everything.pass(NOW + 2 * HOUR, NOW + 3 * HOUR),
  everything.pass(NOW, NOW + HOUR, 'nestjs-maintenance something else'),
  everything.pass('', ''),
  part.pass(NOW, NOW + HOUR),
  gone.pass(NOW, NOW + HOUR),
  everything.token,
  everything.stored.bypass.hash,
  everything.stored.bypass.key,
  `v1.${VALID[0]!.split('.')[1]}.${NOW}.${NOW + HOUR}.`,
  VALID[0]!.split('.').with(-1, VALID[1]!.split('.').at(-1)!).join('.'),
];

const valid = fc.constantFrom(...VALID);
/** A valid cookie with one change that makes it invalid. */
const altered = fc
  .record({
    value: valid,
    at: fc.nat({ max: 200 }),
    kind: fc.constantFrom('bit', 'character', 'cut', 'insert', 'end', 'case', 'more', 'field'),
    bit: fc.nat({ max: 6 }),
    text: fc.stringMatching(/^[!#-+\--:<-[\]-~]{1,8}$/),
  })
  .map(({ value, at: where, kind, bit, text }) => {
    const at = where % value.length;
    const [before, behind] = [value.slice(0, at), value.slice(at + 1)];
    switch (kind) {
      case 'bit':
        return before + String.fromCharCode(value.charCodeAt(at) ^ (1 << bit)) + behind;
      case 'character':
        return before + text[0] + behind;
      case 'cut':
        return before + behind;
      case 'insert':
        return before + text + value.slice(at);
      case 'end':
        return before;
      case 'case':
        return value.toUpperCase();
      case 'more':
        return value + text;
      default:
        return value
          .split('.')
          .with(at % 5, text)
          .join('.');
    }
  })
  .map((text) => text.replace(/[^\x20-\x7e]/g, '~'));
const wild = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.stringMatching(/^v1(\.[\w-]{0,12}){0,6}$/),
  fc.constantFrom('', '"', '""', '%', '%00', '%zz', '%e0%a4%a', '=', '==', 'v1....', '__proto__', '[object Object]'),
);
const percented = (text: string): string =>
  [...text].map((one) => `%${one.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
const value = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: valid },
      { weight: 4, arbitrary: altered },
      { weight: 2, arbitrary: fc.constantFrom(...ALMOST) },
      { weight: 1, arbitrary: wild },
    ),
    fc.constantFrom(
      ...[
        'plain',
        'plain',
        'plain',
        'plain',
        'quoted',
        'percented',
        'encoded',
        'half quoted',
        'twice encoded',
        'blank',
      ],
    ),
  )
  .map(([text, how]) => {
    switch (how) {
      case 'quoted':
        return `"${text}"`;
      case 'half quoted':
        return `"${text}`;
      case 'percented':
        return percented(text);
      case 'twice encoded':
        return percented(percented(text));
      case 'encoded':
        return text.replaceAll('.', '%2e');
      case 'blank':
        return ` ${text} `;
      default:
        return text;
    }
  });
const name: Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.constant(NAME) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...[
        'maintenance-bypass',
        NAME.toLowerCase(),
        `${NAME}2`,
        ` ${NAME} `,
        `x${NAME}`,
        '__proto__',
        'constructor',
        '',
      ],
      ...[percented(NAME), `"${NAME}"`, 'a', '$Version'],
    ),
  },
);
const pair = fc.tuple(name, fc.constantFrom('=', '=', '=', '=', '==', ' = ', ''), value).map((parts) => parts.join(''));
const filler = fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 1_000, 3_000).map((count) => 'a=b; '.repeat(count));
const cookie = fc
  .tuple(
    filler,
    fc.array(fc.oneof(pair, wild), { maxLength: 4 }),
    fc.constantFrom('; ', '; ', ';', ';;', ' ; ', ', ', '&'),
  )
  .map(([before, parts, separator]) => before + parts.join(separator));
// Characters that end a header in Node would start another one.
const sendable = (text: string): string => text.replace(/[\r\n\0]/g, '~');

/**
 * Whether any reading of the header finds a valid cookie: every member of that name counts, with or
 * without quotes, decoded or not. Nothing is computed: only the cookies created above are valid.
 */
function mayOpen(headers: readonly string[]): boolean {
  return headers
    .flatMap((header) => header.split(/[;,]/))
    .filter((member) => member.slice(0, member.indexOf('=')).trim() === NAME)
    .map((member) =>
      member
        .slice(member.indexOf('=') + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1'),
    )
    .some((text) => VALID.includes(text) || VALID.includes(decoded(text)));
}

/** Whether the cookie header contains a valid cookie and is unambiguous. */
function mustOpen(headers: readonly string[]): boolean {
  const members = headers
    .join('; ')
    .split(';')
    .map((member) => member.trim());
  const named = members.filter((member) => member.includes(NAME));
  return named.length === 1 && VALID.some((key) => named[0] === `${NAME}=${key}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

describe.each(ADAPTERS)('bypass on %s', (adapter) => {
  const storage = new MemoryStateStorage();
  let running: Running;
  let wire: Wire;
  beforeAll(async () => {
    const windows = [everything.stored, part.stored];
    storage.put(JSON.stringify({ format: 1, lineage: 'a', revision: 1, windows, history: [] }));
    running = await start(adapter, { controllers: [CatsController], options: { storage } });
    wire = new Wire(running.port);
  });
  afterAll(async () => {
    wire.close();
    await running.close();
  });

  async function statusWith(headers: readonly string[]): Promise<number> {
    return (await wire.send(formatRequest('GET', '/cats', headers))).status;
  }

  it('is created by the application from the link', async () => {
    const { status, headers } = await wire.send(
      formatRequest('GET', `/cats?maintenance_bypass=${everything.token}`, []),
    );
    expect(status).toBe(303);
    const [, value] = headers['set-cookie']!.match(/^__Host-maintenance-bypass=([^;]+)/)!;
    const [, , issued, expiry] = value!.split('.');
    expect(value).toBe(everything.pass(issued!, expiry!));
    for (const key of [value, ...VALID]) expect(await statusWith([`Cookie: ${NAME}=${key}`])).toBe(200);
    for (const key of ALMOST) expect(await statusWith([`Cookie: ${NAME}=${key}`])).toBe(503);
  });

  it(
    'admits only requests with a valid cookie',
    async () => {
      const seen = { admitted: 0, refused: 0 };
      await holds(fc.array(cookie.map(sendable), { minLength: 1, maxLength: 2 }), async (cookies) => {
        const status = await statusWith(cookies.map((text) => `Cookie: ${text}`));
        expect([200, 400, 431, 503]).toContain(status);
        if (status === 200) expect(mayOpen(cookies)).toBe(true);
        if (mustOpen(cookies) && cookies.join().length < 10_000) expect(status).toBe(200);
        seen[status === 200 ? 'admitted' : 'refused']++;
      });
      expect(Math.min(seen.admitted, seen.refused)).toBeGreaterThan(CASES / 50);
    },
    PATIENCE,
  );

  it(
    'admits only requests with exactly the token in the header',
    async () => {
      const { token } = everything;
      const seen = { admitted: 0, refused: 0 };
      const text = fc.oneof(
        fc.constant(token),
        fc.nat({ max: token.length - 1 }).map((at) => token.slice(0, at) + token.slice(at + 1)),
        fc
          .tuple(fc.nat({ max: token.length - 1 }), fc.nat({ max: 5 }))
          .map(
            ([at, bit]) =>
              token.slice(0, at) + String.fromCharCode(token.charCodeAt(at) ^ (1 << bit)) + token.slice(at + 1),
          ),
        fc.constantFrom(part.token, gone.token, ...ALMOST.slice(-4), ...VALID, `"${token}"`, `${token}=`, `${token},`),
        fc.constantFrom(percented(token), token.toLowerCase(), `Bearer ${token}`, `${token} ${token}`, ''),
        fc.string({ maxLength: 60 }),
      );
      const header = fc
        .tuple(fc.mixedCase(fc.constant('X-Maintenance-Bypass')), fc.constantFrom('', ' ', '\t '), text.map(sendable))
        .map(([name, blank, value]) => ({ line: `${name}:${blank}${value}${blank}`, value: value.trim() }));
      await holds(fc.array(header, { minLength: 1, maxLength: 2 }), async (headers) => {
        const status = await statusWith(headers.map(({ line }) => line));
        const isToken = headers.length === 1 && headers[0]!.value === token;
        if (isToken) expect(status).toBe(200);
        else expect([400, 503]).toContain(status);
        seen[isToken ? 'admitted' : 'refused']++;
      });
      expect(Math.min(seen.admitted, seen.refused)).toBeGreaterThan(CASES / 50);
    },
    PATIENCE,
  );
});
