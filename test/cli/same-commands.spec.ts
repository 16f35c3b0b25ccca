import { CommandLine, type Ran } from './command-line.js';
import { folderWith } from './program.js';

const FAR = '2999-01-01T00:00Z';
const FAR_END = '2999-01-01T04:00Z';

/** Calls in this order on one storage each, as an operator types them after the name of the program. */
const CALLS: string[][] = [
  [],
  ['--nope'],
  ['nope'],
  ['stat'],
  ['o\u001b[31mn'],
  ['help', 'nope'],
  ['status'],
  ['status', '--json'],
  ['status', '--history'],
  ['status', '--histroy'],
  ['status', 'extra'],
  ['status', '--storage', 'ftp://ann:secret@host'],
  ['status', '--storage', 'file:a', '--storage', 'redis://ann:secret@host'],
  ['status', '--storage', 'file:.'],
  ['status', '--storage', 'file:broken.json'],
  ['status', '--storage', 'file:broken.json', '--json'],
  ['instances'],
  ['instances', '--json'],
  ['instances', '--storage', 'file:broken.json'],
  ['off'],
  ['off', '--json'],
  ['off', '--id', ' '],
  ['off', '--nope'],
  ['off', '--storage', 'file:README.md'],
  ['off', '--storage', 'file:missing/state.json'],
  ['off', '--storage', 'file:broken.json'],
  ['on', '--for'],
  ['on', '--for', '30'],
  ['on', '--for', '1h', '--for', '2h'],
  ['on', '--mode', 'half'],
  ['on', '--message'],
  ['on', '--at', 'tomorrow'],
  ['on', '--at', '2999-01-01T02:00'],
  ['on', '--at', '2020-01-01T00:00Z'],
  ['on', '--until', '2020-01-01T00:00Z'],
  ['on', '--until', FAR, '--for', '1h'],
  ['on', '--tz', 'Europe/Nowhere'],
  ['on', '--every', '0 3 * * 0'],
  ['on', '--every', 'sundays', '--for', '1h'],
  ['on', '--retry-after', '1.5'],
  ['on', '--allow-ip', '10.0.0.300'],
  ['on', '--scope', ''],
  ['on', '--scop', 'payments'],
  ['on', '--timeout', '5s'],
  ['on', '--wait', '--at', FAR],
  ['on', '--storage', 'file:README.md'],
  ['on', '--force', '--storage', 'file:README.md'],
  ['on', '--scope', 'payments', '--mode', 'read-only', '--message', 'Back soon', '--retry-after', '60'],
  ['on', '--scope', 'payments', '--mode', 'read-only', '--message', 'Back soon', '--retry-after', '60'],
  ['on', '--scope', 'payments', '--mode', 'read-only', '--message', 'Later', '--json'],
  ['on', '--message', 'Hi', '--bypass'],
  ['on', '--allow-ip', '203.0.113.7', '--allow-ip', '2001:db8::/32'],
  ['on', '--allow-ip', ''],
  ['on', '--at', FAR, '--until', FAR_END],
  ['on', '--at', '2999-07-01T02:00', '--for', '2h', '--tz', 'Europe/Rome'],
  ['on', '--message-de', 'Gleich', '--message-pt-br=Já voltamos', '--message', 'Soon'],
  ['on', '--message-de', 'Gleich', '--message-pt-br', 'Já voltamos', '--json'],
  ['on', '--message-de', ''],
  ['on', '--message-de'],
  ['on', '--message-de', 'a', '--message-DE', 'b'],
  ['on', '--message-d_e', 'x'],
  ['on', '--message-', 'x'],
  ['on', '--messag-de', 'x'],
  ['off', '--message-de', 'x'],
  ['on', '--wait', '--timeout', '1s'],
  ['on', '--wait', '--timeout', '1s', '--json'],
  ['status'],
  ['status', '--json'],
  ['off', '--id', 'nope'],
  ['off', '--scope', 'search'],
  ['off', '--scope', 'payments'],
  ['off'],
  ['off', '--all'],
  ['status', '--history'],
  ['instances', 'extra'],
  ['run'],
  ['run', '--'],
  ['run', '--no-wait', '--at', FAR, '--', 'true'],
  ['run', '--every', '0 3 * * 0', '--for', '1h', '--', 'true'],
  ['run', '--no-wait', '--timeout', '5s', '--', 'true'],
  ['run', '--until', FAR, '--for', '1h', '--', 'true'],
  ['run', '--on-failure', 'stop', '--', 'true'],
  ['run', '--chek', 'true', '--', 'true'],
  ['run', '--storage', 'file:missing/state.json', '--', 'true'],
  ['run', '--no-wait', '--message', 'Moving', '--message-de', 'Umzug', '--', 'sh', '-c', 'exit 0'],
  ['run', '--no-wait', 'sh', '-c', 'exit 5', '--json'],
  ['run', '--no-wait', '--json', '--', 'sh', '-c', 'exit 6'],
  ['run', '--no-wait', '--on-failure', 'off', '--', 'no-such-program'],
  ['run', '--timeout', '1s', '--check', 'true', '--', 'true'],
  ['status'],
  ['off'],
  ['page'],
  ['page', '--lang', 'pt-br', '--name', 'Shop & Co', '--message', 'Back <soon>'],
  ['page', '--lang', 'ar', '--json'],
  ['page', '--status-url', 'https://status.shop.example', '--support-url', 'mailto:help@shop.example'],
  ['page', '--accent', '#c2410c', '--logo', 'logo.svg'],
  ['page', '--template', 'page.hbs', '--storage', 'file:a'],
  ['page', '--eject'],
  ['page', '--eject', '--lang', 'de'],
  ['page', '--lang', 'x_y'],
  ['page', '--lang', 'tlh'],
  ['page', '--accent', 'mud'],
  ['page', '--logo', 'README.md'],
  ['page', '--status-url', 'javascript:alert(1)'],
  ['page', '--template', 'missing.hbs'],
  ['sql'],
  ['sql', 'oracle'],
  ['sql', 'postgres'],
  ['sql', 'mysql'],
  ['sql', 'mysql', '--table', 'ops.Maintenance'],
  ['sql', 'postgres', '--json'],
  ['sql', 'postgres', '--table', 'ops.Maintenance'],
  ['sql', 'postgres', '--table', 'x; DROP TABLE y'],
  ['sql', 'postgres', '--storage', 'postgres://ann:secret@host/shop?table=ops.switch'],
  ['sql', 'postgres', '--storage', 'redis://ann:secret@host'],
];

const HELP = ['on', 'off', 'status', 'instances', 'run', 'page', 'sql'].flatMap((name) => [
  [name, '--help'],
  [name, '-h'],
  ['help', name],
]);

class Program {
  private constructor(
    private readonly folder: string,
    private readonly commandLine: CommandLine,
  ) {}

  static async start(front: 'bin' | 'program'): Promise<Program> {
    const folder = folderWith({
      'README.md': '# Shop\n',
      'broken.json': '{"format":1',
      'logo.svg': '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="9"/></svg>',
      'page.hbs': '<html lang="{{lang}}"><h1>{{title}}</h1>{{message}}',
    });
    return new Program(folder, await CommandLine.start(folder, {}, front));
  }

  /** Runs a command, and replaces what differs between any two runs. */
  async call(args: string[]): Promise<Ran> {
    const ran = await this.commandLine.run(args);
    return { ...ran, stdout: this.#normalize(ran.stdout), stderr: this.#normalize(ran.stderr) };
  }

  #normalize(text: string): string {
    return text
      .replaceAll(this.folder, '<folder>')
      .replaceAll('shop maintenance', 'nestjs-maintenance')
      .replace(/(?<=corrupt-)\w+/g, '<time>')
      .replace(/20[23]\d-\d\d-\d\d[T_\d:.-]+Z?/g, '<time>')
      .replace(/\((?:in )?[\d a-z]+(?: ago)?\)|\(now\)/g, '(<distance>)')
      .replace(/(\bid |"id": ")\w{8}\b|\b\w{8}(?= \((?:on|planned), scope)/g, '$1<id>')
      .replace(/(maintenance_bypass=|"token": ")[\w-]{43}/g, '$1<token>')
      .replace(/("(?:elapsed|start|command|check|drain|end|keep)": )[\d.]+/g, '$1<ms>')
      .replace(/("window": "|\bwindow |\bwindows )\w{8}\b(?:, \w{8})*/g, '$1<id>')
      .replace(/^((?:steps)? +(?:start|command|check|drain|end|keep|total)) +[\d.]+ s$/gm, '$1 <s>');
  }

  stop(): Promise<void> {
    return this.commandLine.stop();
  }
}

describe('the bin and the program of an application', () => {
  let programs: Program[];
  beforeAll(async () => {
    programs = await Promise.all([Program.start('bin'), Program.start('program')]);
  });
  afterAll(() => Promise.all(programs.map((program) => program.stop())));

  it.each(HELP)('print the same help: %s %s', async (...args) => {
    const [bin, program] = await Promise.all(programs.map((one) => one.call(args)));
    expect(program).toEqual(bin);
    expect(bin).toMatchObject({ code: 0, stderr: '' });
    expect(bin!.stdout).toMatch(
      /^Usage: nestjs-maintenance \w+ \[options\](?: -- <command> \[arguments...\]| <database>)?\n/,
    );
    expect(bin!.stdout).toMatch(/\nExamples:\n {2}nestjs-maintenance /);
    const tooLong = bin!.stdout.split('\n').filter((line) => line.length > 80);
    expect(tooLong).toEqual([]);
  });

  it('print the same help of all commands, except for completion and version', async () => {
    const [bin, program] = await Promise.all(programs.map((one) => one.call(['--help'])));
    // The longer names of the bin make its lines break at other words.
    const [all, shared] = [bin!, program!].map(({ stdout }) => stdout.replace(/\s+/g, ' '));
    const own = / -V, --version output the version number| completion \[options\] <shell> .*? in a shell/g;
    expect(all!.match(own)).toHaveLength(2);
    expect(shared).toBe(all!.replace(own, ''));
  });

  it('print the same and exit with the same code for each of 80 calls', async () => {
    expect(CALLS.length).toBeGreaterThanOrEqual(78);
    const codes = new Set<number | null>();
    for (const args of CALLS) {
      const [bin, program] = await Promise.all(programs.map((one) => one.call(args)));
      // The bin has a command more.
      const known = bin!.stderr.replace(/^Usage: [^]*/, '<help>');
      expect({ args, ...program, stderr: program!.stderr.replace(/^Usage: [^]*/, '<help>') }).toEqual({
        args,
        ...bin,
        stderr: known,
      });
      codes.add(bin!.code);
    }
    expect([...codes].sort()).toEqual([0, 1, 127, 2, 3, 4, 5, 6]);
  });
});
