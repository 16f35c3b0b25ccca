import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc, { type Arbitrary } from 'fast-check';
import type { MaintenanceState } from 'nestjs-maintenance';
import { folderWith, run } from '../cli/program.js';
import { CASES, holds, PATIENCE } from './cases.js';
import { CommandLine, type Ran } from '../cli/command-line.js';

const HOUR = 3_600_000;
// eslint-disable-next-line no-control-regex -- these must not get to a terminal
const DANGEROUS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const STORED = JSON.stringify({
  ...{ format: 1, lineage: 'a', revision: 3, history: [], unknown: 'kept' },
  windows: [
    {
      ...{ id: 'w1', scope: 'orders', mode: 'read-only', startsAt: '2026-01-01T00:00:00Z', endsAt: null },
      ...{ createdAt: '2026-01-01T00:00:00Z', message: 'a\u001b[2Jb\u202e' },
    },
  ],
});

/** Arguments reach a process without the character that ends them in C, and as UTF-8. */
const typed = (text: Arbitrary<string>): Arbitrary<string> =>
  text.map((value) => Buffer.from(value.replaceAll('\0', '~')).toString());
const wild = typed(
  fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.string({ maxLength: 12, unit: 'binary' }),
    fc.constantFrom(
      '',
      ' ',
      '-',
      '--',
      '\n',
      '\r',
      '\t',
      '\u001b[2J',
      '\u001b]0;title\u0007',
      '\u009b31m',
      '\u202e',
      '\u0085',
      '\b\b\b',
    ),
    fc.constantFrom(
      'a'.repeat(5_000),
      '%s%d',
      '$(id)',
      '../../x',
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
    ),
  ),
);
/** A value that is neither empty nor mistaken for another option. */
const word = wild.filter((text) => text.trim() !== '' && !text.startsWith('-'));

/** A valid option and the fields that `on` then stores. */
interface Given {
  name: string;
  args: string[];
  stores?: Record<string, unknown>;
}
const given = (
  name: string,
  value: Arbitrary<string>,
  stores: (text: string) => Record<string, unknown>,
): Arbitrary<Given> =>
  fc.tuple(value, fc.boolean()).map(([text, joined]) => ({
    name,
    args: joined ? [`${name}=${text}`] : [name, text],
    stores: stores(text),
  }));

const iso = (text: string): string => new Date(text).toISOString();
const ON: Record<string, Arbitrary<Given>> = {
  '--scope': given('--scope', word, (scope) => ({ scope })),
  '--mode': given('--mode', fc.constantFrom('full', 'read-only'), (mode) => ({ mode })),
  '--message': given('--message', word, (message) => ({ message })),
  '--at': given(
    '--at',
    fc.constantFrom('2038-01-01T00:00Z', '2039-12-31T23:59:59+14:00', '2038-02-28T00:00:00.5Z'),
    (at) => ({
      startsAt: iso(at),
    }),
  ),
  '--until': given('--until', fc.constantFrom('2040-01-01T00:00Z', '2044-02-29T23:59:59+14:00'), (until) => ({
    endsAt: iso(until),
  })),
  '--retry-after': given('--retry-after', fc.maxSafeNat().map(String), (seconds) => ({ retryAfter: Number(seconds) })),
  '--allow-ip': given('--allow-ip', fc.constantFrom('203.0.113.7', '10.0.0.0/8', '2001:db8::/32'), (address) => ({
    allowIps: [address],
  })),
  '--tz': given('--tz', fc.constantFrom('UTC', 'Europe/Rome'), () => ({})),
  '--bypass': fc.constant({ name: '--bypass', args: ['--bypass'], stores: { bypass: expect.anything() } }),
  '--json': fc.constant({ name: '--json', args: ['--json'] }),
};
const sensible = fc
  .uniqueArray(fc.constantFrom(...Object.keys(ON)), { maxLength: 5 })
  .chain((names) => fc.tuple(...names.map((name) => ON[name]!)));

/** Arguments with one mistake, and how the error must name it. */
interface Mistake {
  args: string[];
  names: string;
}
const bad = (name: string, value: Arbitrary<string>): Arbitrary<Mistake> =>
  fc.tuple(value, fc.boolean()).map(([text, joined]) => ({
    args: joined || text.startsWith('-') ? [`${name}=${text}`] : [name, text],
    names: name,
  }));
const unless = (isRight: RegExp): Arbitrary<string> => wild.filter((text) => !isRight.test(text));
const mistakeOfOn: Arbitrary<Mistake> = fc.oneof(
  bad('--mode', unless(/^(?:full|read-only)$/)),
  bad(
    '--at',
    fc.oneof(
      unless(/^\d{4}-/),
      fc.constantFrom('2030-02-30T00:00Z', '2030-01-01', '2030-01-01T25:00Z', '2030-01-01T00:00'),
    ),
  ),
  bad('--until', fc.oneof(unless(/^\d{4}-/), fc.constantFrom('2030-04-31T00:00Z', '12:00', '2030-01-01T00:00+99:99'))),
  bad('--for', unless(/^\s*\d/)),
  bad('--for', fc.constantFrom('30', '0s', '1y', '-5m', '3651d', '1.5h', '9'.repeat(400) + 'd')),
  bad(
    '--tz',
    fc.oneof(fc.constantFrom('Mars/Base', '../etc/passwd', 'Europe/Rome\u001b[2J'), unless(/^[+-]?[\w/:\u2212]/)),
  ),
  bad('--retry-after', unless(/^\d+$/)),
  bad('--allow-ip', fc.constantFrom('10.0.0.300', '10.0.0.0/33', 'localhost', '\u001b[2J')),
  bad('--timeout', fc.constantFrom('60', 'x', '-1s', '\u001b[2J')),
  bad('--scope', fc.constantFrom('', ' ', '\t')),
  fc.constantFrom<Mistake>(
    { args: ['--until', '2040-01-01T00:00Z', '--for', '1h'], names: '--for' },
    { args: ['--every', '0 3 * * 0'], names: '--for' },
    { args: ['--every', '\u001b[2J', '--for', '1h'], names: 'cron' },
    { args: ['--every', '0 0 30 2 *', '--for', '1h'], names: 'never occurs' },
    { args: ['--timeout', '1s'], names: '--timeout' },
    { args: ['--wait', '--at', '2039-01-01T00:00Z'], names: '--wait' },
    { args: ['--until', '2020-01-01T00:00Z'], names: 'in the past' },
    { args: ['--at', '2020-01-01T00:00Z'], names: 'in the past' },
    { args: ['--at', '2040-01-01T00:00Z', '--until', '2039-01-01T00:00Z'], names: 'not after the start' },
  ),
);
const mistake: Arbitrary<Mistake & { command: string }> = fc
  .oneof(
    { weight: 3, arbitrary: mistakeOfOn.map((made) => ({ ...made, command: 'on' })) },
    {
      weight: 1,
      arbitrary: fc
        .oneof(
          fc.tuple(
            fc.constantFrom('on', 'off', 'status', 'instances'),
            wild.filter((text) => !/^(?:[=\s]|json|storage|help|h$|v)/i.test(text) && text !== ''),
            fc.constantFrom('--x-', '--'),
          ),
        )
        .map(([command, text, dashes]) => ({
          command,
          args: [`${dashes}${dashes === '--' ? 'un' : ''}${text}`],
          names: 'option',
        })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('on', 'off', 'status', 'instances'), word)
        .map(([command, text]) => ({ command, args: [text], names: 'arguments' })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('scope', 'message', 'mode', 'storage', 'for'), fc.constantFrom('on'))
        .map(([name, command]) => ({ command, args: [`--${name}`], names: `--${name}` })),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(
          ['--scope', 'a'],
          ['--message', 'a'],
          ['--mode', 'full'],
          ['--tz', 'UTC'],
          ['--storage', 'redis://ann:hidden@x'],
        )
        .map(([name, value]) => ({ command: 'on', args: [name, value, name, value], names: name })),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(
          'ftp://x/y',
          'redis://',
          'redis:x',
          's3://bucket',
          's3:///key',
          'file:',
          'x',
          'https://x',
          'file:a/',
        )
        .chain((url) =>
          fc
            .constantFrom('on', 'off', 'status')
            .map((command) => ({ command, args: [`--storage=${url}`], names: '--storage' })),
        ),
    },
  )
  .chain((made) => fc.constant(made));

describe('command line', () => {
  let folder: string;
  let file: string;
  let program: CommandLine;
  beforeAll(async () => {
    folder = folderWith();
    file = join(folder, 'maintenance-state.json');
    program = await CommandLine.start(folder);
  });
  afterAll(() => program.stop());

  /** Runs a command on an existing state and checks what must be true for every command. */
  async function runs(args: readonly string[], content: string | null = STORED): Promise<Ran> {
    if (content === null) rmSync(file, { force: true });
    else writeFileSync(file, content);
    const ran = await program.run(args);
    expect(ran.thrown).toBeUndefined();
    expect([0, 1, 2, 3, 4]).toContain(ran.code);
    expect(ran.stdout).not.toMatch(DANGEROUS);
    expect(ran.stderr).not.toMatch(DANGEROUS);
    expect(ran.stdout + ran.stderr).not.toMatch(/^\s+at .*:\d+/m);
    return ran;
  }

  const stored = (): MaintenanceState => JSON.parse(readFileSync(file, 'utf8')) as MaintenanceState;

  it(
    'stores and shows the options of `on`',
    async () => {
      await holds(sensible, async (options) => {
        const before = Date.now();
        const ran = await runs(['on', ...options.flatMap(({ args }) => args)]);
        expect(ran).toMatchObject({ code: 0, stderr: '' });
        const said: Record<string, unknown> = Object.assign(
          { scope: '*', mode: 'full', endsAt: null },
          ...options.map(({ stores }) => stores),
        );
        const state = stored();
        expect(state).toMatchObject({ unknown: 'kept', lineage: 'a', revision: 4 });
        const isChange = said.scope === 'orders' && said.mode === 'read-only';
        const window = state.windows.at(-1)!;
        expect(window).toMatchObject(said);
        if (said.startsAt === undefined && !isChange) expect(Date.parse(window.startsAt) - before).toBeLessThan(HOUR);
        const status = await program.run(['status', '--json']);
        const { windows } = JSON.parse(status.stdout) as { windows: { active: object[]; planned: object[] } };
        const { bypass: _secret, ...shown } = said;
        expect([...windows.active, ...windows.planned]).toContainEqual(expect.objectContaining(shown));
        expect(status.stdout).not.toContain('"bypass"');
        if (options.some(({ name }) => name === '--json'))
          expect(JSON.parse(ran.stdout)).toMatchObject({ changed: true, windows });
        else expect(ran.stdout).toContain(file);
      });
    },
    PATIENCE,
  );

  it(
    'ends the windows given to `off` and keeps all others',
    async () => {
      const which = fc.record(
        {
          scope: fc.oneof(fc.constantFrom('orders', 'payments'), word),
          id: fc.oneof(fc.constantFrom('w1', 'w2'), word),
        },
        { requiredKeys: [] },
      );
      await holds(
        fc.tuple(which, fc.boolean(), fc.boolean()),
        async ([{ scope, id }, all, json]) => {
          const args = [
            ...(scope === undefined ? [] : [`--scope=${scope}`]),
            ...(id === undefined ? [] : [`--id=${id}`]),
          ];
          const ran = await runs(['off', ...args, ...(all ? ['--all'] : []), ...(json ? ['--json'] : [])]);
          const isNamed = (scope ?? 'orders') === 'orders' && (id ?? 'w1') === 'w1';
          expect(ran.code).toBe(!isNamed && id !== undefined ? 1 : 0);
          if (ran.code === 1) expect(ran.stderr).toMatch(/^error: No window has the id .*nothing was changed/);
          if (isNamed) expect(stored()).toMatchObject({ revision: 4, windows: [], unknown: 'kept' });
          else expect(readFileSync(file, 'utf8')).toBe(STORED);
        },
        CASES / 2,
      );
    },
    PATIENCE,
  );

  it(
    'explains an invalid argument in one sentence and changes nothing',
    async () => {
      await holds(
        fc.tuple(mistake, fc.option(sensible.map((options) => options.filter(({ name }) => name === '--json')))),
        async ([wrong, more]) => {
          const args = [wrong.command, ...(more ?? []).flatMap((option) => option.args), ...wrong.args];
          const ran = await runs(args);
          expect([args, ran]).toMatchObject([args, { code: 2, stdout: '' }]);
          expect(ran.stderr).toMatch(/^error: [^\n]*\n$/);
          expect(ran.stderr).toContain(wrong.names);
          expect(ran.stderr).not.toContain('hidden');
          expect(readFileSync(file, 'utf8')).toBe(STORED);
        },
      );
    },
    PATIENCE,
  );

  const option = fc.constantFrom(
    ...[
      '--scope',
      '--mode',
      '--message',
      '--at',
      '--until',
      '--for',
      '--tz',
      '--every',
      '--bypass',
      '--retry-after',
      '--timeout',
    ],
    ...[
      '--id',
      '--all',
      '--json',
      '--history',
      '--help',
      '--version',
      '-h',
      '-V',
      '-x',
      '--',
      '--no-json',
      '--scope=',
      '--=',
      '---',
    ],
  );
  const likely = fc.constantFrom(
    ...[
      'on',
      'off',
      'status',
      'instances',
      'help',
      'full',
      'read-only',
      '30m',
      '2h',
      '2040-01-01T00:00Z',
      '2039-01-01T02:00',
      'UTC',
    ],
    ...[
      'Europe/Rome',
      '0 3 * * 0',
      '*/5 * * * *',
      '120',
      '0',
      'w1',
      'orders',
      '*',
      'file:maintenance-state.json',
      '--storage=file:x.json',
    ],
  );
  const anything = fc.array(
    fc.oneof({ weight: 3, arbitrary: option }, { weight: 3, arbitrary: likely }, { weight: 1, arbitrary: wild }),
    { maxLength: 6 },
  );
  const line = fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.constantFrom('on', 'on', 'off', 'status', 'instances'), anything)
        .map(([command, rest]) => [command, ...rest]),
    },
    { weight: 1, arbitrary: anything },
  );

  it(
    'accepts any arguments and changes nothing if it rejects them',
    async () => {
      const codes = new Set<number | null>();
      const content = fc.constantFrom(STORED, STORED, null, '1', '{');
      await holds(fc.tuple(line, content), async ([args, content]) => {
        const ran = await runs(args, content);
        codes.add(ran.code);
        if (ran.code === 0 || ran.code === 3) expect(ran.stderr).toBe('');
        else expect(ran.stderr).toMatch(/^(?:error: |Usage: )/);
        if (ran.code !== 0) expect(existsSync(file) ? readFileSync(file, 'utf8') : null).toBe(content);
      });
      for (const code of [0, 1, 2, 3]) expect(codes).toContain(code);
    },
    PATIENCE,
  );

  it(
    'reveals no password of a storage URL',
    async () => {
      const url = fc
        .record({
          scheme: fc.constantFrom(
            'redis',
            'rediss',
            's3',
            'http',
            'ftp',
            'file',
            'postgres',
            'mysql',
            'REDIS',
            'S3',
            '',
          ),
          slashes: fc.constantFrom('://', '://', '://', ':', ':/', ':///', ''),
          user: fc.constantFrom('', 'ann', 'a%40b', 'a b'),
          before: typed(fc.string({ maxLength: 4 })),
          behind: typed(fc.string({ maxLength: 4, unit: 'binary' })),
          host: fc.constantFrom('127.0.0.1:1', 'host', '[::1', '', ':x', '127.0.0.1:99999', 'a b'),
          rest: fc.constantFrom('', '/0', '/x', '/0?key=', '/k?x=1', '#a', '/0?key=a&key=b', '/?password=hidden'),
        })
        // "file:" without slashes is a path and may be shown. Skip URLs of servers that may exist.
        .filter(
          ({ scheme, slashes, host }) =>
            (scheme === 'file' ? slashes === '://' : host !== 'host') && !/^$/.test(host + scheme),
        )
        .map(
          ({ scheme, slashes, user, before, behind, host, rest }) =>
            `${scheme}${slashes}${user}:${before}hidden${behind}@${host}${rest}`,
        );
      await holds(fc.tuple(fc.constantFrom('on', 'status', 'instances'), url), async ([command, storage]) => {
        const ran = await runs([command, `--storage=${storage}`]);
        expect([1, 2]).toContain(ran.code);
        expect(ran.stdout + ran.stderr).not.toContain('hidden');
        expect(readFileSync(file, 'utf8')).toBe(STORED);
      });
    },
    PATIENCE,
  );

  it(
    'behaves the same as in a separate process',
    async () => {
      const cases = fc.oneof(
        line,
        mistake.map(({ command, args }) => [command, ...args]),
      );
      await holds(
        cases,
        async (args) => {
          const ran = await runs(args);
          const left = existsSync(file) ? stored().windows.length : null;
          writeFileSync(file, STORED);
          const { code, stdout, stderr } = await run(args, { cwd: folder });
          expect({ code, stderr }).toEqual({ code: ran.code, stderr: ran.stderr });
          expect(stdout.split('\n', 1)).toEqual(ran.stdout.split('\n', 1));
          expect(existsSync(file) ? stored().windows.length : null).toBe(left);
        },
        Math.min(CASES / 20, 50),
      );
    },
    PATIENCE,
  );
});
