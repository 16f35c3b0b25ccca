import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { BIN, folderWith, PACKAGE, REPOSITORY, run, type Ended, type RunOptions } from './program.js';

const FILE = 'maintenance-state.json';
const NOBODY_UID = 65534;
const isRoot = process.getuid?.() === 0;
const itOnLinux = process.platform === 'linux' ? it.concurrent : it.skip;
const itAsRoot = isRoot ? it.concurrent : it.skip;

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const iso = expect.stringMatching(ISO) as string;
const me = `${userInfo().username}@${hostname()}`;

/** Returns a function that runs commands in one folder. */
function runIn(cwd: string, options: Omit<RunOptions, 'cwd'> = {}) {
  return (...args: string[]): Promise<Ended> => run(args, { cwd, ...options });
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
function parseJson({ stdout }: Ended): any {
  return JSON.parse(stdout);
}

/** Asserts that a command failed with a short message on stderr, without a stack trace, and with nothing on stdout. */
function expectFailure(ended: Ended, code: number, ...sentences: (string | RegExp)[]): void {
  expect(ended).toMatchObject({ code, stdout: '' });
  expect(ended.stderr).toMatch(/^error: /);
  expect(ended.stderr).not.toMatch(/^\s+at /m);
  expect(ended.stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
  for (const sentence of sentences) {
    if (typeof sentence === 'string') expect(ended.stderr).toContain(sentence);
    else expect(ended.stderr).toMatch(sentence);
  }
}

describe('on, status and off', () => {
  it.concurrent('turn maintenance on and off and print the full path of the storage', async () => {
    const folder = folderWith();
    const command = runIn(folder);
    const storage = `storage  file ${join(folder, FILE)}`;

    const before = await command('status');
    expect(before).toMatchObject({ code: 0, stderr: '' });
    expect(before.stdout).toMatch(/^Maintenance is off\.\n/);
    expect(before.stdout).toContain(storage);
    expect(readdirSync(folder)).toEqual(['package.json']);

    const on = await command('on', '--message', 'Back at four');
    expect(on).toMatchObject({ code: 0, stderr: '' });
    expect(on.stdout).toMatch(/^Maintenance is ON\. A window was started\.\n/);
    expect(on.stdout).toContain(storage);

    const during = await command('status');
    expect(during).toMatchObject({ code: 3, stderr: '' });
    for (const part of ['Maintenance is ON.', '"Back at four"', 'until it is turned off', `by ${me}`, storage]) {
      expect(during.stdout).toContain(part);
    }

    const off = await command('off');
    expect(off).toMatchObject({ code: 0, stderr: '' });
    expect(off.stdout).toMatch(/^Maintenance is off\. One window was ended\.\n/);
    expect(off.stdout).toContain(storage);

    expect((await command('status')).code).toBe(0);
  });

  it.concurrent('change nothing with --if-revision once the state has another revision', async () => {
    const command = runIn(folderWith());
    expect(await command('on', '--if-revision', '0', '--message', 'first')).toMatchObject({ code: 0 });
    const conflict = /the state has revision 1, not 0, by the change "on" of .+ at .+\. Nothing was changed\./;
    const late: string[][] = [
      ['on', '--message', 'second'],
      ['off', '--all'],
      ['run', '--no-wait', '--', process.execPath, '-e', 'process.exit(0)'],
    ];
    for (const [name = '', ...options] of late)
      expectFailure({ ...(await command(name, '--if-revision', '0', ...options)) }, 1, conflict);
    expect((await command('status')).stdout).toContain('"first"');
    expect(await command('off', '--if-revision', '1')).toMatchObject({ code: 0 });
    expectFailure(await command('off', '--if-revision', 'one'), 2, 'Expected the number of a revision');
  });

  it.concurrent('print one JSON document with --json', async () => {
    const folder = folderWith();
    const command = runIn(folder);
    const storage = { kind: 'file', location: join(folder, FILE), healthy: true, lastReadAt: iso };

    const on = await command('on', '--json', '--mode', 'read-only', '--retry-after', '120', '--for', '90s');
    expect(on).toMatchObject({ code: 0, stderr: '' });
    const window = {
      id: expect.any(String),
      scope: '*',
      mode: 'read-only',
      startsAt: iso,
      endsAt: iso,
      retryAfter: 120,
      createdAt: iso,
      createdBy: me,
    };
    const windows = { active: [window], planned: [] };
    const source = 'storage';
    // No instance uses this storage.
    const instances = 0;
    expect(parseJson(on)).toEqual({ active: true, source, revision: 1, windows, storage, changed: true, instances });
    const [createdWindow] = parseJson(on).windows.active;
    expect(Date.parse(createdWindow.endsAt) - Date.parse(createdWindow.startsAt)).toBe(90_000);

    const status = await command('status', '--json');
    expect(status).toMatchObject({ code: 3, stderr: '' });
    expect(parseJson(status)).toEqual({
      active: true,
      source: 'storage',
      revision: 1,
      windows: { active: [createdWindow], planned: [] },
      storage,
    });

    const off = await command('off', '--json');
    const none = { active: [], planned: [] };
    expect(parseJson(off)).toEqual({
      active: false,
      source: 'storage',
      revision: 2,
      windows: none,
      storage,
      changed: true,
      instances,
    });
  });

  it.concurrent('report that nothing was changed and exit with 0', async () => {
    const command = runIn(folderWith());
    const off = await command('off');
    expect(off).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing was on.') });
    await command('on', '--message', 'Hi');
    const on = await command('on', '--message', 'Hi');
    expect(on).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was changed') });
    expect(parseJson(await command('on', '--json'))).toMatchObject({ changed: false, revision: 1 });
    expect(parseJson(await command('off', '--json', '--scope', 'payments'))).toMatchObject({
      changed: false,
      revision: 1,
    });
  });

  it.concurrent('change the active window', async () => {
    const command = runIn(folderWith());
    const [first] = parseJson(await command('on', '--json', '--message', 'One')).windows.active;
    const report = await command('on', '--json', '--until', '2999-01-01T00:00Z');
    expect(parseJson(report)).toMatchObject({
      changed: true,
      windows: { active: [{ id: first.id, message: 'One', endsAt: '2999-01-01T00:00:00.000Z' }] },
    });
  });

  it.concurrent('plan a window that only off --all cancels', async () => {
    const command = runIn(folderWith());
    const on = await command('on', '--at', '2999-01-01T03:00+01:00', '--for', '1h30m', '--scope', 'payments');
    expect(on).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Maintenance is off\. A window was planned\./),
    });
    const status = await command('status', '--json');
    expect(status.code).toBe(0);
    expect(parseJson(status).windows.planned).toMatchObject([
      { scope: 'payments', startsAt: '2999-01-01T02:00:00.000Z', endsAt: '2999-01-01T03:30:00.000Z' },
    ]);
    const off = await command('off');
    expect(off).toMatchObject({ code: 0, stdout: expect.stringContaining('add --all') });
    const cancelled = await command('off', '--all');
    expect(cancelled.stdout).toMatch(/^Maintenance is off\. One window was cancelled\.\n/);
    expect(cancelled.stdout).toContain('was planned for 2999-01-01T02:00:00Z');
    expect(parseJson(await command('status', '--json')).windows.planned).toEqual([]);
  });

  it.concurrent('accept local times with --tz', async () => {
    const command = runIn(folderWith());
    const local = ['--at', '2999-07-01T02:00', '--until', '2999-07-01T04:30:00', '--tz', 'America/New_York'];
    expect(parseJson(await command('on', '--json', ...local)).windows.planned).toMatchObject([
      { startsAt: '2999-07-01T06:00:00.000Z', endsAt: '2999-07-01T08:30:00.000Z' },
    ]);
  });

  it.concurrent('plan a recurring window and cancel it with off --id', async () => {
    const command = runIn(folderWith());
    const planned = await command(
      'on',
      '--every',
      '0 3 * * 0',
      '--for',
      '1h30m',
      '--tz',
      'Europe/Rome',
      '--message',
      'Tidying',
    );
    expect(planned).toMatchObject({ code: 0, stderr: '' });
    expect(planned.stdout).toMatch(/^Maintenance is off\. A recurring window was planned\.\n/);
    expect(planned.stdout).toContain('every 0 3 * * 0 (Europe/Rome), for 1 h 30 min');

    const [next, ...others] = parseJson(await command('status', '--json')).windows.planned;
    expect(others).toEqual([]);
    expect(next.recurrence).toEqual({ cron: '0 3 * * 0', timeZone: 'Europe/Rome', duration: 5_400_000 });
    expect(Date.parse(next.endsAt) - Date.parse(next.startsAt)).toBe(5_400_000);
    expect(new Date(next.startsAt).getUTCDay()).toBe(0);

    expect((await command('off')).stdout).toContain('Nothing was on. To cancel planned windows too, add --all.');
    const cancelled = await command('off', '--id', next.id);
    expect(cancelled.stdout).toMatch(/^Maintenance is off\. One window was cancelled\.\n/);
    expect(cancelled.stdout).toMatch(
      /^cancelled {2}everything \(full\), id \w+\n +was planned for \S+T0[12]:00:00Z \(in .*\)\n +every 0 3/m,
    );
    expect(cancelled.stdout).not.toContain('since');
    expect((await command('status', '--history')).stdout).toMatch(
      new RegExp(
        `history  \\S+Z  cancelled  by ${me} \\(cli\\), revision 2\n.*every 0 3.*\n +\\S+Z  planned    by ${me}`,
      ),
    );
    expect(parseJson(await command('status', '--json')).windows.planned).toEqual([]);
  });

  it.concurrent('end the current occurrence of a recurring window', async () => {
    const command = runIn(folderWith());
    // Repeats every year and lasts almost a year.
    const yearly = ['--every', '0 0 1 1 *', '--for', '364d23h59m59s'];
    const on = await command('on', '--at', '2020-01-01T00:00Z', ...yearly);
    expect(on.stdout).toMatch(/^Maintenance is ON\. A recurring window was started\.\n/);
    const status = await command('status', '--json');
    expect(status.code).toBe(3);
    const [active] = parseJson(status).windows.active;
    const off = await command('off', '--json');
    expect(parseJson(off)).toMatchObject({ changed: true, windows: { active: [], planned: [{ id: active.id }] } });
  });

  it.concurrent('end the windows of one scope or one window by id', async () => {
    const command = runIn(folderWith());
    await command('on', '--scope', 'payments');
    await command('on', '--scope', 'search');
    const status = await command('status');
    expect(status.stdout).toMatch(/^Maintenance is ON for payments, search\./);
    const off = parseJson(await command('off', '--scope', 'payments', '--json'));
    expect(off.windows.active).toMatchObject([{ scope: 'search' }]);
    const { id } = off.windows.active[0];
    expectFailure(await command('off', '--id', 'nope'), 1, 'No window has the id "nope"', `${id} (on, scope search)`);
    expect(await command('off', '--id', id)).toMatchObject({ code: 0 });
    const nothing = await command('off', '--id', 'nope');
    expect(nothing).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing was on.') });
  });

  it.concurrent('keep both of two concurrent changes', async () => {
    const command = runIn(folderWith());
    const both = await Promise.all([command('on', '--scope', 'a'), command('on', '--scope', 'b')]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(parseJson(await command('status', '--json'))).toMatchObject({ revision: 2, windows: { active: [{}, {}] } });
  });

  it.concurrent('record changes that status --history prints', async () => {
    const command = runIn(folderWith());
    await command('on', '--scope', 'payments', '--message', 'Hi');
    await command('off');
    const status = await command('status', '--history');
    expect(status.code).toBe(0);
    expect(status.stdout).toMatch(
      new RegExp(
        `history  \\S+Z  ended      by ${me} \\(cli\\), revision 2\n +scope payments.*"Hi".*\n +\\S+Z  started    by ${me}`,
      ),
    );
    const { history } = parseJson(await command('status', '--history', '--json'));
    expect(history).toMatchObject([
      { revision: 2, action: 'off', by: me, via: 'cli' },
      { revision: 1, action: 'on', by: me, via: 'cli', windows: [{ scope: 'payments', message: 'Hi' }] },
    ]);
  });

  it.concurrent('store, change and clear the addresses that a window admits', async () => {
    const command = runIn(folderWith());
    const on = await command('on', '--allow-ip', '203.0.113.7', '--allow-ip', '2001:db8::/32', '--message', 'Hi');
    expect(on.stdout).toContain('admits 203.0.113.7, 2001:db8::/32\n');
    const getAllowed = async (): Promise<unknown> =>
      parseJson(await command('status', '--json')).windows.active[0].allowIps;
    expect(await getAllowed()).toEqual(['203.0.113.7', '2001:db8::/32']);
    await command('on', '--message', 'Later');
    expect(await getAllowed()).toEqual(['203.0.113.7', '2001:db8::/32']);
    expect((await command('on', '--allow-ip', '10.0.0.0/8')).stdout).toContain('The window was changed.');
    expect((await command('status')).stdout).toContain('admits 10.0.0.0/8\n');
    await command('on', '--allow-ip', '');
    expect(await getAllowed()).toBeUndefined();
    const { stdout } = await command('status', '--history');
    expect(stdout.match(/admits [^,]+/g)).toEqual(['admits 10.0.0.0/8', 'admits 203.0.113.7', 'admits 203.0.113.7']);
  });

  it.concurrent('admit addresses in the window of run', async () => {
    const command = runIn(folderWith());
    const failing = ['--', process.execPath, '-e', 'process.exit(3)'];
    expect((await command('run', '--no-wait', '--allow-ip', '203.0.113.7', ...failing)).code).toBe(3);
    const { active } = parseJson(await command('status', '--json')).windows;
    expect(active).toMatchObject([{ allowIps: ['203.0.113.7'] }]);
  });

  itAsRoot('record the uid of a user without a name', async () => {
    const folder = folderWith();
    chmodSync(folder, 0o777);
    const on = await runIn(folder, { uid: 54321 })('on', '--json');
    expect(parseJson(on).windows.active[0].createdBy).toBe(`uid 54321@${hostname()}`);
  });
});

describe('invalid usage of the command line', () => {
  it.concurrent.each([
    [['unknown'], "unknown command 'unknown'"],
    [['maintenance', 'on'], "unknown command 'maintenance'"],
    [['status', '--nope'], "unknown option '--nope'"],
    [['--json', 'status'], "unknown option '--json'"],
    [['status', 'extra'], 'too many arguments'],
    [['on', '--message'], 'argument missing'],
    [['on', '--allow-ip', '10.0.0.300'], 'an IP address or a CIDR block'],
    [['on', '--at', 'tomorrow'], /ISO 8601 with a time zone, such as 2030-12-01T02:00Z/],
    [['on', '--until', '2999-02-30T02:00Z'], /a date that exists/],
    [['on', '--until', '2020-01-01T00:00Z'], 'is in the past'],
    [['on', '--at', '2020-01-01T00:00Z'], 'leave --at out to start now'],
    [['on', '--at', '2020-01-01T00:00Z', '--until', '2999-01-01T00:00Z'], 'leave --at out to start now'],
    [['on', '--at', '2999-01-02T00:00Z', '--until', '2999-01-01T00:00Z'], 'is not after the start'],
    [['on', '--until', '2999-01-01T00:00Z', '--for', '1h'], '--until and --for'],
    [['on', '--at', '2999-01-01T02:00'], 'is a local time: add its time zone, such as --tz'],
    [['on', '--at', '2027-03-28T02:30', '--tz', 'Europe/Rome'], 'Clocks show 2027-03-28T03:30 instead'],
    [['on', '--tz', 'Europe/Nowhere'], 'Expected an IANA time zone'],
    [['on', '--every', '0 3 * * 0'], '--every needs --for'],
    [['on', '--every', 'sundays', '--for', '1h'], 'is not a cron expression of five fields'],
    [['on', '--every', '*/5 * * * *', '--for', '1h'], 'Occurrences would overlap'],
    [['on', '--every', '0 3 31 2 *', '--for', '1h'], 'never occurs'],
    [['on', '--for', '30'], /30m, 2h, 1h30m, 90s or 1d/],
    [['on', '--for', '0m'], /30m, 2h/],
    [['on', '--mode', 'half'], 'full or read-only'],
    [['on', '--retry-after', '1.5'], 'a whole number of seconds'],
    [['on', '--scope', ''], 'Expected a non-empty name'],
    [['on', '--scope', 'a', '--scope', 'b'], 'give it once'],
    [['off', '--id', ' '], 'Expected a non-empty name'],
    [['status', '--storage', '/var/lib/state.json'], /expected one of file:path \(such as file:.*s3:.*redis:/],
    [['on', '--storage', 'file:'], 'has no file name'],
  ])('%j exits with 2 and says what would be right', async (args, sentence) => {
    const folder = folderWith();
    const ended = await runIn(folder)(...args);
    expectFailure(ended, 2, sentence);
    expect(readdirSync(folder)).toEqual(['package.json']);
  });

  it.concurrent('prints the help to stderr and exits with 2 without a command', async () => {
    const ended = await runIn(folderWith())();
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Usage: nestjs-maintenance') });
  });
});

describe('help and version', () => {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { version: string };

  it.concurrent.each([
    [['--help'], 'Usage: nestjs-maintenance [options] [command]'],
    [['help', 'off'], 'Usage: nestjs-maintenance off [options]'],
    [['on', '--help'], '--retry-after <seconds>'],
    [['status', '--help'], '3 it is on'],
    [['--version'], version],
  ])('are printed with exit code 0 whatever the environment: %j', async (args, text) => {
    const ended = await runIn(folderWith({ '.env': 'MAINTENANCE_MODE=unusable' }))(...args);
    expect(ended).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(text) });
  });
});

describe('the storage of the command line', () => {
  const ON = '1';

  /** Returns the path of the file that `status` reads. */
  async function findStorage(cwd: string, env: Record<string, string> = {}, ...args: string[]): Promise<string> {
    return parseJson(await run(['status', '--json', ...args], { cwd, env })).storage.location;
  }

  it.concurrent('is a file next to the nearest package.json', async () => {
    const folder = folderWith({ 'src/deep/index.js': '', [FILE]: ON });
    expect(await runIn(join(folder, 'src/deep'))('status')).toMatchObject({ code: 3 });
    expect(await findStorage(join(folder, 'src/deep'))).toBe(join(folder, FILE));
  });

  it.concurrent('is set by MAINTENANCE_STORAGE and overridden by --storage', async () => {
    const folder = folderWith();
    const env = { MAINTENANCE_STORAGE: 'file:data/state.json' };
    expect(await findStorage(folder, env)).toBe(join(folder, 'data/state.json'));
    expect(await findStorage(folder, env, '--storage', 'file:other.json')).toBe(join(folder, 'other.json'));
  });

  it.concurrent('is read from .env as the application does', async () => {
    const folder = folderWith({ '.env': '\ufeffMAINTENANCE_STORAGE="file:a.json" # where\r\nOTHER=1\r\n' });
    expect(await findStorage(folder)).toBe(join(folder, 'a.json'));
    expect(await findStorage(folder, { MAINTENANCE_STORAGE: 'file:b.json' })).toBe(join(folder, 'b.json'));
    expect(await findStorage(folder, { MAINTENANCE_STORAGE: '' })).toBe(join(folder, FILE));
  });

  itAsRoot('is not guessed if .env cannot be read', async () => {
    const folder = folderWith({ '.env': 'MAINTENANCE_STORAGE=file:a.json' });
    chmodSync(join(folder, '.env'), 0o600);
    expectFailure(
      await runIn(folder, { uid: NOBODY_UID })('status'),
      1,
      `Cannot read ${join(folder, '.env')} (it may set MAINTENANCE_STORAGE)`,
    );
  });

  it.concurrent('is named without credentials if MAINTENANCE_STORAGE is invalid', async () => {
    const ended = await runIn(folderWith(), { env: { MAINTENANCE_STORAGE: 'ftp://ann:secret@host/x' } })('off');
    expectFailure(ended, 1, "MAINTENANCE_STORAGE can't be used", 'file:path');
    expect(ended.stderr).not.toContain('secret');
  });

  it.concurrent.each([
    ['twice', ['redis://ann:secret@127.0.0.1:1', '--storage', 'redis://ann:secret@127.0.0.1:1'], /--storage .* once/],
    ['with a space', ['ftp://ann:the secret@host'], /ftp:\/\/\*\*\*@host/],
    ['with a question mark', ['redis://ann:?secret@127.0.0.1:1'], /redis:\/\/\*\*\*@127/],
    ['with a slash', ['s3://ann:/secret@bucket/key'], /s3:\/\/\*\*\*@bucket/],
    ['without slashes', ['redis:ann:secret@host'], /redis:\*\*\*@host/],
    ['without a scheme', ['ann:secret@host:6379/0'], /\*\*\*@host:6379/],
    ['with a quote', ["s3://ann:'secret@bucket/key"], /s3:\/\/\*\*\*@bucket/],
  ])('is named without the password if --storage is invalid: %s', async (_title, args, sentence) => {
    const ended = await runIn(folderWith())('on', '--storage', ...args);
    expectFailure(ended, 2, sentence);
    expect(ended.stderr).not.toContain('secret');
  });

  itAsRoot(
    'is reported as unreadable for other users if only root may read it and no instance has reported',
    async () => {
      const folder = folderWith();
      const on = await runIn(folder)('on');
      expect(on.stdout).toContain('may not read this file (owner root, mode 600)');
      const status = await run(['status'], { cwd: folder, uid: NOBODY_UID });
      expectFailure(status, 1, `may not read ${join(folder, FILE)} (owner root, mode 600)`);
      chmodSync(join(folder, FILE), 0o644);
      expect((await runIn(folder)('on', '--message', 'Back soon')).stdout).not.toContain('may not read this file');
      expect((await run(['status'], { cwd: folder, uid: NOBODY_UID })).code).toBe(3);
    },
  );

  it.concurrent.each([
    ['a package.json', 'package.json', '{ "name": "shop" }', 'it is JSON with other members'],
    ['a text file', 'README.md', '# Shop\n', 'it is text'],
    ['a binary file', 'logo.png', '\u0089PNG\0', 'it is binary data'],
    ['a file larger than a state', 'dump.sql', 'x'.repeat(1024 * 1024 + 1), 'it is larger than 1048576 bytes'],
  ])('is not replaced without --force if it is not a state: %s', async (_title, file, content, reason) => {
    const folder = folderWith({ [file]: content });
    const command = runIn(folder);
    const storage = ['--storage', `file:${file}`];
    for (const change of ['on', 'off']) {
      expectFailure(await command(change, ...storage), 1, join(folder, file), reason, 'off --force');
    }
    expect(readFileSync(join(folder, file), 'utf8')).toBe(content);
    expect(readdirSync(folder).filter((name) => name !== 'package.json' && name !== file)).toEqual([]);

    const on = await command('on', '--force', ...storage);
    expect(on).toMatchObject({ code: 0, stderr: '' });
    const kept = readdirSync(folder).find((name) => name.startsWith(`${file}.corrupt-`))!;
    expect(on.stdout).toContain(
      `The stored content was not a maintenance state and has been replaced. It is kept as ${join(folder, kept)}.`,
    );
    expect(readFileSync(join(folder, kept), 'utf8')).toBe(content);
    expect((await command('status', ...storage)).code).toBe(3);
    expect(await command('off', '--force', ...storage)).toMatchObject({ code: 0, stderr: '' });
  });

  it.concurrent('is rejected even with --force if it is a folder or its folder does not exist', async () => {
    const folder = folderWith({ 'data/x': '' });
    const command = runIn(folder);
    expectFailure(await command('on', '--force', '--storage', 'file:data'), 1, 'is a folder');
    const missing = ['--storage', 'file:dta/state.json'];
    expectFailure(await command('on', '--force', ...missing), 1, `the folder ${join(folder, 'dta')} does not exist`);
    expect(readdirSync(folder).sort()).toEqual(['data', 'package.json']);
  });

  it.concurrent('may start with "~" for the home of the user, but not of another user', async () => {
    const home = folderWith();
    const folder = folderWith();
    const inHome = { cwd: folder, env: { HOME: home } };
    const on = await run(['on', '--storage', 'file:~/state.json'], inHome);
    expect(on).toMatchObject({ code: 0, stdout: expect.stringContaining(join(home, 'state.json')) });
    expect(readdirSync(home)).toContain('state.json');
    expectFailure(
      await run(['on', '--storage', 'file:~ann/state.json'], inHome),
      2,
      'the home directory of another user',
    );
    expectFailure(await run(['on', '--storage', 'file:~'], inHome), 2, 'has no file name');
    expect(readdirSync(folder)).toEqual(['package.json']);
  });

  it.concurrent('starts a new lineage after the last possible revision', async () => {
    const startsAt = '2026-01-01T00:00:00.000Z';
    const window = { id: 'w', scope: '*', mode: 'full', startsAt, endsAt: null, createdAt: startsAt };
    const state = { format: 1, lineage: 'old', revision: Number.MAX_SAFE_INTEGER, windows: [window], history: [] };
    const folder = folderWith({ [FILE]: JSON.stringify(state) });
    expect(await runIn(folder)('off')).toMatchObject({ code: 0, stderr: '' });
    const after = JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as { lineage: string };
    expect(after).toMatchObject({ revision: 1, windows: [] });
    expect(after.lineage).not.toBe('old');
  });

  it.concurrent('is replaced by on and off if it is corrupt', async () => {
    const folder = folderWith({ [FILE]: '{"format":1', 'off.json': '{\n  "form' });
    const command = runIn(folder);
    const location = join(folder, FILE);
    expectFailure(
      await command('status'),
      1,
      `${location} does not contain a valid maintenance state`,
      '`on` or `off` replaces it',
    );
    const json = await command('status', '--json');
    expect(json).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: /) });
    expect(parseJson(json)).toMatchObject({
      source: 'fallback',
      storage: { healthy: false, error: expect.any(String) },
    });

    const on = await command('on');
    expect(on).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('corrupt and has been replaced'),
    });
    expect((await command('status')).code).toBe(3);

    const off = await command('off', '--json', '--storage', 'file:off.json');
    expect(off).toMatchObject({ code: 0, stderr: '' });
    expect(parseJson(off)).toMatchObject({ active: false, changed: true, replacedCorrupt: true });
    expect((await command('status', '--storage', 'file:off.json')).code).toBe(0);
  });

  it.concurrent('makes instances exit with 1 if it is corrupt or was never a state', async () => {
    const folder = folderWith({ [FILE]: '{"format":1', 'README.md': '# Shop\n' });
    for (const file of [FILE, 'README.md']) {
      const instances = await runIn(folder)('instances', '--storage', `file:${file}`);
      expect(instances).toMatchObject({ code: 1, stdout: expect.stringContaining('No instance') });
      expect(instances.stderr).toContain(`error: ${join(folder, file)} does not contain a valid maintenance state`);
      expect(await runIn(folder)('instances', '--json', '--storage', `file:${file}`)).toMatchObject({ code: 1 });
    }
  });

  it.concurrent('makes on and off fail if it cannot be written', async () => {
    const folder = folderWith({ [FILE]: ON });
    chmodSync(join(folder, FILE), 0o644);
    chmodSync(folder, 0o555);
    const command = runIn(folder, isRoot ? { uid: NOBODY_UID } : {});
    const location = join(folder, FILE);
    expectFailure(await command('on', '--scope', 'a'), 1, 'EACCES', `storage: file ${location}`);
    expectFailure(await command('off', '--json'), 1, 'EACCES', folder);
    expect((await command('status')).code).toBe(3);
    expect(readFileSync(location, 'utf8')).toBe(ON);
    chmodSync(folder, 0o755);
  });

  it.concurrent('makes every command fail if it is a folder', async () => {
    const command = runIn(folderWith());
    for (const name of ['status', 'on', 'off']) {
      expectFailure(await command(name, '--storage', 'file:.'), 1, 'is a folder');
    }
  });
});

describe('forced maintenance', () => {
  it.concurrent.each([
    ['true', 'ON', 3],
    ['off', 'off', 0],
  ])('cannot be changed and is reported by status: MAINTENANCE_MODE=%s', async (mode, shown, code) => {
    const folder = folderWith({ '.env': `MAINTENANCE_MODE=${mode}` });
    const command = runIn(folder);
    for (const name of ['on', 'off']) {
      expectFailure(
        await command(name),
        1,
        `forced ${shown.toLowerCase()} by the option \`enabled\``,
        'MAINTENANCE_MODE',
      );
    }
    expect(existsSync(join(folder, FILE))).toBe(false);
    const status = await command('status');
    expect(status).toMatchObject({ code, stdout: expect.stringContaining(`Maintenance is forced ${shown}`) });
    const json = parseJson(await command('status', '--json', '--storage', 'file:.'));
    expect(json).toMatchObject({ active: code === 3, source: 'configuration', storage: { healthy: false } });
  });

  it.concurrent('rejects an invalid MAINTENANCE_MODE but ignores other variables', async () => {
    const folder = folderWith();
    expectFailure(await runIn(folder, { env: { MAINTENANCE_MODE: 'maybe' } })('off'), 1, 'MAINTENANCE_MODE', '"maybe"');
    expect(await runIn(folder, { env: { MAINTENANCE_EXEMPT_PROBES: 'maybe' } })('off')).toMatchObject({
      code: 0,
      stderr: '',
    });
  });
});

describe('the output of the command line', () => {
  it.concurrent.each([
    ['an invalid option', ['on', '--x\u001b[2J']],
    ['an invalid value', ['on', '--mode', 'a\u001b[31mb\u009bc\nMaintenance is off.']],
    ['an unknown command', ['o\u001b[31mn']],
  ])('escapes control characters of %s', async (_title, args) => {
    const ended = await runIn(folderWith())(...args);
    expectFailure(ended, 2, /^error: .*\\u001b/);
    // eslint-disable-next-line no-control-regex
    expect(ended.stderr).toMatch(/^[^\u0000-\u001f\u007f-\u009f]+\n$/);
  });

  it.concurrent('suggests a similar option on one line', async () => {
    const ended = await runIn(folderWith())('on', '--scop', 'x');
    expectFailure(ended, 2, "error: unknown option '--scop' (Did you mean --scope?)\n");
  });

  it.concurrent('escapes control characters of stored texts', async () => {
    const command = runIn(folderWith());
    const message = 'a\u001b[2Jb\u009b31m\u202ec\nd';
    const on = await command('on', '--message', message, '--scope', 'x\u0007');
    const status = await command('status', '--history');
    for (const { stdout } of [on, status]) {
      expect(stdout).toContain('"a\\u001b[2Jb\\u009b31m\\u202ec\\nd"');
      // eslint-disable-next-line no-control-regex
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
    expect(parseJson(await command('status', '--json')).windows.active[0].message).toBe(message);
  });

  it.concurrent('has colors if FORCE_COLOR asks for them, but neither in a pipe nor with --json', async () => {
    const folder = folderWith();
    const colored = runIn(folder, { env: { FORCE_COLOR: '1' } });
    expect((await colored('status')).stdout).toContain('\u001b[32mMaintenance is off\u001b[39m.\n');
    expect((await colored('nope')).stderr).toContain('\u001b[31merror:\u001b[39m unknown command');
    expect((await colored('on', '--help')).stdout).toContain('\u001b[1mOptions:\u001b[22m');
    expect(parseJson(await colored('status', '--json'))).toMatchObject({ active: false });
    for (const env of [{}, { FORCE_COLOR: '0' }, { NO_COLOR: '1' }] as Record<string, string>[]) {
      const plain = runIn(folder, { env });
      for (const args of [['status'], ['on', '--help']]) expect((await plain(...args)).stdout).not.toContain('\u001b');
    }
  });

  it.concurrent.each(['file:@acme/state.json', './@acme/storage.cjs', 'module:@acme/storage'])(
    'names the storage %s in the command to end maintenance, as it was typed',
    async (storage) => {
      const folder = folderWith({
        '@acme/storage.cjs':
          `const { FileStateStorage } = require(${JSON.stringify(PACKAGE)});\n` +
          'exports.createStorage = () => new FileStateStorage("own-state.json");',
        'node_modules/@acme/storage/index.js': 'module.exports = require("../../../@acme/storage.cjs");',
      });
      const { stderr } = await runIn(folder)('run', '--no-wait', '--storage', storage, '--', 'false');
      const [, off = ''] = /^To end it: nestjs-maintenance (.*)$/m.exec(stderr) ?? [];
      expect(off.split(' ')).toEqual(['off', '--id', expect.stringMatching(/^\w+$/), '--storage', storage]);
      expect(await runIn(folder)(...off.split(' '))).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('One window was ended.'),
      });
    },
  );

  it.concurrent('says that maintenance stays on if on --wait is interrupted', async () => {
    const folder = folderWith();
    const interrupted = runIn(folder, { interruptAt: 'waiting' });
    const ended = await interrupted('on', '--wait', '--scope', 'pay ments', '--storage', 'file:state.json');
    expect(ended).toMatchObject({ code: 130, stdout: expect.stringContaining('Maintenance is ON for pay ments') });
    expect(ended.stderr).toMatch(/^error: Interrupted\. Maintenance stays on\. To end it: .*\n/m);
    expect(ended.stderr).toContain("nestjs-maintenance off --scope 'pay ments' --storage file:state.json\n");
    expect((await runIn(folder)('status', '--storage', 'file:state.json')).code).toBe(3);
  });

  it.concurrent('may be closed before the command has finished', async () => {
    const command = runIn(folderWith(), { stdout: 'closed' });
    expect(await command('on')).toMatchObject({ code: 0, stderr: '' });
    expect(await command('status', '--history')).toMatchObject({ code: 3, stderr: '' });
    expect(await command('--help')).toMatchObject({ code: 0, stderr: '' });
  });

  itOnLinux('makes the command fail if it cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    const ended = await runIn(folderWith(), { stdout: full })('status');
    closeSync(full);
    expectFailure(ended, 1, 'Could not write the output');
  });
});

describe('an installation of nestjs-maintenance alone', () => {
  /** Copies the package into a folder with only its own dependencies, so without Nest. */
  function installAlone(): string {
    const folder = folderWith();
    const home = join(folder, 'node_modules/nestjs-maintenance');
    for (const part of ['bin', 'dist/bin', 'package.json'])
      cpSync(join(PACKAGE, part), join(home, part), { recursive: true });
    const { dependencies } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    for (const name of Object.keys(dependencies)) {
      const link = join(folder, 'node_modules', name);
      mkdirSync(join(link, '..'), { recursive: true });
      symlinkSync(join(REPOSITORY, 'node_modules', name), link);
    }
    return folder;
  }

  it.concurrent('runs every command and loads nothing of Nest', async () => {
    const folder = installAlone();
    const program = [
      '--import',
      join(__dirname, 'fixtures/list-packages.mjs'),
      'node_modules/nestjs-maintenance/bin/nestjs-maintenance.cjs',
    ];
    const command = runIn(folder, { program });
    for (const [args, code] of [
      [['status'], 0],
      [['on', '--for', '1h'], 0],
      [['status'], 3],
      [['instances'], 0],
    ] as const) {
      const { stderr, ...ended } = await command(...args);
      expect(ended.code).toBe(code);
      const unneeded = /@nestjs|nest-commander|reflect-metadata|rxjs|handlebars|valibot|croner|@bomb.sh/;
      expect(stderr).toMatch(/^packages: .*commander/);
      expect(stderr).not.toMatch(unneeded);
    }
    expect(await command('off')).toMatchObject({ code: 0 });
  });
});

describe('the program', () => {
  it.concurrent('can be started by the path bin/nestjs-maintenance.js too', async () => {
    const program = [join(PACKAGE, 'bin/nestjs-maintenance.js')];
    const command = runIn(folderWith(), { program });
    expect(await command('on')).toMatchObject({ code: 0, stdout: expect.stringContaining('Maintenance is ON') });
    expect(await command('status')).toMatchObject({ code: 3, stderr: '' });
    expectFailure(await command('onn'), 2, "unknown command 'onn'");
  });
});

describe('shell completion', () => {
  it.concurrent.each(['bash', 'zsh', 'fish'])('prints a script for the completion in %s', async (shell) => {
    const ended = await runIn(folderWith())('completion', shell);
    expect(ended).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('nestjs-maintenance complete'),
    });
  });

  it.concurrent('accepts --storage and --json, as every command does', async () => {
    const command = runIn(folderWith());
    const { stdout } = await command('completion', 'bash');
    const { code, stderr, ...ended } = await command('completion', 'bash', '--storage', 'file:state.json', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(ended.stdout)).toEqual({ shell: 'bash', script: stdout });
  });

  it.concurrent('completes commands, options and their values', async () => {
    const command = runIn(folderWith());
    expect((await command('complete', '--', 'st')).stdout).toContain('status\tshow active and planned windows\n');
    expect((await command('complete', '--', 'on', '--sc')).stdout).toContain('--scope\t');
    expect((await command('complete', '--', 'on', '--mode', '')).stdout).toMatch(/^full\t\nread-only\t\n/);
    expectFailure(await command('completion', 'csh'), 2, 'Allowed choices are bash, zsh, fish.');
  });
});

describe("an application's own program", () => {
  const shop = [join(REPOSITORY, 'apps/cli/dist/main.js')];
  const fixture = [join(REPOSITORY, 'test/cli/fixtures/program.mjs')];

  it.concurrent('has our commands below maintenance, next to its own', async () => {
    const folder = folderWith();
    const command = runIn(folder, { program: shop });
    const on = await command('maintenance', 'on', '--for', '30m');
    expect(on).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(join(folder, FILE)) });
    expect(await command('orders:count')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('under maintenance'),
    });
    const status = await command('maintenance', 'status', '--json');
    expect(status).toMatchObject({ code: 3, stderr: '' });
    expect(parseJson(status).windows.active).toMatchObject([{ scope: '*', createdBy: me }]);
    expect(await command('maintenance', 'off')).toMatchObject({ code: 0, stderr: '' });
    // The program serves no requests and must not be listed as an instance.
    expect(parseJson(await command('maintenance', 'instances', '--json'))).toMatchObject({ instances: [] });
  });

  it.concurrent.each([
    [['maintenance'], 'Usage: '],
    [['maintenance', 'nope'], 'The commands are on, off, status, instances, run, page, sql.'],
    [['maintenance', 'on', 'extra'], 'too many arguments'],
    [['maintenance', 'on', '--for', '30'], '30m'],
    [['maintenance', 'on', '--until', '2020-01-01T00:00Z'], 'in the past'],
  ])('leaves the exit code for invalid usage to commander or to the program: %j', async (args, text) => {
    const cwd = folderWith();
    const byCommander = await run(args, { cwd, program: shop });
    expect(byCommander).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(text) });
    const byProgram = await run(args, { cwd, program: fixture });
    expect(byProgram).toMatchObject({ code: 64, stdout: '', stderr: expect.stringContaining(text) });
  });

  it.concurrent('prints the help of our commands', async () => {
    const command = runIn(folderWith(), { program: fixture });
    expect(await command('maintenance', 'on', '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--for'),
    });
    expect(await command('maintenance', 'help', 'off')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--all'),
    });
  });

  it.concurrent('keeps its own command of the same name', async () => {
    const ended = await runIn(folderWith(), { program: fixture })('status', '--colour', 'red');
    expect(ended).toMatchObject({ code: 0, stdout: 'own {"colour":"red"}\n' });
  });

  it.concurrent('uses the storage of its MaintenanceModule unless --storage is set', async () => {
    const folder = folderWith();
    const options = { storage: 'file:own.json' };
    const env = { PROGRAM_OPTIONS: JSON.stringify(options), MAINTENANCE_STORAGE: 'file:environment.json' };
    const command = runIn(folder, { program: fixture, env });
    expect(parseJson(await command('maintenance', 'on', '--json'))).toMatchObject({
      storage: { location: join(folder, 'own.json') },
    });
    const named = await command('maintenance', 'status', '--json', '--storage', 'file:named.json');
    expect(parseJson(named)).toMatchObject({ active: false, storage: { location: join(folder, 'named.json') } });
  });

  it.concurrent('uses MAINTENANCE_STORAGE without a MaintenanceModule', async () => {
    const folder = folderWith({ '.env': 'MAINTENANCE_STORAGE=file:not-loaded.json' });
    const env = { MAINTENANCE_STORAGE: 'file:environment.json' };
    const status = await runIn(folder, { program: fixture, env })('maintenance', 'status', '--json');
    expect(parseJson(status).storage.location).toBe(join(folder, 'environment.json'));
    const byDefault = await runIn(folder, { program: fixture })('maintenance', 'status', '--json');
    expect(parseJson(byDefault).storage.location).toBe(join(folder, FILE));
  });

  it.concurrent('applies the option `enabled` of its MaintenanceModule', async () => {
    const env = { PROGRAM_OPTIONS: '{"enabled":true}', MAINTENANCE_MODE: 'off' };
    const command = runIn(folderWith(), { program: fixture, env });
    expectFailure(await command('maintenance', 'off'), 1, 'forced on');
    expect((await command('maintenance', 'status')).code).toBe(3);
  });
});

it('installs an executable bin', () => {
  expect(readFileSync(BIN, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  accessSync(BIN, constants.X_OK);
});
