import { until } from '../tools/waiting.js';
import { isAlive } from './run-program.js';
import type { RunScene } from './run-scene.js';

/** One way in which `run` can end. */
export interface RunEnding {
  name: string;
  /** The options. Default: `--no-wait`. */
  args?: string[];
  program: string[];
  env?: Record<string, string>;
  isOnTerminal?: boolean;
  /** Whether it takes longer than a few seconds, so that `npm test` leaves it out. */
  isSlow?: boolean;
  before?: (scene: RunScene) => Promise<void>;
  /** Called while it runs. */
  during?: (scene: RunScene) => Promise<void>;
  /** Called after it has ended. */
  after?: (scene: RunScene) => Promise<void>;
  /** The exit code, or the signal that has ended it. Default: any, since a closed terminal does not tell. */
  code?: number | NodeJS.Signals;
  /** Whether the command was run. Default: `true`. */
  ran?: boolean;
  /** The windows that are on then. */
  on: ('own' | 'other')[];
  history: string[];
  says?: RegExp[];
}

const STARTED = 'on by me';
const ENDED = 'off by me';
const STAYS_ON =
  /\nMaintenance stays ON by window (\w+)[^\n]*\.\nTo end it: nestjs-maintenance off --id \1 --storage \S+\n$/;
// The report of the busy instance never applies a change.
const IS_OFF = /\nMaintenance is off(?: in the storage, but [^\n]+)?\. One window was ended\.\n$/;
const MAY_BE_ON = /\nMaintenance may still be ON\. .*\nTo end it: nestjs-maintenance off --id \w+ --storage \S+\n$/;

/** A program that leaves a trace, and then does this. */
const shell = (script: string, trap = ''): string[] => ['sh', '-c', `${trap} echo $$ > began; echo began; ${script}`];
/** A program that waits for the test, and then does this. */
const waitForGo = (then = 'exit 0'): string[] => shell(`while [ ! -e go ]; do sleep 0.02; done; ${then}`);
const waitForSignal = (trap = ''): string[] => shell('while :; do sleep 0.02; done', trap);

const sendDuringCommand = (signal: NodeJS.Signals) => async (scene: RunScene) => {
  await scene.readPid('began');
  scene.command.signal(signal);
};

/** The drain of an instance that is never done. */
const DRAIN = { args: ['--timeout', '50s'], program: shell('exit 0'), ran: false };
const blockDrain = (scene: RunScene): Promise<void> => scene.addBusyInstance();
const sendDuringDrain = (signal: NodeJS.Signals) => async (scene: RunScene) => {
  await scene.command.shows('shop-2 (pid 4711)');
  scene.command.signal(signal);
  if (signal === 'SIGKILL') return;
  await scene.command.shows('A second signal leaves at once.');
  // Otherwise the command waits 3 s for it to apply that the window has ended.
  await scene.removeBusyInstance();
};

const CHECKING = '--check=echo $$ > checking; while :; do sleep 0.02; done';
const sendDuringCheck = (signal: NodeJS.Signals) => async (scene: RunScene) => {
  await scene.readPid('checking');
  scene.command.signal(signal);
};

/** Waits until the command has noticed that its program has ended: from then on, it ends its window. */
async function endProgram(scene: RunScene): Promise<void> {
  const pid = await scene.readPid('began');
  scene.go();
  await until('the program has ended', () => !isAlive(pid));
}

export const RUN_ENDINGS: RunEnding[] = [
  {
    name: 'the command succeeds after the drain',
    args: ['--message', 'Moving'],
    program: shell('exit 0'),
    code: 0,
    on: [],
    history: [STARTED, ENDED],
    says: [
      /Drained after \d+ s: 1 instance refuses, and its in-flight requests have finished\./,
      /^steps +start +[\d.]+ s\n +drain +[\d.]+ s\n +command +[\d.]+ s\n +end +[\d.]+ s\n +total +[\d.]+ s$/m,
      IS_OFF,
    ],
  },
  { name: 'the command succeeds without a drain', program: shell(''), code: 0, on: [], history: [STARTED, ENDED] },
  {
    name: 'command and check succeed',
    args: ['--no-wait', '--check', 'test -n "$MAINTENANCE_WINDOW_ID" && echo "$MAINTENANCE_BYPASS_HEADER"'],
    program: shell('test -z "$MAINTENANCE_BYPASS_HEADER"'),
    code: 0,
    on: [],
    history: [STARTED, ENDED],
    says: [/^x-maintenance-bypass: [\w-]{43}$/m, /^ +check +[\d.]+ s$/m, IS_OFF],
  },
  {
    name: 'the window of a scope, for reads only',
    args: ['--no-wait', '--scope', 'payments', '--mode', 'read-only', '--for', '30m', '--retry-after', '5'],
    program: shell('exit 0'),
    code: 0,
    on: [],
    history: [STARTED, ENDED],
    says: [/^on +scope payments \(read-only\)/m],
  },
  {
    name: 'the command fails',
    program: shell('exit 3'),
    code: 3,
    on: ['own'],
    history: [STARTED],
    says: [/^error: The command failed \(exit code 3\): sh /m, STAYS_ON],
  },
  {
    name: 'the command fails, with --on-failure off',
    args: ['--no-wait', '--on-failure', 'off'],
    program: shell('exit 3'),
    code: 3,
    on: [],
    history: [STARTED, ENDED],
    says: [/^error: The command failed \(exit code 3\)/m, IS_OFF],
  },
  {
    name: 'the command kills itself',
    program: shell('kill -KILL $$'),
    code: 137,
    on: ['own'],
    history: [STARTED],
    says: [/ended by SIGKILL, exit code 137/, STAYS_ON],
  },
  {
    name: 'the command does not exist',
    program: ['./no-such-program', '--flag'],
    code: 127,
    ran: false,
    on: ['own'],
    history: [STARTED],
    says: [
      /^error: The command was not run \(it was not found, exit code 127\): .\/no-such-program --flag$/m,
      STAYS_ON,
    ],
  },
  {
    name: 'the command does not exist, with --on-failure off',
    args: ['--no-wait', '--on-failure', 'off'],
    program: ['no-such-program'],
    code: 127,
    ran: false,
    on: [],
    history: [STARTED, ENDED],
    says: [IS_OFF],
  },
  {
    name: 'the command is not executable',
    program: ['./package.json'],
    code: 126,
    ran: false,
    on: ['own'],
    history: [STARTED],
    says: [/^error: The command was not run \(it can not be executed, exit code 126\)/m, STAYS_ON],
  },
  {
    name: 'the check fails',
    args: ['--no-wait', '--check', 'exit 7'],
    program: shell('exit 0'),
    code: 7,
    on: ['own'],
    history: [STARTED],
    says: [/^error: The check failed \(exit code 7\)/m, STAYS_ON],
  },
  {
    name: 'the check fails, with --on-failure off',
    args: ['--no-wait', '--check', 'exit 7', '--on-failure', 'off'],
    program: shell('exit 0'),
    code: 7,
    on: [],
    history: [STARTED, ENDED],
    says: [IS_OFF],
  },
  {
    name: 'the command fails, and the check is not run',
    args: ['--no-wait', '--check', 'touch checked'],
    program: shell('exit 3'),
    code: 3,
    after: (scene) => Promise.resolve(expect(scene.has('checked')).toBe(false)),
    on: ['own'],
    history: [STARTED],
  },
  {
    name: 'the drain times out',
    isSlow: true,
    ...DRAIN,
    args: ['--timeout', '1s'],
    before: blockDrain,
    code: 4,
    on: [],
    history: [STARTED, ENDED],
    says: [/^error: The wait timed out after 1 s; .*shop-2 \(pid 4711\)\. The command was not run\.$/m, IS_OFF],
  },
  ...(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const).map((signal): RunEnding => ({
    name: `${signal} during the drain`,
    ...DRAIN,
    before: blockDrain,
    during: sendDuringDrain(signal),
    code: { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 }[signal],
    on: [],
    history: [STARTED, ENDED],
    says: [new RegExp(`^error: Interrupted by ${signal} before the command began\\. It was not run\\.$`, 'm'), IS_OFF],
  })),
  {
    name: 'SIGKILL during the drain',
    ...DRAIN,
    before: blockDrain,
    during: sendDuringDrain('SIGKILL'),
    code: 'SIGKILL',
    on: ['own'],
    history: [STARTED],
  },
  {
    name: 'another operator ends the window during the drain',
    isSlow: true,
    ...DRAIN,
    before: blockDrain,
    during: async (scene) => {
      await scene.command.shows('shop-2 (pid 4711)');
      await scene.turnOff();
    },
    code: 1,
    on: [],
    history: [STARTED, 'off by ann'],
    says: [/^error: Maintenance is off; .* turned off by ann@ops-2 .* The command was not run\.$/m],
  },
  {
    name: 'another operator ends the window during the drain, beside another window',
    ...DRAIN,
    before: async (scene) => {
      await scene.turnOn();
      await scene.addBusyInstance();
    },
    during: async (scene) => {
      await scene.command.shows('shop-2 (pid 4711)');
      await scene.turnOff({ id: await scene.findWindow() });
      await scene.removeBusyInstance();
    },
    code: 1,
    on: ['other'],
    history: [STARTED, 'off by ann'],
    says: [/^error: Window \w+ was turned off by ann@ops-2 \(cli\) at \S+\. The command was not run\.$/m],
  },
  {
    name: 'SIGINT while the window is being started',
    program: shell('exit 0'),
    before: (scene) => Promise.resolve(scene.storage.hold()),
    during: async (scene) => {
      await scene.command.handlesSignals();
      scene.command.signal('SIGINT');
      scene.storage.release();
    },
    code: 130,
    ran: false,
    on: [],
    history: [STARTED, ENDED],
    says: [/^error: Interrupted by SIGINT before the command began/m, IS_OFF],
  },
  {
    name: 'SIGKILL while the window is being started',
    program: shell('exit 0'),
    before: (scene) => Promise.resolve(scene.storage.hold()),
    during: async (scene) => {
      await scene.command.handlesSignals();
      scene.command.signal('SIGKILL');
      await scene.command.end();
      scene.storage.release();
    },
    code: 'SIGKILL',
    ran: false,
    on: [],
    history: [],
  },
  {
    name: 'SIGINT during the command, which ends with its own code',
    program: waitForSignal('trap "exit 9" INT;'),
    during: sendDuringCommand('SIGINT'),
    code: 9,
    on: ['own'],
    history: [STARTED],
    says: [STAYS_ON],
  },
  ...(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const).map((signal): RunEnding => ({
    name: `${signal} during the command`,
    program: waitForSignal(),
    during: sendDuringCommand(signal),
    code: { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 }[signal],
    on: ['own'],
    history: [STARTED],
    says: [new RegExp(`ended by ${signal}`), STAYS_ON],
  })),
  {
    name: 'SIGTERM during the command, which ends with exit code 0',
    program: waitForSignal('trap "exit 0" TERM;'),
    during: sendDuringCommand('SIGTERM'),
    code: 143,
    on: ['own'],
    history: [STARTED],
    says: [/^error: Interrupted by SIGTERM during the command, which then ended with exit code 0\.$/m, STAYS_ON],
  },
  {
    name: 'SIGTERM during the command, with --on-failure off',
    args: ['--no-wait', '--on-failure', 'off'],
    program: waitForSignal(),
    during: sendDuringCommand('SIGTERM'),
    code: 143,
    on: [],
    history: [STARTED, ENDED],
    says: [IS_OFF],
  },
  {
    name: 'SIGKILL during the command, which continues',
    program: waitForGo(),
    during: sendDuringCommand('SIGKILL'),
    code: 'SIGKILL',
    after: async (scene) => expect(isAlive(await scene.readPid('began'))).toBe(true),
    on: ['own'],
    history: [STARTED],
  },
  {
    name: 'SIGTERM during the check',
    args: ['--no-wait', CHECKING],
    program: shell('exit 0'),
    during: sendDuringCheck('SIGTERM'),
    code: 143,
    on: ['own'],
    history: [STARTED],
    says: [/^error: The check failed \(ended by SIGTERM, exit code 143\)/m, STAYS_ON],
  },
  {
    name: 'SIGKILL during the check',
    args: ['--no-wait', CHECKING],
    program: shell('exit 0'),
    during: sendDuringCheck('SIGKILL'),
    code: 'SIGKILL',
    on: ['own'],
    history: [STARTED],
  },
  {
    name: 'SIGTERM while the window is being ended',
    program: waitForGo(),
    during: async (scene) => {
      await scene.readPid('began');
      scene.storage.hold();
      await endProgram(scene);
      scene.command.signal('SIGTERM');
      scene.storage.release();
    },
    code: 0,
    on: [],
    history: [STARTED, ENDED],
    says: [IS_OFF],
  },
  {
    name: 'SIGTERM while the window of a failed command is being kept',
    program: waitForGo('exit 3'),
    during: async (scene) => {
      await scene.readPid('began');
      scene.storage.hold();
      await endProgram(scene);
      scene.command.signal('SIGTERM');
      await scene.command.shows('A second signal leaves at once.');
      scene.storage.release();
    },
    code: 3,
    on: ['own'],
    history: [STARTED],
    says: [/^note: Got SIGTERM: the window stays on, /m, STAYS_ON],
  },
  {
    name: 'SIGKILL while the window is being ended',
    program: waitForGo(),
    during: async (scene) => {
      await scene.readPid('began');
      scene.storage.hold();
      await endProgram(scene);
      scene.command.signal('SIGKILL');
      await scene.command.end();
      scene.storage.release();
    },
    code: 'SIGKILL',
    on: ['own'],
    history: [STARTED],
  },
  {
    name: 'a second SIGINT while the window of an interrupted drain is being ended',
    ...DRAIN,
    before: blockDrain,
    during: async (scene) => {
      await scene.command.shows('shop-2 (pid 4711)');
      scene.storage.hold();
      scene.command.signal('SIGINT');
      await scene.command.shows('A second signal leaves at once.');
      scene.command.signal('SIGINT');
      await scene.command.end();
      scene.storage.release();
    },
    code: 130,
    on: ['own'],
    history: [STARTED],
    says: [/^error: Interrupted by SIGINT again\.$/m, MAY_BE_ON],
  },
  {
    name: 'the terminal is closed during the command',
    isOnTerminal: true,
    program: waitForSignal('trap "echo HUP >> hangup; exit 1" HUP;'),
    during: async (scene) => {
      await scene.readPid('began');
      scene.command.signal('SIGKILL');
    },
    after: async (scene) => {
      const pid = await scene.readPid('pid');
      await until('the command has ended', () => !isAlive(pid));
      expect(scene.read('hangup')).toContain('HUP');
    },
    on: ['own'],
    history: [STARTED],
  },
  {
    name: 'the terminal is closed during the drain',
    isSlow: true,
    ...DRAIN,
    isOnTerminal: true,
    before: blockDrain,
    during: async (scene) => {
      await scene.command.shows('shop-2 (pid 4711)');
      scene.command.signal('SIGKILL');
    },
    after: async (scene) => {
      const pid = await scene.readPid('pid');
      await until('the command has ended', () => !isAlive(pid));
    },
    on: [],
    history: [STARTED, ENDED],
  },
  {
    name: 'Ctrl-C on a terminal, which the command gets once',
    isOnTerminal: true,
    program: waitForSignal('trap "echo INT >> interrupts" INT; trap "exit 9" TERM;'),
    during: async (scene) => {
      await scene.readPid('began');
      scene.command.type('\u0003');
      await until('the command is interrupted', () => scene.has('interrupts'));
      process.kill(await scene.readPid('pid'), 'SIGTERM');
    },
    code: 9,
    after: (scene) => Promise.resolve(expect(scene.read('interrupts')).toBe('INT\n')),
    on: ['own'],
    history: [STARTED],
  },
  {
    name: 'Ctrl-C on a terminal, during a command in a session of its own',
    isOnTerminal: true,
    // It ends by itself, since it is not among the programs that the test can end.
    program: [
      'setsid',
      ...shell('i=0; while [ $((i+=1)) -lt 999 ]; do sleep 0.02; done; exit 9', 'trap "exit 8" INT;'),
    ],
    during: async (scene) => {
      await scene.readPid('began');
      scene.command.type('\u0003');
    },
    code: 8,
    on: ['own'],
    history: [STARTED],
  },
  {
    name: 'the storage is away at the start',
    program: shell('exit 0'),
    before: (scene) => Promise.resolve(scene.storage.takeAway()),
    after: (scene) => Promise.resolve(scene.storage.restore()),
    code: 1,
    ran: false,
    on: [],
    history: [],
    says: [/^error: .*\nstorage: \w+ .+\n$/m],
  },
  {
    name: 'the storage is away from the drain on',
    isSlow: true,
    ...DRAIN,
    args: ['--timeout', '2s'],
    before: blockDrain,
    during: async (scene) => {
      await scene.command.shows('shop-2 (pid 4711)');
      scene.storage.takeAway();
    },
    code: 1,
    after: (scene) => Promise.resolve(scene.storage.restore()),
    on: ['own'],
    history: [STARTED],
    says: [/The command was not run\.$/m, /^error: Window \w+ could not be ended: /m, MAY_BE_ON],
  },
  {
    name: 'the storage is away from the command on',
    isSlow: true,
    program: waitForGo(),
    during: async (scene) => {
      await scene.readPid('began');
      scene.storage.takeAway();
      scene.go();
    },
    code: 1,
    after: (scene) => Promise.resolve(scene.storage.restore()),
    on: ['own'],
    history: [STARTED],
    says: [/^error: Window \w+ could not be ended: /m, MAY_BE_ON],
  },
  {
    name: 'the storage is away from a command on that fails',
    isSlow: true,
    program: waitForGo('exit 3'),
    during: async (scene) => {
      await scene.readPid('began');
      scene.storage.takeAway();
      scene.go();
    },
    code: 3,
    after: (scene) => Promise.resolve(scene.storage.restore()),
    on: ['own'],
    history: [STARTED],
    says: [/^error: The command failed \(exit code 3\)/m, /^error: The storage could not be read: /m, MAY_BE_ON],
  },
  {
    name: 'the storage is away during the command only',
    program: waitForGo(),
    during: async (scene) => {
      await scene.readPid('began');
      scene.storage.takeAway();
      scene.storage.restore();
      scene.go();
    },
    code: 0,
    on: [],
    history: [STARTED, ENDED],
    says: [IS_OFF],
  },
  {
    name: 'the storage comes back while the window is being ended',
    program: waitForGo(),
    during: async (scene) => {
      await scene.readPid('began');
      scene.storage.takeAway();
      await endProgram(scene);
      scene.storage.restore();
    },
    code: 0,
    on: [],
    history: [STARTED, ENDED],
    says: [IS_OFF],
  },
  {
    name: 'a window is on already',
    before: (scene) => scene.turnOn({ message: 'Before' }),
    program: shell('exit 0'),
    code: 0,
    on: ['other'],
    history: [STARTED, ENDED],
    says: [
      /^note: Maintenance was on before, by window \w+\. run leaves that as it is/m,
      /\nMaintenance is ON\. One window was ended\.\nnote: It stays on by window \w+, which run did not start\. To end it: nestjs-maintenance off .*\n$/,
    ],
  },
  {
    name: 'a window is on already, and the command fails',
    before: (scene) => scene.turnOn({ message: 'Before' }),
    program: shell('exit 3'),
    code: 3,
    on: ['other', 'own'],
    history: [STARTED],
    says: [STAYS_ON, /by window \w+, and by window \w+, which run did not start\.$/m],
  },
  {
    name: 'another operator ends the window during the command',
    program: waitForGo(),
    during: async (scene) => {
      await scene.readPid('began');
      await scene.turnOff({ id: await scene.findWindow() });
      scene.go();
    },
    code: 0,
    on: [],
    history: [STARTED, 'off by ann'],
    says: [/^warning: Window \w+ was turned off by ann@ops-2 \(cli\) at \S+, before the command was done\./m],
  },
  {
    name: 'another operator ends the window during a command that fails',
    program: waitForGo('exit 3'),
    during: async (scene) => {
      await scene.readPid('began');
      await scene.turnOff({ id: await scene.findWindow() });
      scene.go();
    },
    code: 3,
    on: [],
    history: [STARTED, 'off by ann'],
    says: [
      /^warning: Window \w+ was turned off by ann@ops-2 \(cli\) at \S+, so it was not left on\.\nMaintenance is off/m,
    ],
  },
  {
    name: 'another operator turns maintenance on during the command',
    program: waitForGo(),
    during: async (scene) => {
      await scene.readPid('began');
      await scene.turnOn({ message: 'Longer' });
      scene.go();
    },
    code: 0,
    on: ['other'],
    history: [STARTED, 'on by ann', ENDED],
    says: [/^note: It stays on by window \w+, which run did not start\./m],
  },
  {
    name: 'a recurring window begins during the command',
    program: waitForGo(),
    during: async (scene) => {
      await scene.readPid('began');
      await scene.turnOn({
        recurrence: { cron: `${new Date(Date.now() - 60_000).getUTCMinutes()} * * * *`, duration: 3_000_000 },
        startsAt: new Date(Date.now() - 3_600_000),
      });
      scene.go();
    },
    code: 0,
    on: ['other'],
    history: [STARTED, 'on by ann', ENDED],
    says: [/\nMaintenance is ON\. One window was ended\.\n/],
  },
  {
    name: 'the end of the window comes during the command',
    args: ['--no-wait', '--for', '1s'],
    program: waitForGo(),
    during: async (scene) => {
      const id = await scene.findWindow();
      const end = (await scene.readState())!.windows.find((window) => window.id === id)!.endsAt!;
      await until('the window is over', () => Date.now() > Date.parse(end));
      scene.go();
    },
    code: 0,
    on: [],
    history: [STARTED],
    says: [/^warning: Window \w+ was over at \S+, its end, before the command was done\./m],
  },
  {
    name: 'maintenance is forced by the option enabled',
    env: { MAINTENANCE_MODE: 'true' },
    program: shell('exit 0'),
    code: 1,
    ran: false,
    on: [],
    history: [],
    says: [/^error: .*MAINTENANCE_MODE/],
  },
];
