import { chmodSync, chownSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MaintenanceModuleOptions } from 'nestjs-maintenance';
import { folderWith, run, type Ended } from '../cli/program.js';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { Instance } from './instance.js';
import { describeOnEachBackend, type Backend } from './storage-backends.js';

// Each test starts processes, which is slow on a busy machine.
jest.setTimeout(90_000);

const NOBODY_UID = 65534;
const itAsRoot = process.getuid?.() === 0 ? it : it.skip;

const started: Instance[] = [];

async function start(
  backend: Pick<Backend, 'url' | 'env'>,
  options: Partial<MaintenanceModuleOptions> = {},
  more: { env?: Record<string, string>; execArgv?: string[] } = {},
): Promise<Instance> {
  const instance = await Instance.start({
    options: { storage: backend.url, refreshInterval: 100, application: 'shop', ...options },
    execArgv: more.execArgv ?? [],
    env: { ...backend.env, ...more.env },
  });
  started.push(instance);
  return instance;
}

async function stopAll(): Promise<void> {
  await Promise.all(started.splice(0).map((instance) => instance.stop()));
}

const getFirstLine = ({ stdout }: Ended): string => stdout.split('\n', 1)[0]!;

describeOnEachBackend('reports of on and off', ({ name, open }) => {
  let backend: Backend;

  beforeEach(async () => {
    backend = await open();
  });
  afterEach(async () => {
    await stopAll();
    await backend.close();
  });

  const command = (...args: string[]): Promise<Ended> =>
    run([...args, '--storage', backend.url], { cwd: folderWith(), env: backend.env });

  it('count the instances that apply the change', async () => {
    const fleet = await Promise.all([start(backend), start(backend)]);
    const on = await command('on');
    expect(on.code).toBe(0);
    expect(getFirstLine(on)).toMatch(/^Maintenance is ON\. /);
    expect(on.stdout).toMatch(/^ +2 instances of shop apply it$/m);
    for (const instance of fleet) expect((await instance.get('/')).status).toBe(503);

    const changed = await command('on', '--message', 'Back at four', '--json');
    expect(JSON.parse(changed.stdout)).toMatchObject({ changed: true, instances: 2 });
    expect(JSON.parse(changed.stdout)).not.toHaveProperty('disagreeing');

    const off = await command('off');
    expect(off.code).toBe(0);
    expect(getFirstLine(off)).toMatch(/^Maintenance is off\. /);
    expect(off.stdout).toMatch(/^ +2 instances of shop apply it$/m);
    for (const instance of fleet) expect((await instance.get('/')).status).toBe(200);
  });

  it('name an instance that has not applied the change', async () => {
    const [, frozen] = await Promise.all([start(backend), start(backend)]);
    frozen.signal('SIGSTOP');
    const on = await command('on');
    expect(on.code).toBe(0);
    expect(getFirstLine(on)).toBe(
      'Maintenance is ON in the storage, but 1 of 2 instances has not applied it. A window was started.',
    );
    expect(on.stdout).toMatch(
      new RegExp(
        `^differ   \\S+ \\(pid ${frozen.pid}, id \\w+\\): has not applied it, and admits everything, last seen`,
        'm',
      ),
    );
    expect(on.stdout).toMatch(/^ +1 of 2 instances of shop applies it$/m);

    const status = await command('status', '--json');
    expect(status.code).toBe(3);
    expect(JSON.parse(status.stdout).disagreeing).toEqual([
      expect.objectContaining({ pid: frozen.pid, application: 'shop', refuses: false }),
    ]);

    frozen.signal('SIGCONT');
    await until(
      'the instance applies the change',
      async () => !('disagreeing' in JSON.parse((await command('status', '--json')).stdout)),
    );
    frozen.signal('SIGSTOP');
    const off = await command('off', '--json');
    expect(JSON.parse(off.stdout)).toMatchObject({
      active: false,
      instances: 2,
      disagreeing: [{ pid: frozen.pid, reason: 'behind', refuses: true }],
    });
    // A pending change does not affect the exit code.
    expect(await command('status')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Maintenance is off in the storage, but 1 of 2 instances refuses\.\n/),
    });
  });

  if (name !== 'a file') return;

  it('name an instance that is forced by its configuration', async () => {
    const forced = await start(backend, {}, { env: { MAINTENANCE_MODE: 'false' } });
    const on = await command('on');
    expect(getFirstLine(on)).toMatch(/^Maintenance is ON in the storage, but 1 of 1 instance has not applied it\./);
    expect(on.stdout).toMatch(
      new RegExp(
        `\\(pid ${forced.pid}, .*: admits everything, whatever is stored: its option \`enabled\` \\(MAINTENANCE_MODE\\) is set`,
      ),
    );
  });

  it('have the same first line with --wait', async () => {
    await start(backend);
    const on = await command('on', '--wait');
    expect(on.code).toBe(0);
    expect(getFirstLine(on)).toMatch(/^Maintenance is ON\. /);
    expect(on.stdout).toMatch(/^ +1 instance of shop reported here$/m);
  });
});

describe('the report of on', () => {
  afterEach(stopAll);

  itAsRoot('explains that an instance may not read the file', async () => {
    const folder = folderWith();
    chmodSync(folder, 0o777);
    const backend = { url: `file:${folder}/state.json`, env: {} };
    const command = (...args: string[]): Promise<Ended> => run([...args, '--storage', backend.url], { cwd: folder });
    await command('on');
    await command('off');
    const path = fileURLToPath(`file://${folder}/state.json`);
    chownSync(path, 0, 0);
    chmodSync(path, 0o600);
    const become = `data:text/javascript,process.setgid(${NOBODY_UID});process.setuid(${NOBODY_UID})`;
    const instance = await start(backend, {}, { execArgv: ['--import', become] });
    const on = await command('on');
    expect((await instance.get('/')).status).toBe(200);
    expect(on.code).toBe(0);
    expect(getFirstLine(on)).toMatch(/^Maintenance is ON in the storage, but 1 of 1 instance has not applied it\./);
    expect(on.stdout).toMatch(
      new RegExp(`\\(pid ${instance.pid}, .*EACCES: the user .* may not read ${path} \\(owner root, mode 600\\)`),
    );
    expect(on.stdout.match(/owner root, mode 600/g)).toHaveLength(1);
  });

  itAsRoot('names the owner of the file if no instance has reported', async () => {
    const folder = folderWith();
    await run(['on'], { cwd: folder });
    chmodSync(`${folder}/maintenance-state.json`, 0o600);
    const on = await run(['on', '--message', 'again'], { cwd: folder });
    expect(on.stdout).toContain('warning: no instance has reported to this storage.');
    expect(on.stdout).toContain('Or its user may not read this file (owner root, mode 600).');
  });
});

describeWithRedis('a state that Redis has lost', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await stopAll();
    await server.ask('FLUSHALL');
  });
  afterAll(() => server.stop());

  const command = (...args: string[]): Promise<Ended> => run([...args, '--storage', server.url], { cwd: folderWith() });

  async function loseState(...fleet: Instance[]): Promise<void> {
    await command('on');
    await server.ask('DEL', 'maintenance_state');
    for (const instance of fleet) {
      await until('the instance has noticed the loss', async () => !(await instance.ask('status')).storage.healthy);
    }
  }

  it.each(['last-known', 'on'] as const)('is reported by status while instances still refuse (%s)', async (policy) => {
    const backend = { url: server.url, env: {} };
    const fleet = await Promise.all([
      start(backend, { onStorageFailure: policy }),
      start(backend, { onStorageFailure: policy }),
    ]);
    await loseState(...fleet);
    for (const instance of fleet) expect((await instance.get('/')).status).toBe(503);

    const status = await command('status');
    expect(status).toMatchObject({ code: 3, stderr: '' });
    expect(getFirstLine(status)).toBe('Maintenance is off in the storage, but 2 of 2 instances refuse.');
    expect(status.stdout).toContain('`off` turns maintenance off for all of them');
    expect(status.stdout).toMatch(/^ +nothing is stored there any more$/m);
    const json = JSON.parse((await command('status', '--json')).stdout);
    expect(json).toMatchObject({ active: false, disagreeing: [{ refuses: true }, { refuses: true }] });
    const listed = await command('instances');
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('The stored state is gone') });

    const off = await command('off');
    expect(off.code).toBe(0);
    expect(getFirstLine(off)).toMatch(/^Maintenance is off\. Nothing was stored\. An empty state was written/);
    expect(off.stdout).toMatch(/^ +2 instances of shop apply it$/m);
    for (const instance of fleet) expect((await instance.get('/')).status).toBe(200);
    expect(await command('status')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Maintenance is off\.\n/),
    });
  });

  it('is reported by status even if the instance reports were lost as well', async () => {
    await start({ url: server.url, env: {} });
    await command('on');
    await server.ask('FLUSHALL');
    await until('status reports the loss', async () => (await command('status')).code === 3, 30_000);
  });

  it('is replaced by on', async () => {
    const instance = await start({ url: server.url, env: {} });
    await loseState(instance);
    const on = await command('on');
    expect(getFirstLine(on)).toBe('Maintenance is ON. A window was started.');
    expect(on.stdout).toMatch(/^ +1 instance of shop applies it$/m);
    expect(await command('status')).toMatchObject({ code: 3, stdout: expect.stringMatching(/^Maintenance is ON\.\n/) });
  });
});
