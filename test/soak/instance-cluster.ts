import { setTimeout as pause } from 'node:timers/promises';
import type { StorageFailurePolicy } from '../../libs/maintenance/src/core/state-monitor.js';
import { Instance, type InstanceSettings } from '../fleet/instance.js';
import { until } from '../tools/waiting.js';
import type { Answer, History, InstanceRun, Write } from './history.js';
import type { Random } from './random.js';

const CONNECTIONS_PER_INSTANCE = 2;
/** Pause between two requests on one connection. */
const REQUEST_INTERVAL_MS = 50;
/** Pause between two changes of the maintenance mode. */
const TOGGLE_INTERVAL_MS = 1_000;
/** How often this process checks that its own event loop is running. */
const STALL_CHECK_INTERVAL_MS = 10;

/** The `onStorageFailure` of each instance, by slot. */
const POLICIES: readonly StorageFailurePolicy[] = ['last-known', 'off', 'on', 'last-known'];

interface Member {
  run: InstanceRun;
  instance: Instance;
}

/** Runs four instances on one storage under load, toggles maintenance, and records everything that happens. */
export class InstanceCluster {
  readonly history: History = { writes: [], faults: [], runs: [], stalls: [] };
  /** Problems that no response shows, such as an instance that exits by itself. */
  readonly problems: string[] = [];
  readonly #members: Member[] = [];
  readonly #all: Member[] = [];
  #isLoading = true;
  #isToggling = true;
  #writing: Promise<unknown> = Promise.resolve();
  readonly #loads: Promise<void>[] = [];
  #toggles: Promise<void> = Promise.resolve();
  readonly #watch: NodeJS.Timeout;

  constructor(
    private readonly settings: Omit<InstanceSettings, 'adapter'>,
    private readonly random: Random,
    /** Whether instances find changes by polling, so that a slow read delays them. */
    private readonly polls: boolean,
    private readonly firstIsFastify: boolean,
  ) {
    let last = Date.now();
    this.#watch = setInterval(() => {
      const now = Date.now();
      if (now - last > 2 * STALL_CHECK_INTERVAL_MS) this.history.stalls.push({ from: last, to: now });
      last = now;
    }, STALL_CHECK_INTERVAL_MS);
  }

  async start(): Promise<void> {
    await Promise.all(POLICIES.map((_, slot) => this.#startInstance(slot)));
    this.#toggles = this.#toggleUntilStopped();
  }

  /** Kills or shuts down one of the replaceable instances and starts another in its slot. */
  async replace(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    // The first two are never replaced: the leak check needs long-lived processes.
    const slot = 2 + Math.floor(this.random.next() * 2);
    await this.#stopInstance(this.#members[slot]!, signal);
    await this.#startInstance(slot);
  }

  /** Runs `work` while no write is in progress. */
  runBetweenWrites<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#writing.then(work);
    this.#writing = turn.catch(() => undefined);
    return turn;
  }

  /** Waits for the first confirmed write that was sent after `moment`. */
  async waitForConfirmedWrite(moment: number, timeoutMs: number): Promise<Write> {
    const find = (): Write | undefined =>
      this.history.writes.find(({ sentAt, revision }) => sentAt > moment && revision !== null);
    await until('a write is confirmed', () => find() !== undefined, timeoutMs);
    return find()!;
  }

  /** Records memory, handles and listeners of each instance. */
  async recordSamples(): Promise<void> {
    await Promise.all(
      this.#members.map(async ({ instance, run }) => {
        const vitals = await instance.ask('vitals');
        run.samples.push({ ...vitals, at: Date.now(), requests: run.answers.length });
      }),
    );
  }

  /** Stops writing after a confirmed write and waits until every instance applies it. */
  async waitForAgreement(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    this.#isToggling = false;
    await this.#toggles;
    while (this.history.writes.at(-1)?.revision === null && Date.now() < deadline) await this.#write();
    const { revision, endedAt } = this.history.writes.at(-1)!;
    const findOutdated = (): Member[] =>
      this.#members.filter(({ run }) => !appliesRevision(run.answers.at(-1), revision, endedAt));
    while (findOutdated().length > 0 && Date.now() < deadline) await pause(10);
    if (revision === null) this.problems.push(`no write was confirmed within ${timeoutMs} ms without a fault`);
    for (const { run } of findOutdated())
      this.problems.push(`${run.name} did not apply revision ${revision} within ${timeoutMs} ms without a fault`);
  }

  /** Returns confirmed writes that are missing from the stored history, ignoring those before the last loss of data. */
  async findLostWrites(): Promise<string[]> {
    const state = await this.#members[0]!.instance.ask('stored');
    const oldest = state!.history.at(-1)!.revision;
    const { writes, faults } = this.history;
    const dataLostAt = Math.max(0, ...faults.filter(({ losesData }) => losesData).map(({ to }) => to));
    return writes
      .filter(({ sentAt, revision }) => revision !== null && sentAt > dataLostAt && revision >= oldest)
      .filter(
        ({ revision, sentAt }) =>
          !state!.history.some((entry) => entry.revision === revision && entry.by === toOperatorName(sentAt)),
      )
      .map(
        ({ revision, message }) =>
          `"${message ?? 'off'}" was confirmed as revision ${revision} but is missing from the history`,
      );
  }

  async stop(): Promise<void> {
    this.#isToggling = false;
    await this.#toggles.catch(() => undefined);
    this.#isLoading = false;
    await Promise.all(this.#loads);
    await Promise.all(this.#members.map((member) => this.#stopInstance(member, 'SIGTERM')));
    clearInterval(this.#watch);
    for (const { instance, run } of this.#all) {
      this.problems.push(...instance.serverErrors.map((error) => `${run.name}: ${error}`));
      for (const { name, message } of instance.warnings) {
        if (name === 'MaxListenersExceededWarning') this.problems.push(`${run.name}: ${message}`);
      }
    }
  }

  async #startInstance(slot: number): Promise<void> {
    const policy = POLICIES[slot]!;
    const adapter = (slot % 2 === 1) === this.firstIsFastify ? 'express' : 'fastify';
    const { options, ...shared } = this.settings;
    const settings = { ...shared, adapter, options: { ...options, onStorageFailure: policy } } as const;
    const number = this.history.runs.length;
    const run: InstanceRun = {
      number,
      name: `instance ${number} (${adapter})`,
      policy,
      startedAt: Infinity,
      signalledAt: Infinity,
      answers: [],
      stalls: [],
      samples: [],
    };
    this.history.runs.push(run);
    const instance = await Instance.start({ ...settings, execArgv: ['--expose-gc'], reportsDelays: true });
    run.startedAt = Date.now();
    const member = { run, instance };
    this.#members[slot] = member;
    this.#all.push(member);
    void instance.closed.then(([code, signal]) => {
      if (run.signalledAt === Infinity)
        this.problems.push(`${run.name} exited by itself (${code ?? signal}): ${instance.errors}`);
    });
    for (let connection = 0; connection < CONNECTIONS_PER_INSTANCE; connection++)
      this.#loads.push(this.#sendRequests(member));
  }

  async #stopInstance({ run, instance }: Member, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    run.signalledAt = Date.now();
    instance.signal(signal);
    const [code] = await instance.closed;
    instance.agent.destroy();
    run.stalls.push(...instance.stalls, ...(this.polls ? instance.longReads : []));
    if (signal === 'SIGTERM' && code !== 0)
      this.problems.push(`${run.name} exited with code ${code} on SIGTERM: ${instance.errors}`);
  }

  async #sendRequests({ run, instance }: Member): Promise<void> {
    let hasExited = false;
    void instance.closed.then(() => (hasExited = true));
    for (let next = Date.now(); this.#isLoading && !hasExited; next += REQUEST_INTERVAL_MS) {
      await pause(Math.max(0, next - Date.now()));
      next = Math.max(next, Date.now() - REQUEST_INTERVAL_MS);
      run.answers.push(await sendRequest(instance));
    }
  }

  async #toggleUntilStopped(): Promise<void> {
    for (let next = Date.now(); this.#isToggling; next = Math.max(next + TOGGLE_INTERVAL_MS, Date.now())) {
      await pause(Math.max(0, next - Date.now()));
      await this.#write();
    }
  }

  /** Turns maintenance off only after a confirmed "on", so that each write changes something. */
  #write(): Promise<void> {
    return this.runBetweenWrites(async () => {
      const { writes } = this.history;
      const last = writes.at(-1);
      const message = last && last.revision !== null && last.message !== null ? null : `write ${writes.length}`;
      const { run, instance } = this.random.pick(this.#members.filter((member) => member.run.signalledAt === Infinity));
      const sentAt = Math.max(Date.now(), (last?.sentAt ?? 0) + 1);
      const write: Write = { message, by: run.number, sentAt, endedAt: Infinity, status: null, revision: null };
      writes.push(write);
      try {
        const { status, body } = await instance.turn(
          message === null ? 'off' : 'on',
          toOperatorName(sentAt),
          message === null ? {} : { message },
        );
        write.status = status;
        if (status === 200) write.revision = body.revision;
      } catch {
        // The response checker knows whether the connection was allowed to break.
      }
      write.endedAt = Date.now();
    });
  }
}

/** Returns the operator name under which the write of this moment appears in the history. */
function toOperatorName(sentAt: number): string {
  return `operator at ${sentAt}`;
}

async function sendRequest(instance: Instance): Promise<Answer> {
  const sentAt = Date.now();
  try {
    const { status, body } = await instance.get('/');
    const message = /^write \d+$/.test(body?.detail) ? body.detail : null;
    return { sentAt, receivedAt: Date.now(), status, message, applied: body?.applied ?? null };
  } catch (error) {
    const reason = (error as Error).message;
    return { sentAt, receivedAt: Date.now(), status: null, message: null, applied: null, error: reason };
  }
}

/** Whether the answer was sent after `since` and is based on the given stored revision. */
function appliesRevision(answer: Answer | undefined, revision: number | null, since: number): boolean {
  if (!answer?.applied || answer.sentAt < since) return false;
  return answer.applied.revision === revision && answer.applied.source === 'storage';
}
