import type { CommandDescription, OptionDescription } from './command-description.js';
import { performInstances, performOff, performOn, performStatus } from './operations.js';
import {
  readAddress,
  readDuration,
  readFailureAction,
  readLanguage,
  readMode,
  readName,
  readRevision,
  readSeconds,
  readStorage,
  readText,
  readTime,
  readZone,
} from './option-parsers.js';

const storage: OptionDescription = {
  flags: '--storage <url>',
  description: 'use this storage, such as file:/var/lib/app/maintenance.json',
  parse: readStorage,
};

const unusedStorage: OptionDescription = {
  ...storage,
  description: 'accepted as by every command; the page needs none',
};

const json: OptionDescription = { flags: '--json', description: 'print one JSON document' };

const force: OptionDescription = {
  flags: '--force',
  description: 'replace stored content even if it never was a maintenance state',
};

const ifRevision: OptionDescription = {
  flags: '--if-revision <n>',
  description: 'change nothing if the state has another revision by now (see `status`)',
  parse: readRevision,
};

/** The options that describe the window of `on` and `run`. */
const WINDOW_OPTIONS: readonly OptionDescription[] = [
  {
    flags: '--scope <name>',
    description: 'only this part of the application (default: everything)',
    parse: readName,
  },
  {
    flags: '--mode <mode>',
    description: 'full by default; read-only admits reads',
    parse: readMode,
    choices: ['full', 'read-only'],
  },
  {
    flags: '--message <text>',
    description: 'the text that clients see; --message-de <text>: in German, and so on',
    parse: readText,
  },
  {
    flags: '--at <time>',
    description: 'start time, such as 2030-12-01T02:00Z (default: now)',
    parse: readTime,
  },
  {
    flags: '--until <time>',
    description: 'end time, such as 2030-12-01T04:00Z (default: until it is turned off)',
    parse: readTime,
  },
  {
    flags: '--for <duration>',
    description: 'length instead of an end time, such as 30m, 2h, 1h30m, 90s or 1d',
    parse: readDuration,
  },
  {
    flags: '--tz <zone>',
    description: 'time zone of --at, --until and --every, such as Europe/Rome',
    parse: readZone,
  },
  {
    flags: '--every <cron>',
    description: 'repeat on this schedule, such as "0 3 * * 0"; each occurrence lasts --for (default time zone: UTC)',
    parse: readText,
  },
  {
    flags: '--allow-ip <cidr>',
    description: 'admit this address or CIDR block during the window; repeat it for more',
    parse: readAddress,
  },
  { flags: '--bypass', description: 'create a secret link that admits testers; it is shown once' },
  {
    flags: '--retry-after <seconds>',
    description: 'value of the Retry-After header (default: the time left in the window)',
    parse: readSeconds,
  },
];

/** `run` starts its window at once: it says why it does not accept the options that plan a window for later. */
const RUN_WINDOW_OPTIONS = WINDOW_OPTIONS.map((option) =>
  /^--(?:at|every) /.test(option.flags) ? { ...option, isHidden: true } : option,
);

/** The commands, in the order of the help. The bin and the program of an application build theirs from this list. */
export const COMMANDS: readonly CommandDescription[] = [
  {
    name: 'on',
    description: 'turn maintenance on, now or later, or change the active window',
    options: [
      storage,
      json,
      ...WINDOW_OPTIONS,
      {
        flags: '--wait',
        description: 'return once every instance refuses and its in-flight requests have finished',
      },
      { flags: '--timeout <duration>', description: 'how long --wait waits (default: 60s)', parse: readDuration },
      ifRevision,
      force,
    ],
    languages: { option: 'message', name: 'messages' },
    examples: [
      'on --for 30m --message "Back in half an hour"',
      'on --message "Back soon" --message-de "Gleich zurück"',
      'on --scope payments --mode read-only',
      'on --at 2030-12-01T02:00Z --until 2030-12-01T04:00Z',
      'on --at 2030-12-01T02:00 --for 2h --tz Europe/Rome',
      'on --every "0 3 * * 0" --for 1h --tz Europe/Rome',
      'on --allow-ip 203.0.113.7 --allow-ip 2001:db8::/32',
      'on --wait --timeout 5m',
    ],
    note: 'Exit codes: 0 done, 1 failure, 2 invalid usage, 4 --wait timed out.',
    perform: performOn,
  },
  {
    name: 'off',
    description: 'turn maintenance off',
    options: [
      storage,
      json,
      { flags: '--scope <name>', description: 'only windows of this scope', parse: readName },
      { flags: '--id <id>', description: 'only this window, active or planned', parse: readName },
      { flags: '--all', description: 'planned windows too' },
      ifRevision,
      force,
    ],
    examples: ['off', 'off --scope payments', 'off --all'],
    perform: performOff,
  },
  {
    name: 'status',
    description: 'show active and planned windows',
    options: [storage, json, { flags: '--history', description: 'include the change history' }],
    examples: ['status', 'status --history', 'status --json'],
    note:
      'Exit codes: 0 maintenance is off, 3 it is on or instances refuse whatever is\n' +
      "stored, 1 the storage can't be read.",
    perform: performStatus,
  },
  {
    name: 'instances',
    description: 'list running instances and their in-flight work',
    options: [storage, json],
    examples: ['instances', 'instances --json'],
    perform: performInstances,
  },
  {
    name: 'run',
    description: 'run a command while maintenance is on',
    operands: '-- <command> [arguments...]',
    options: [
      storage,
      json,
      ...RUN_WINDOW_OPTIONS,
      {
        flags: '--no-wait',
        description: 'run the command at once, although requests may still be in flight',
      },
      { flags: '--wait', description: 'wait for in-flight requests (default)', isHidden: true },
      { flags: '--timeout <duration>', description: 'how long to wait (default: 60s)', parse: readDuration },
      {
        flags: '--check <command>',
        description:
          'shell command that checks the application before maintenance ends, with the bypass link in $MAINTENANCE_BYPASS_URL and a header in $MAINTENANCE_BYPASS_HEADER',
        parse: readText,
      },
      {
        flags: '--on-failure <action>',
        description: 'keep maintenance on if the command or the check fails (default), or turn it off',
        parse: readFailureAction,
        choices: ['keep', 'off'],
      },
      ifRevision,
      force,
    ],
    languages: { option: 'message', name: 'messages' },
    examples: [
      'run -- npx prisma migrate deploy',
      'run --timeout 5m -- npm run migrate',
      'run --check ./smoke-test.sh --on-failure off -- ./move.sh',
    ],
    note:
      'Exit codes: that of the command, or of the check; 1 the storage failed,\n' +
      '2 invalid usage, 4 the wait timed out and the command did not run.',
    // Loaded on use: the other commands start faster without it.
    perform: async (context, options, operands) =>
      (await import('./run/perform-run.js')).performRun(context, options, operands),
  },
  {
    name: 'page',
    description: 'print the maintenance page, for a proxy that serves it while no instance runs',
    options: [
      unusedStorage,
      json,
      {
        flags: '--lang <tag>',
        description: 'language of the page, such as de (default: English)',
        parse: readLanguage,
      },
      { flags: '--name <text>', description: 'name of the product', parse: readText },
      { flags: '--message <text>', description: 'message instead of the built-in one', parse: readText },
      { flags: '--logo <path>', description: 'image that becomes part of the page', parse: readText },
      { flags: '--accent <color>', description: 'color of the button, such as "#0d6156"', parse: readText },
      { flags: '--support-url <url>', description: 'link for help', parse: readText },
      { flags: '--status-url <url>', description: 'link to a status page', parse: readText },
      { flags: '--template <path>', description: 'Handlebars template instead of the built-in page', parse: readText },
      { flags: '--eject', description: 'print the built-in page as a Handlebars template' },
    ],
    examples: ['page > 503.html', 'page --lang de --name "Acme Shop" > 503.html', 'page --eject > views/closed.hbs'],
    note: 'Name and links default to those of the application or of MAINTENANCE_PAGE_*.',
    // Loaded on use: the other commands start faster without it.
    print: async (context, options) => (await import('./page-command.js')).printPage(context, options),
  },
  {
    name: 'sql',
    description: 'print the SQL that creates the table of a storage',
    argument: { name: 'database', choices: ['mysql', 'postgres'] },
    options: [
      { ...storage, description: 'take the name of the table from this URL; the database is not changed' },
      json,
      { flags: '--table <name>', description: 'name of the table (default: maintenance_state)', parse: readName },
    ],
    examples: ['sql postgres | psql shop', 'sql postgres --table ops.maintenance_state'],
    // Loaded on use: the other commands start faster without it.
    print: async (_context, options, database) => (await import('./sql-command.js')).printSql(options, database!),
  },
];
