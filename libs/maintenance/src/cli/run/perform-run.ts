import { assertSupportsReports } from '../../drain/assert-supports-reports.js';
import type { DrainReport } from '../../drain/drain-report.js';
import { isUsageError } from '../execute.js';
import { rejectOnAbort } from '../../utils/reject-on-abort.js';
import { toErrorMessage } from '../../utils/to-error-message.js';
import type { CommandContext, Outcome } from '../command-description.js';
import { formatOffCommand } from '../interruption.js';
import { drainTarget, type ChangeReport } from '../maintenance-commands.js';
import { DEFAULT_WAIT_TIMEOUT_MS, showDrain, TIMED_OUT_EXIT_CODE, toOnRequest } from '../operations.js';
import { printLines } from '../output.js';
import { formatChange } from '../print.js';
import { describeBlockers, formatDrain } from '../print-instances.js';
import { Progress } from '../progress.js';
import { formatSection, formatStorage } from '../sections.js';
import {
  describeOtherWindows,
  formatCommand,
  formatEndOfRun,
  formatSteps,
  toRunJson,
  type RunOutcome,
  type RunStep,
} from './print-run.js';
import { assertRunOptions, createCheckVariables, getCheckUrl, type RunOptions } from './run-options.js';
import { describeProgramEnd, runProgram, type ProgramEnd } from './run-program.js';
import { RunSignals, toExitCode } from './run-signals.js';
import { RunWindow, type WindowResult } from './run-window.js';

/** The reason why a step failed, and the exit code for it. */
interface Failure {
  message: string;
  exitCode: number;
}

/**
 * Runs the command `run`. Its own output goes to stderr: stdout belongs to the program that it runs.
 *
 * @param command - the program to run, and its arguments
 */
export async function performRun(
  context: CommandContext,
  options: RunOptions,
  command: readonly string[],
): Promise<Outcome> {
  assertRunOptions(options, command, context.program);
  if (options.check !== undefined) getCheckUrl(process.env);
  if (options.wait ?? true) assertSupportsReports(context.target.storage);
  const run = new Run(context, options, command);
  try {
    return await run.perform();
  } finally {
    run.stop();
  }
}

class Run {
  readonly #window: RunWindow;
  readonly #progress = new Progress(process.stderr);
  readonly #steps: RunStep[] = [];
  readonly #signals = new RunSignals((signal) => this.#leave(signal));
  #token: string | undefined;
  #drain: DrainReport | undefined;
  #isKeeping = false;

  constructor(
    private readonly context: CommandContext,
    private readonly options: RunOptions,
    private readonly command: readonly string[],
  ) {
    this.#window = new RunWindow({ ...context.target, force: options.force });
    this.#signals.aborted.addEventListener('abort', () => this.#announceEnd());
  }

  async perform(): Promise<Outcome> {
    const obstacle = (await this.#start()) ?? (await this.#prepare());
    if (obstacle) return this.#end(obstacle);
    const failure = await this.#work();
    return failure && this.options.onFailure !== 'off' ? this.#keep(failure) : this.#end(failure);
  }

  stop(): void {
    this.#progress.end();
    this.#signals.stop();
  }

  async #start(): Promise<Failure | undefined> {
    const { bypass, check, wait = true } = this.options;
    const request = { ...toOnRequest(this.options), bypass: bypass === true || check !== undefined };
    try {
      const report = await this.#measure('start', () => this.#window.start(request, wait));
      this.#token = report.token;
      await this.#printStart(report);
      return undefined;
    } catch (error) {
      if (!this.#window.mayBeOn || isUsageError(error)) throw error;
      return { message: `${toErrorMessage(error)} The command was not run.`, exitCode: 1 };
    }
  }

  async #printStart(report: ChangeReport): Promise<void> {
    // The link for --check only is not shown: it is of no use afterwards.
    const shown = this.options.bypass ? report : { ...report, token: undefined };
    const others = describeOtherWindows(report, this.#window.id);
    const note = `note: Maintenance was on before, by ${others}. run leaves that as it is, and started a window of its own.`;
    await this.#print([...formatChange(shown, ''), ...(others === undefined ? [] : ['', note])]);
  }

  /** Waits for the drain, and checks that the window is still on. */
  async #prepare(): Promise<Failure | undefined> {
    try {
      if (this.options.wait ?? true) {
        const drain = await this.#measure('drain', () => this.#waitForDrain());
        await this.#print(formatDrain(drain));
        const exitCode = TIMED_OUT_EXIT_CODE;
        if (!drain.drained) {
          const hint = drain.instances.length === 0 ? ' If none is running, use --no-wait.' : '';
          return { message: `${describeBlockers(drain, 'The wait')} The command was not run.${hint}`, exitCode };
        }
      }
      const end = await rejectOnAbort(this.#window.findEnd(), this.#signals.aborted);
      if (end === undefined) return undefined;
      return { message: `Window ${this.#window.id} ${end}. The command was not run.`, exitCode: 1 };
    } catch (error) {
      const message = `${toErrorMessage(error)} The command was not run.`;
      return this.#createInterruption('before the command began. It was not run.') ?? { message, exitCode: 1 };
    }
  }

  async #waitForDrain(): Promise<DrainReport> {
    const { target } = this.context;
    const timeout = this.options.timeout ?? DEFAULT_WAIT_TIMEOUT_MS;
    const show = (report: DrainReport): void => showDrain(this.#progress, report);
    try {
      this.#drain = await drainTarget(target, timeout, show, this.#signals.aborted);
      return this.#drain;
    } finally {
      this.#progress.end();
    }
  }

  /** Runs the command and the check. */
  async #work(): Promise<Failure | undefined> {
    const { environment } = this.context;
    const { check } = this.options;
    const variables = { MAINTENANCE_WINDOW_ID: this.#window.id };
    const failure = await this.#run('command', this.command, { ...environment, ...variables });
    if (failure !== undefined || check === undefined) return failure;
    const bypass = createCheckVariables(this.#token!, process.env);
    return this.#run('check', check, { ...environment, ...variables, ...bypass });
  }

  async #run(
    name: 'command' | 'check',
    command: readonly string[] | string,
    env: NodeJS.ProcessEnv,
  ): Promise<Failure | undefined> {
    const shown = formatCommand(command);
    // Not awaited: no signal may come between the last look at the signals and the start of the program.
    void this.#print(['', `Running the ${name}: ${shown}`]);
    const interruption = this.#createInterruption(`before the ${name} began. It was not run.`);
    if (interruption) return interruption;
    const end = await this.#measure(name, () => runProgram(command, env, this.#signals));
    return this.#toFailure(name, shown, end);
  }

  #toFailure(name: string, shown: string, end: ProgramEnd): Failure | undefined {
    if (end.exitCode === 0) return this.#createInterruption(`during the ${name}, which then ended with exit code 0.`);
    const verb = end.notStarted === undefined ? 'failed' : 'was not run';
    const message = `The ${name} ${verb} (${describeProgramEnd(end)}): ${shown}`;
    return { message, exitCode: end.exitCode };
  }

  #createInterruption(moment: string): Failure | undefined {
    const { received } = this.#signals;
    return received && { message: `Interrupted by ${received} ${moment}`, exitCode: toExitCode(received) };
  }

  /** Ends the window, after a success, or after a failure that does not leave it on. */
  async #end(failure?: Failure): Promise<Outcome> {
    const { id } = this.#window;
    const result = await this.#measure('end', () => this.#settle(() => this.#window.end()));
    if (result instanceof Error) {
      const message = `Window ${id} could not be ended: ${toErrorMessage(result)}`;
      const lines = [`error: ${message}`, ...this.#formatUncertainty()];
      return this.#finish('unknown', failure ?? { message, exitCode: 1 }, [
        ...(failure ? [`error: ${failure.message}`] : []),
        ...lines,
      ]);
    }
    const { report, endedBefore } = result;
    const isEarly = endedBefore !== undefined && this.#steps.some(({ name }) => name === 'command');
    const warning = `warning: Window ${id} ${endedBefore}, before the command was done. Requests may have been admitted meanwhile.`;
    const [headline = ''] = formatChange(report, '');
    const lines = [
      ...(isEarly ? [warning] : []),
      ...(failure ? [`error: ${failure.message}`] : []),
      headline,
      ...this.#formatOthers(report),
    ];
    return this.#finish(endedBefore === undefined ? 'ended' : 'ended-before', failure, lines, report);
  }

  #formatOthers(report: ChangeReport): string[] {
    const others = describeOtherWindows(report, this.#window.id);
    if (others === undefined) return [];
    const off = formatOffCommand(this.context.program, { storage: this.options.storage });
    return [`note: It stays on by ${others}, which run did not start. To end it: ${off}`];
  }

  /** Leaves the window on, and checks that it is. */
  async #keep(failure: Failure): Promise<Outcome> {
    const { id } = this.#window;
    this.#isKeeping = true;
    const result = await this.#measure('keep', () => this.#settle(() => this.#window.keep()));
    const error = `error: ${failure.message}`;
    if (result instanceof Error) {
      const reason = `error: The storage could not be read: ${toErrorMessage(result)}`;
      return this.#finish('unknown', failure, [error, reason, ...this.#formatUncertainty()]);
    }
    const { report, endedBefore } = result;
    if (endedBefore !== undefined) {
      const [headline = ''] = formatChange(report, '');
      const warning = `warning: Window ${id} ${endedBefore}, so it was not left on.`;
      return this.#finish('ended-before', failure, [error, warning, headline, ...this.#formatOthers(report)], report);
    }
    const others = describeOtherWindows(report, id);
    const also = others === undefined ? '' : `, and by ${others}, which run did not start`;
    const lines = [error, `Maintenance stays ON by window ${id}${also}.`, this.#formatOff()];
    return this.#finish('kept', failure, lines, report);
  }

  #formatUncertainty(): string[] {
    return ['Maintenance may still be ON. Look with `status` once the storage works again.', this.#formatOff()];
  }

  #formatOff(): string {
    const { storage } = this.options;
    return `To end it: ${formatOffCommand(this.context.program, { id: this.#window.id, storage })}`;
  }

  async #finish(
    outcome: RunOutcome,
    failure: Failure | undefined,
    last: readonly string[],
    report?: ChangeReport,
  ): Promise<Outcome> {
    const exitCode = failure?.exitCode ?? 0;
    const storage = report
      ? formatEndOfRun(report)
      : ['', ...formatSection('storage', [formatStorage(this.context.target.storage)])];
    await this.#print(['', ...formatSteps(this.#steps), ...storage, '']);
    if (failure || !this.options.json) await printLines(process.stderr, last);
    const json = toRunJson({
      window: this.#window.id,
      outcome,
      exitCode,
      steps: this.#steps,
      report,
      token: this.options.bypass ? this.#token : undefined,
      drain: this.#drain,
      error: failure?.message,
    });
    return { lines: [], json, exitCode };
  }

  /** Says at the first signal why the command does not end at once. */
  #announceEnd(): void {
    this.#progress.end();
    const { received } = this.#signals;
    const step = this.#isKeeping ? 'the window stays on, which is being checked' : 'the window is being ended';
    void this.#print([`note: Got ${received}: ${step}. A second signal leaves at once.`]);
  }

  /** Leaves at the second signal, although the state of the window is unknown. */
  #leave(signal: NodeJS.Signals): void {
    this.#progress.end();
    const lines = [`error: Interrupted by ${signal} again.`, ...this.#formatUncertainty()];
    void printLines(process.stderr, lines).then(() => process.exit(toExitCode(signal)));
  }

  async #settle(change: () => Promise<WindowResult>): Promise<WindowResult | Error> {
    try {
      return await change();
    } catch (error) {
      return error instanceof Error ? error : new Error(toErrorMessage(error));
    }
  }

  async #measure<T>(name: RunStep['name'], work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#steps.push({ name, elapsed: performance.now() - startedAt });
    }
  }

  async #print(lines: readonly string[]): Promise<void> {
    if (!this.options.json) await printLines(process.stderr, lines);
  }
}
