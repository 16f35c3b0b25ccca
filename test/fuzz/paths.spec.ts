import { All, Controller, Get, Header, Param, Post, type INestApplication } from '@nestjs/common';
import fc from 'fast-check';
import type { MaintenanceModuleOptions } from 'nestjs-maintenance';
import { ADAPTERS, start, type Adapter } from '../e2e/application.js';
import { CASES, holds, PATIENCE } from './cases.js';
import { startPlain } from './plain-application.js';
import { formatRequest, Wire, type Answer } from './wire.js';

/** Every handler sets a header, so that the test can tell its answers. */
const Answers = (): MethodDecorator => Header('X-Handler', 'yes');

@Controller()
class ShopController {
  @Answers()
  @Get()
  home(): string {
    return 'home';
  }

  @Answers()
  @Get('cats')
  cats(): string {
    return 'cats';
  }

  @Answers()
  @Post('cats')
  create(): string {
    return 'created';
  }

  @Answers()
  @Get('cats/:name')
  cat(@Param('name') name: string): string {
    return `cat ${name}`;
  }

  @Answers()
  @All('docs')
  docs(): string {
    return 'docs';
  }

  @Answers()
  @Get('files/:name')
  file(): string {
    return 'file';
  }

  @Answers()
  @Get('v:number/ping')
  ping(@Param('number') number: string): string {
    return `ping ${number}`;
  }

  @Answers()
  @All('health')
  health(): string {
    return 'healthy';
  }

  @Answers()
  @All('robots.txt')
  robots(): string {
    return 'robots';
  }
}

const URLS: NonNullable<MaintenanceModuleOptions['exempt']>['urls'] = [
  '/docs',
  '/files/{*rest}',
  /\/v\d+\/ping/,
  '/über',
];
const PROBES = ['/health', '/healthz', '/livez', '/readyz', '/robots.txt'];

/**
 * Returns the decoded path if it is in normal form (RFC 3986, section 6.2.2), else `undefined`. Written from the
 * contract, one character and segment at a time.
 */
function decodeNormalPath(target: string): string | undefined {
  const [path = ''] = target.split('?', 1);
  if (!path.startsWith('/')) return undefined;
  for (const character of path) if (character <= ' ' || character > '~' || '\\;#'.includes(character)) return undefined;
  const segments = path.slice(1).split('/');
  if (segments.some((segment, index) => segment === '' && index < segments.length - 1)) return undefined;
  if (segments.some((segment) => segment === '.' || segment === '..')) return undefined;
  for (const [escaped] of path.matchAll(/%.{0,2}/g)) {
    if (!/^%[\da-f]{2}$/i.test(escaped)) return undefined;
    const character = String.fromCharCode(parseInt(escaped.slice(1), 16));
    if (/[\w.~\-/\\;]/.test(character) || character < ' ' || character === '\x7f') return undefined;
  }
  try {
    const decoded = path.replace(/(?:%[89a-f][\da-f])+/gi, (bytes) => decodeURIComponent(bytes));
    return decoded.length > 1 ? decoded.replace(/\/$/, '') : decoded;
  } catch {
    return undefined;
  }
}

function isExempt(method: string, target: string, prefix: string): boolean {
  const path = decodeNormalPath(target);
  if (path === undefined) return false;
  if (path === '/docs' || path === '/files' || path.startsWith('/files/') || path === '/über') return true;
  if (/^\/v[0-9]+\/ping$/.test(path)) return true;
  const isProbe = PROBES.some((probe) => path === probe || path === prefix + probe);
  return isProbe && (method === 'GET' || method === 'HEAD');
}

const known = [
  ...[
    '/',
    '/cats',
    '/cats/tom',
    '/docs',
    '/files/a',
    '/files/a/b.txt',
    '/v1/ping',
    '/v22/ping',
    '/health',
    '/robots.txt',
  ],
  ...[
    '/api',
    '/api/cats',
    '/api/cats/tom',
    '/api/docs',
    '/api/files/a',
    '/api/v1/ping',
    '/api/health',
    '/api/livez',
    '/%C3%BCber',
  ],
];
const words = [...new Set(known.flatMap((path) => path.slice(1).split('/')))];
const segment = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...words) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...[
        '..',
        '.',
        '',
        '%2e%2e',
        '%2E',
        '..;',
        ';a=b',
        'docs;x',
        'DOCS',
        'Cats',
        '%64ocs',
        'c%61ts',
        'docs%2f',
        '%2f',
        '%5c',
      ],
      ...[
        '\\',
        'docs\\',
        '%00',
        'docs%00',
        '%',
        '%zz',
        '%c3',
        '%e0%80%af',
        '%c0%ae',
        '%25',
        '%2561',
        'a%20b',
        'a+b',
        '~',
        '%7e',
      ],
      ...[
        'docs%20',
        '%3b',
        '%3f',
        '%23',
        '*',
        '{*rest}',
        ':name',
        'v1%2fping',
        'v%31',
        '__proto__',
        'constructor',
        '\xfcber',
      ],
    ),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[\x21-\x7e]{0,8}$/) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }).map((bytes) => String.fromCharCode(...bytes)) },
);
const path = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...known) },
  { weight: 8, arbitrary: fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('/')}`) },
  // A known path with dot segments, or with one of its characters encoded differently.
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...known),
        fc.nat({ max: 20 }),
        fc.constantFrom('/.', '/x/..', '/', '%', '\\', ';', '#', ' ', '\t', '\x7f'),
      )
      .map(([path, where, what]) => {
        const at = where % path.length;
        const replaced = what === '%' ? `%${path.charCodeAt(at).toString(16)}` : what + path[at];
        return path.slice(0, at) + replaced + path.slice(at + 1);
      }),
  },
);
const target = fc
  .oneof(
    {
      weight: 16,
      arbitrary: fc
        .tuple(
          path,
          fc.constantFrom('', '', '', '', '/', '//', '?', '?a=/docs', '?/../docs', '#', '#/docs', '%20', ';', '/.'),
        )
        .map((parts) => parts.join('')),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          fc.constantFrom(
            'http://127.0.0.1',
            'http://docs',
            'https://x:1',
            'http://[',
            'file://',
            '//docs',
            '/\\docs',
            'docs',
          ),
          path,
        )
        .map((parts) => parts.join('')),
    },
    { weight: 1, arbitrary: fc.constantFrom('*', '', '?', '#', '/?', 'docs', '127.0.0.1:80') },
  )
  .map((text) =>
    text
      .replace(/[\r\n\0]/g, '~')
      // Leading spaces would belong to the request line.
      .replace(/^ +/, ''),
  );
const method = fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'GETT');
const ADAPTERS_AND_PREFIXES = ADAPTERS.flatMap((adapter) =>
  ['', '/api'].map((prefix) => [adapter, prefix] as [Adapter, string]),
);

describe.each(ADAPTERS_AND_PREFIXES)('paths on %s with the prefix "%s"', (adapter, prefix) => {
  const ends: (() => unknown)[] = [];
  /** The same application without the module, with maintenance off, and with it on: with and without the middleware. */
  let plain: Wire;
  let off: Wire;
  let refusing: Wire;
  let guarded: Wire;

  beforeAll(async () => {
    const main = (app: INestApplication): void => {
      if (prefix !== '') app.setGlobalPrefix(prefix);
    };
    const wireTo = ({ port, close }: { port: number; close: () => Promise<void> }): Wire => {
      const wire = new Wire(port);
      ends.push(() => (wire.close(), close()));
      return wire;
    };
    const running = (options: MaintenanceModuleOptions, edge = true) =>
      start(adapter, {
        controllers: [ShopController],
        main,
        options: { exempt: { urls: URLS }, ...options },
        extras: { mount: { edge } },
      });
    plain = wireTo(await startPlain(adapter, [ShopController], main));
    off = wireTo(await running({}));
    const on = await running({});
    await on.maintenance.enable();
    refusing = wireTo(on);
    guarded = wireTo(await running({ enabled: true }, false));
  });
  afterAll(() => Promise.all(ends.map((end) => end())));

  const sendRequest = (wire: Wire, method: string, target: string): Promise<Answer> =>
    wire.send(formatRequest(method, target, method === 'POST' ? ['Content-Length: 0'] : []), method === 'HEAD');
  const isHandled = ({ headers }: Answer): boolean => headers['x-handler'] === 'yes';
  const summarize = ({ status, text, headers }: Answer): object => ({
    status,
    text,
    type: headers['content-type'],
    allow: headers.allow,
    handler: headers['x-handler'],
  });

  it(
    'refuses paths in any spelling, exempts them only in normal form, and changes nothing while maintenance is off',
    async () => {
      const seen = { exempt: 0, refused: 0, unread: 0, handled: 0 };
      await holds(
        fc.tuple(method, target),
        async ([method, target]) => {
          const [without, whileOff, whileOn, byGuard] = (await Promise.all(
            [plain, off, refusing, guarded].map((wire) => sendRequest(wire, method, target)),
          )) as [Answer, Answer, Answer, Answer];
          for (const { status } of [whileOff, whileOn, byGuard]) expect(status).not.toBe(500);

          // While maintenance is off, the module must not change any response.
          expect(summarize(whileOff)).toEqual(summarize(without));

          if (isExempt(method, target, prefix)) {
            seen.exempt++;
            expect(summarize(whileOn)).toEqual(summarize(without));
          } else {
            expect(isHandled(whileOn)).toBe(false);
            expect(isHandled(byGuard)).toBe(false);
            if (whileOn.status === 503) seen.refused++;
            // A request that Node, Fastify or Express cannot parse gets the same answer as without the module.
            else {
              seen.unread++;
              expect(summarize(whileOn)).toEqual(summarize(without));
              if (whileOn.status !== 400) {
                expect([adapter, target[0] === '/', whileOn.status]).toEqual(['express', false, 404]);
              }
            }
          }

          // The guard only sees requests with a handler; for those, the middleware has to decide the same.
          if (!isHandled(without)) return;
          seen.handled++;
          expect(whileOn.status).toBe(byGuard.status);
          if (!isExempt(method, target, prefix)) expect(whileOn.status).toBe(503);
        },
        (CASES / ADAPTERS_AND_PREFIXES.length) * 2,
      );
      for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
    },
    PATIENCE,
  );
});
