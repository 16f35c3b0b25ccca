import { createStorage } from '../../libs/maintenance/src/storage/create-storage.js';
import type { StateStorage } from '../../libs/maintenance/src/storage/state-storage.js';
import { Instance } from '../fleet/instance.js';
import type { RunEnding } from './run-endings.js';
import { RunningCommand } from './run-program.js';
import { RunScene } from './run-scene.js';
import type { RunStorage, RunStorageKind } from './run-storages.js';

/** Above the 10 s for which an outage of the storage is retried, on a busy machine. */
const ENDING_TIMEOUT_MS = 90_000;

/**
 * Runs a table of endings on one storage: each with the built bin in a process of its own, beside an application. In
 * CI, a missing server is a failure.
 */
export function describeRun(kind: RunStorageKind, endings: readonly RunEnding[]): void {
  if (!kind.isAvailable && process.env.CI !== 'true') {
    return describe.skip(`run on ${kind.name}`, () => it('is not available', () => undefined));
  }
  describe(`run on ${kind.name}`, () => {
    let storage: RunStorage;
    let direct: StateStorage;
    let instance: Instance;
    let scene: RunScene;

    beforeAll(async () => {
      storage = await kind.open();
      Object.assign(process.env, storage.env);
      direct = await createStorage(storage.directUrl);
      const options = { storage: storage.directUrl, refreshInterval: 100 };
      instance = await Instance.start({ options, env: storage.env });
    });
    beforeEach(() => (scene = new RunScene(storage, direct)));
    afterEach(async () => {
      scene.command.stop();
      await scene.turnOff({ all: true });
      await scene.removeBusyInstance();
    });
    afterAll(async () => {
      await instance.stop();
      await direct.close?.();
      await storage.close();
    });

    it.each(endings)(
      '$name',
      async ({ args = ['--no-wait'], program, env, isOnTerminal, before, during, after, ...expected }) => {
        await scene.begin();
        await before?.(scene);
        if (before) await scene.begin().catch(() => undefined);
        const start = isOnTerminal ? RunningCommand.startOnTerminal : RunningCommand.start;
        const all = [...args, '--storage', storage.url, '--', ...program];
        scene.command = start(all, scene.folder, { ...storage.env, ...env });
        await during?.(scene);
        const code = await scene.command.end();
        await after?.(scene);
        const { on, history } = await scene.getResult();
        const { stdout, stderr } = scene.command;
        const output = stdout + stderr;
        expect({ code, on, history, ran: scene.has('began'), output }).toEqual({
          code: expected.code ?? code,
          on: expected.on,
          history: expected.history,
          ran: expected.ran ?? true,
          output,
        });
        for (const pattern of expected.says ?? []) expect(output).toMatch(pattern);
        expect(output).not.toMatch(/^\s+at \S+ \(/m);
      },
      ENDING_TIMEOUT_MS,
    );
  });
}
