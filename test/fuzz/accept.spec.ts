import fc, { type Arbitrary } from 'fast-check';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { CatsController } from '../e2e/controllers.js';
import { holds, PATIENCE } from './cases.js';
import { formatRequest, Wire, type Answer } from './wire.js';

/** A media range of RFC 9110, section 12.5.1, with its weight. */
interface Range {
  type: string;
  subtype: string;
  parameters: [name: string, value: string][];
  weight: number;
}

const token = fc.stringMatching(/^[A-Za-z0-9!#$&'+.^_`|~-]{1,6}$/);
const blank = fc.constantFrom('', '', '', ' ', '\t', '  ');
const anyCase = (text: string): Arbitrary<string> =>
  fc.mixedCase(fc.constant(text)).filter((mixed) => mixed.toLowerCase() === text.toLowerCase());

const type = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(['text', 'html'], ['application', 'xhtml+xml'], ['*', '*']) },
  { weight: 3, arbitrary: fc.constantFrom(['application', 'problem+json'], ['application', 'json']) },
  { weight: 2, arbitrary: fc.constantFrom(['text', '*'], ['application', '*']) },
  { weight: 1, arbitrary: fc.tuple(token, fc.oneof(token, fc.constant('*'))) },
);
const quoted = fc.stringMatching(/^[ !#-[\]-~]{0,6}$/).map((text) => `"${text}"`);
// `negotiator` also matches empty or * parameters without a counterpart; clients do not send them.
const parameter = fc.tuple(
  token.filter((name) => name.toLowerCase() !== 'q'),
  fc.oneof({ weight: 3, arbitrary: token }, { weight: 1, arbitrary: quoted.filter((text) => !/^"\*?"$/.test(text)) }),
);
const weight = fc.oneof(
  fc.constantFrom('0', '1', '0.5', '0.9', '0.001', '1.000', '0.', '1.', '0.50', '0.000'),
  fc.stringMatching(/^0\.[0-9]{1,3}$/),
);
const range = fc
  .tuple(type, fc.array(parameter, { maxLength: 1 }), fc.option(weight), blank, blank, anyCase('q'))
  .chain(([[type, subtype], parameters, given, before, behind, q]) =>
    fc.tuple(anyCase(type), anyCase(subtype)).map(([shownType, shownSubtype]) => ({
      range: { type, subtype, parameters, weight: given === null ? 1 : Number(given) },
      text:
        [`${shownType}/${shownSubtype}`, ...parameters.map(([name, value]) => `${name}=${value}`)].join(
          `${before};${behind}`,
        ) + (given === null ? '' : `${before};${behind}${q}=${given}`),
    })),
  );
/** Members of a list may be empty (RFC 9110, section 5.6.1.2). */
const grammatical = fc
  .tuple(fc.array(range, { minLength: 1, maxLength: 5 }), blank, blank, fc.constantFrom(',', ',', ',,', ', ,'))
  .map(([ranges, before, behind, comma]) => ({
    ranges: ranges.map(({ range }) => range),
    text: ranges.map(({ text }) => text).join(before + comma + behind),
  }));

/** Returns the weight that a client gives a type: that of the most specific matching range, or 0 without one. */
function getWeight(media: string, ranges: readonly Range[]): number {
  const [type, subtype] = media.split('/');
  let best = { precedence: -1, weight: 0 };
  for (const range of ranges) {
    // None of the types on offer has a parameter.
    if (range.parameters.length > 0) continue;
    const isExact = range.type.toLowerCase() === type && range.subtype.toLowerCase() === subtype;
    const precedence = isExact ? 2 : range.subtype !== '*' ? -1 : range.type === '*' ? 0 : range.type === type ? 1 : -1;
    if (precedence > best.precedence) best = { precedence, weight: range.weight };
    // Of two ranges that are the same, the RFC prefers none.
    else if (precedence === best.precedence && precedence >= 0 && range.weight !== best.weight) return NaN;
  }
  return best.weight;
}

/** The format with the higher weight; `null` where the RFC leaves the choice. */
function preferred(ranges: readonly Range[]): 'html' | 'json' | null {
  const weights = (...types: string[]): number => Math.max(...types.map((media) => getWeight(media, ranges)));
  const html = weights('text/html', 'application/xhtml+xml');
  const json = weights('application/problem+json', 'application/json');
  if (Number.isNaN(html) || Number.isNaN(json) || (html === json && html > 0)) return null;
  return html > json ? 'html' : 'json';
}

/** Characters allowed in a header: no control characters except tab. */
const byte = fc.integer({ min: 0, max: 255 }).filter((code) => code === 9 || (code > 31 && code !== 127));
const bytes = fc.array(byte, { maxLength: 60 }).map((codes) => String.fromCharCode(...codes));
const pieces = fc
  .array(
    fc.oneof(
      fc.constantFrom('text/html', '*/*', 'application/json', ';', ',', '=', 'q', 'q=', '"', '\\', '/', '*', ' ', '\t'),
      fc.constantFrom(
        'q=1e9',
        'q=-1',
        'q=NaN',
        'q=2',
        'q="1"',
        '__proto__=1',
        'constructor',
        'charset=utf-8',
        ';;',
        '//',
      ),
      token,
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

describe.each(ADAPTERS)('Accept header on %s', (adapter) => {
  let running: Running;
  let wire: Wire;
  beforeAll(async () => {
    running = await start(adapter, { controllers: [CatsController] });
    await running.maintenance.enable();
    wire = new Wire(running.port);
  });
  afterAll(async () => {
    wire.close();
    await running.close();
  });

  async function sendRefused(...accept: string[]): Promise<Answer> {
    return wire.send(
      formatRequest(
        'GET',
        '/cats',
        accept.map((value) => `Accept: ${value}`),
      ),
    );
  }

  /** Returns the format of a refusal after checking that it is complete. */
  function getFormat({ status, headers, text }: Answer): 'html' | 'json' {
    expect(status).toBe(503);
    expect(headers.vary).toMatch(/(?:^|, *)accept(?:$|,)/i);
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['retry-after']).toMatch(/^[1-9]\d*$/);
    if (headers['content-type'] === 'text/html; charset=utf-8') {
      expect(text).toMatch(/^<!doctype html>/i);
      return 'html';
    }
    expect(headers['content-type']).toMatch(/^application\/problem\+json(?:; charset=utf-8)?$/);
    expect(JSON.parse(text)).toMatchObject({ status: 503 });
    return 'json';
  }

  it(
    'is negotiated according to RFC 9110',
    async () => {
      const seen = { html: 0, json: 0 };
      await holds(grammatical, async ({ ranges, text }) => {
        const format = getFormat(await sendRefused(text));
        const expected = preferred(ranges);
        if (expected !== null) expect(format).toBe(expected);
        if (expected !== null) seen[expected]++;
      });
      expect(Math.min(seen.html, seen.json)).toBeGreaterThan(10);
    },
    PATIENCE,
  );

  it(
    'gets a complete refusal for any header value',
    () =>
      holds(fc.array(fc.oneof(bytes, pieces), { minLength: 1, maxLength: 3 }), async (accept) => {
        getFormat(await sendRefused(...accept));
      }),
    PATIENCE,
  );

  it(
    'takes less than 100 ms of CPU time to parse, for any length',
    async () => {
      const repeated = fc.tuple(pieces, pieces, pieces).filter(([, middle]) => middle !== '');
      await holds(repeated, async ([first, middle, last]) => {
        const long = first + middle.repeat(14_000).slice(0, 14_000 - last.length - first.length) + last;
        // A garbage collection may run at any time, so only a value that is slow every time counts as slow.
        const times: number[] = [];
        while (times.length < 3 && (times.at(-1) ?? Infinity) > 100) {
          const before = process.cpuUsage();
          getFormat(await sendRefused(long));
          const { user, system } = process.cpuUsage(before);
          times.push((user + system) / 1_000);
        }
        expect(Math.min(...times)).toBeLessThan(100);
      });
    },
    PATIENCE,
  );
});
