import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import type { MaintenanceState } from '../../libs/maintenance/src/core/maintenance-state.js';
import { parseEnableOptions, type EnableOptions } from '../../libs/maintenance/src/core/window-options.js';
import { WindowSchedule } from '../../libs/maintenance/src/core/window-schedule.js';
import type { StateStorage } from '../../libs/maintenance/src/storage/state-storage.js';
import { WindowWriter } from '../../libs/maintenance/src/storage/window-writer.js';
import { SystemClock } from '../../libs/maintenance/src/utils/clock.js';
import { until } from '../tools/waiting.js';
import { folderWith } from './program.js';
import type { RunningCommand } from './run-program.js';
import type { RunStorage } from './run-storages.js';

/** The user who runs the command, as the history names it. */
export const ME = `${userInfo().username}@${hostname()}`;
const ANN = { by: 'ann@ops-2', via: 'cli' as const };
/** The id of the report of an instance that only exists as a report. */
const BUSY_ID = 'f0000000';

/** The stored state after a command. */
export interface StoredResult {
  /** The owner of each active window: `own` or `other`. */
  on: string[];
  /** The changes since the command was started, oldest first: `on by me`, `off by ann`. */
  history: string[];
  /** The id of the window of the command; `undefined` if it did not start one. */
  id: string | undefined;
}

/** The surroundings of one command: its folder and its storage, and the operator Ann. */
export class RunScene {
  readonly folder = folderWith();
  command!: RunningCommand;
  #revision = 0;

  constructor(
    readonly storage: RunStorage,
    private readonly direct: StateStorage,
  ) {}

  /** Lets a program of `waitForGo` continue. */
  go(): void {
    writeFileSync(join(this.folder, 'go'), '');
  }

  has(name: string): boolean {
    return existsSync(join(this.folder, name));
  }

  read(name: string): string {
    return this.has(name) ? readFileSync(join(this.folder, name), 'utf8') : '';
  }

  /** Waits until a program has written its process id into a file. */
  async readPid(name: string): Promise<number> {
    await until(`${name} is written`, () => this.read(name).endsWith('\n'));
    return Number(this.read(name));
  }

  async turnOn(options: EnableOptions = {}): Promise<void> {
    await this.#writer.start(parseEnableOptions(options, Date.now()), ANN);
  }

  async turnOff(which: { id?: string; all?: boolean } = {}): Promise<void> {
    await this.#writer.end(which, ANN);
  }

  /** Adds the report of an instance on another machine that has a request from before every window. */
  addBusyInstance(): Promise<void> {
    return this.#reportBusyInstance({ inFlight: 1 });
  }

  removeBusyInstance(): Promise<void> {
    return this.#reportBusyInstance({ inFlight: 0, stopped: true });
  }

  async #reportBusyInstance(members: object): Promise<void> {
    const find = async (): Promise<object | undefined> =>
      (await this.direct.reports!()).find(({ id }) => id !== BUSY_ID);
    await until('the instance reports', async () => (await find()) !== undefined);
    const where = { id: BUSY_ID, host: 'shop-2', pid: 4711, machine: 'another', seenAt: new Date().toISOString() };
    await this.direct.report!({ ...(await find()), ...where, ...members } as never);
  }

  async readState(): Promise<MaintenanceState | null> {
    return (await this.direct.read())?.state ?? null;
  }

  /** Waits until the window of the command is stored, and returns its id. */
  async findWindow(): Promise<string> {
    const find = async (): Promise<string | undefined> => (await this.getResult()).id;
    await until('the window is stored', async () => (await find()) !== undefined);
    return (await find())!;
  }

  /** Remembers the present state: {@link getResult} tells what has changed since. */
  async begin(): Promise<void> {
    this.#revision = (await this.readState())?.revision ?? 0;
  }

  async getResult(): Promise<StoredResult> {
    const state = await this.readState();
    const changes = (state?.history ?? []).filter(({ revision }) => revision > this.#revision).reverse();
    const id = changes.find(({ action, by }) => action === 'on' && by === ME)?.windows[0]?.id;
    const active = new WindowSchedule(state?.windows ?? []).getActiveAt(Date.now());
    return {
      id,
      on: active.map((window) => (window.id === id && window.createdBy === ME ? 'own' : 'other')),
      history: changes.map(({ action, by }) => `${action} by ${by === ME ? 'me' : by!.split('@')[0]}`),
    };
  }

  get #writer(): WindowWriter {
    return new WindowWriter(this.direct, new SystemClock());
  }
}
