import { setTimeout as pause } from 'node:timers/promises';
import type { StorageFailurePolicy } from '../../libs/maintenance/src/core/state-monitor.js';
import { Instance, type InstanceSettings } from '../fleet/instance.js';
import { until } from '../tools/waiting.js';
import type { Answer, History, Life, Write } from './history.js';
import type { Random } from './random.js';

/** Connections of the load to each instance, and milliseconds between two requests on each. */
const CONNECTIONS = 2;
const PACE = 50;
/** Milliseconds between two uses of the switch. */
const TOGGLE_INTERVAL = 1_000;
/** Milliseconds between two looks at whether this process comes to do anything. */
const LOOK = 10;

/** Of the instances, by their place. */
const POLICIES: readonly StorageFailurePolicy[] = ['last-known', 'off', 'on', 'last-known'];

interface Member {
  life: Life;
  instance: Instance;
}

/** The instances on one storage, the load on them and the operator who switches. All that happens is written down. */
export class Crew {
  readonly history: History = { writes: [], faults: [], lives: [], stalls: [] };
  /** What must not be, besides what the answers show. */
  readonly troubles: string[] = [];
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
    /** Whether a change is seen with the next read, which may take its time. */
    private readonly polls: boolean,
    private readonly firstIsFastify: boolean,
  ) {
    let last = Date.now();
    this.#watch = setInterval(() => {
      const now = Date.now();
      if (now - last > 2 * LOOK) this.history.stalls.push({ from: last, to: now });
      last = now;
    }, LOOK);
  }

  async start(): Promise<void> {
    await Promise.all(POLICIES.map((_, place) => this.#join(place)));
    this.#toggles = this.#toggle();
  }

  /** Kills one of those that may go, or ends it in order, and puts another in its place at once. */
  async replace(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    // The first two stay, to be measured.
    const place = 2 + Math.floor(this.random.next() * 2);
    await this.#end(this.#members[place]!, signal);
    await this.#join(place);
  }

  /** Does something while nobody writes. */
  undisturbed<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#writing.then(work);
    this.#writing = turn.catch(() => undefined);
    return turn;
  }

  /** The first write that was sent after `moment` and confirmed, when there is one. */
  async confirmedAfter(moment: number, patience: number): Promise<Write> {
    const find = (): Write | undefined =>
      this.history.writes.find(({ sentAt, revision }) => sentAt > moment && revision !== null);
    await until('a write is confirmed', () => find() !== undefined, patience);
    return find()!;
  }

  /** Measures each instance. */
  async sample(): Promise<void> {
    await Promise.all(
      this.#members.map(async ({ instance, life }) => {
        const vitals = await instance.ask('vitals');
        life.samples.push({ ...vitals, at: Date.now(), requests: life.answers.length });
      }),
    );
  }

  /** No more writes after one that is confirmed; waits until each instance answers by that one. */
  async agree(patience: number): Promise<void> {
    const deadline = Date.now() + patience;
    this.#isToggling = false;
    await this.#toggles;
    while (this.history.writes.at(-1)?.revision === null && Date.now() < deadline) await this.#write();
    const { revision, endedAt } = this.history.writes.at(-1)!;
    const late = (): Member[] => this.#members.filter(({ life }) => !isBy(life.answers.at(-1), revision, endedAt));
    while (late().length > 0 && Date.now() < deadline) await pause(10);
    if (revision === null) this.troubles.push(`no write was confirmed within ${patience} ms without a fault`);
    for (const { life } of late())
      this.troubles.push(`${life.name} did not go by revision ${revision} within ${patience} ms without a fault`);
  }

  /** The writes that were confirmed since the storage last forgot everything, and that its history does not tell. */
  async findLost(): Promise<string[]> {
    const state = await this.#members[0]!.instance.ask('stored');
    const oldest = state!.history.at(-1)!.revision;
    const { writes, faults } = this.history;
    const forgotten = Math.max(0, ...faults.filter(({ forgets }) => forgets).map(({ to }) => to));
    return writes
      .filter(({ sentAt, revision }) => revision !== null && sentAt > forgotten && revision >= oldest)
      .filter(
        ({ revision, sentAt }) =>
          !state!.history.some((entry) => entry.revision === revision && entry.by === nameAt(sentAt)),
      )
      .map(
        ({ revision, message }) =>
          `"${message ?? 'off'}" was confirmed as revision ${revision}, and is not in the history`,
      );
  }

  async stop(): Promise<void> {
    this.#isToggling = false;
    await this.#toggles.catch(() => undefined);
    this.#isLoading = false;
    await Promise.all(this.#loads);
    await Promise.all(this.#members.map((member) => this.#end(member, 'SIGTERM')));
    clearInterval(this.#watch);
    for (const { instance, life } of this.#all) {
      this.troubles.push(...instance.troubles.map((trouble) => `${life.name}: ${trouble}`));
      for (const { name, message } of instance.warnings) {
        if (name === 'MaxListenersExceededWarning') this.troubles.push(`${life.name}: ${message}`);
      }
    }
  }

  async #join(place: number): Promise<void> {
    const policy = POLICIES[place]!;
    const adapter = (place % 2 === 1) === this.firstIsFastify ? 'express' : 'fastify';
    const { options, ...rest } = this.settings;
    const settings = { ...rest, adapter, options: { ...options, onStorageFailure: policy } } as const;
    const number = this.history.lives.length;
    const life: Life = {
      number,
      name: `instance ${number} (${adapter})`,
      policy,
      startedAt: Infinity,
      signalledAt: Infinity,
      answers: [],
      stalls: [],
      samples: [],
    };
    this.history.lives.push(life);
    const instance = await Instance.start({ ...settings, execArgv: ['--expose-gc'], tellsDelays: true });
    life.startedAt = Date.now();
    const member = { life, instance };
    this.#members[place] = member;
    this.#all.push(member);
    void instance.closed.then(([code, signal]) => {
      if (life.signalledAt === Infinity)
        this.troubles.push(`${life.name} ended by itself (${code ?? signal}): ${instance.errors}`);
    });
    for (let connection = 0; connection < CONNECTIONS; connection++) this.#loads.push(this.#load(member));
  }

  async #end({ life, instance }: Member, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    life.signalledAt = Date.now();
    instance.signal(signal);
    const [code] = await instance.closed;
    instance.agent.destroy();
    life.stalls.push(...instance.stalls, ...(this.polls ? instance.longReads : []));
    if (signal === 'SIGTERM' && code !== 0)
      this.troubles.push(`${life.name} ended with code ${code} when it was told to end: ${instance.errors}`);
  }

  async #load({ life, instance }: Member): Promise<void> {
    let isOver = false;
    void instance.closed.then(() => (isOver = true));
    for (let next = Date.now(); this.#isLoading && !isOver; next += PACE) {
      await pause(Math.max(0, next - Date.now()));
      next = Math.max(next, Date.now() - PACE);
      life.answers.push(await ask(instance));
    }
  }

  async #toggle(): Promise<void> {
    for (let next = Date.now(); this.#isToggling; next = Math.max(next + TOGGLE_INTERVAL, Date.now())) {
      await pause(Math.max(0, next - Date.now()));
      await this.#write();
    }
  }

  /** Off only after an on that was confirmed, so that each write has something to change. */
  #write(): Promise<void> {
    return this.undisturbed(async () => {
      const { writes } = this.history;
      const last = writes.at(-1);
      const message = last && last.revision !== null && last.message !== null ? null : `write ${writes.length}`;
      const { life, instance } = this.random.of(this.#members.filter((member) => member.life.signalledAt === Infinity));
      const sentAt = Math.max(Date.now(), (last?.sentAt ?? 0) + 1);
      const write: Write = { message, by: life.number, sentAt, endedAt: Infinity, status: null, revision: null };
      writes.push(write);
      try {
        const turning = instance.turn(
          message === null ? 'off' : 'on',
          nameAt(sentAt),
          message === null ? {} : { message },
        );
        const { status, body } = await turning;
        write.status = status;
        if (status === 200) write.revision = body.revision;
      } catch {
        // The judge knows whether its connection may have broken.
      }
      write.endedAt = Date.now();
    });
  }
}

/** Who has made the write that was sent at this moment. */
function nameAt(sentAt: number): string {
  return `operator at ${sentAt}`;
}

async function ask(instance: Instance): Promise<Answer> {
  const sentAt = Date.now();
  try {
    const { status, body } = await instance.get('/');
    const message = /^write \d+$/.test(body?.detail) ? body.detail : null;
    return { sentAt, heardAt: Date.now(), status, message, basis: body?.goesBy ?? null };
  } catch (error) {
    const reason = (error as Error).message;
    return { sentAt, heardAt: Date.now(), status: null, message: null, basis: null, error: reason };
  }
}

function isBy(answer: Answer | undefined, revision: number | null, since: number): boolean {
  if (!answer?.basis || answer.sentAt < since) return false;
  return answer.basis.revision === revision && answer.basis.source === 'storage';
}
