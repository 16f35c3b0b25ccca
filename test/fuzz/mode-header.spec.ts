import fc from 'fast-check';
import { DisplayString, parseDictionary, parseItem, type Token } from 'structured-headers';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { CatsController } from '../e2e/controllers.js';
import { CASES, holds, PATIENCE } from './cases.js';

const HOUR_MS = 3_600_000;
/** Any text, also with control characters, halves of surrogate pairs and the syntax of headers. */
const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 400 }),
  fc
    .array(fc.constantFrom('\r\n', 'Set-Cookie: a=b', '"', '\\', '%', '%"', ';until=@1', '\u0000', 'é', '\ud83d'), {
      minLength: 1,
    })
    .map((parts) => parts.join('')),
);
const scope = text.filter((value) => value.trim() !== '');
const cases = fc.record({ scope, message: text, mode: fc.constantFrom('full' as const, 'read-only' as const) });

function toText(value: unknown): string {
  return value instanceof DisplayString ? value.toString() : (value as string);
}

describe.each(ADAPTERS)('the headers of any window (%s)', (adapter) => {
  let running: Running;
  let current = '';
  beforeAll(async () => {
    running = await start(adapter, {
      controllers: [CatsController],
      options: { announce: { before: 2 * HOUR_MS }, scopesOf: () => [current] },
    });
  });
  afterAll(() => running.close());

  it(
    'are the same for every parser, and have nothing from the window but its scope',
    () =>
      holds(
        cases,
        async ({ scope, message, mode }) => {
          await running.maintenance.disable({ all: true });
          const plain = Object.keys((await running.call('/unknown')).headers);
          current = scope;
          const shown = Buffer.from(scope).toString();
          await running.maintenance.enable({ scope, message, startsAt: new Date(Date.now() + HOUR_MS) });
          const announced = await running.call('/unknown');
          const announcement = parseDictionary(announced.headers['maintenance-announcement'] as string);
          const announcedScope = announcement.get('scope');
          if (announcedScope) expect(toText(announcedScope[0])).toBe(shown);
          expect(Object.keys(announced.headers).sort()).toEqual([...plain, 'maintenance-announcement'].sort());
          await running.maintenance.disable({ all: true });
          await running.maintenance.enable({ scope, message, mode });
          const headers = { 'content-type': 'application/json' };
          const refused = await running.call('/cats', { method: 'POST', headers, body: '{}' });
          expect(refused.status).toBe(503);
          const [item, parameters] = parseItem(refused.headers['maintenance-mode'] as string);
          expect((item as Token).toString()).toBe(mode);
          if (parameters.has('scope')) expect(toText(parameters.get('scope'))).toBe(shown);
          else expect(Buffer.byteLength(scope)).toBeGreaterThan(300);
          expect(refused.headers).not.toHaveProperty('set-cookie');
          expect(refused.json()).toMatchObject({ scope, message, mode });
        },
        CASES / 4,
      ),
    PATIENCE,
  );
});
