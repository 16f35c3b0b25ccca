import { readdirSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { InstanceReport, StateStorage } from 'nestjs-maintenance';
import { createStorage } from '../../libs/maintenance/src/storage/create-storage.js';
import { folderWith, run, type Ended } from '../cli/program.js';
import { until } from '../tools/waiting.js';
import { Instance } from './instance.js';
import { describeOnEachBackend, type Backend } from './storage-backends.js';

const itOnLinux = process.platform === 'linux' ? it : it.skip;
/** An unused pid, above the limit of the kernel. */
const FREE_PID = 2 ** 22 + 1;

describeOnEachBackend('instance reports', ({ name, open }) => {
  let backend: Backend;
  let storage: StateStorage;
  const started: Instance[] = [];

  beforeEach(async () => {
    backend = await open();
    const before = { ...process.env };
    Object.assign(process.env, backend.env);
    storage = await createStorage(backend.url);
    // The S3 client reads its credentials from the environment with the first call.
    await storage.reports!();
    process.env = before;
  });

  afterEach(async () => {
    await Promise.all(started.splice(0).map((instance) => instance.stop()));
    await storage.close?.();
    await backend.close();
  });

  async function start(): Promise<Instance> {
    const instance = await Instance.start({
      options: { storage: backend.url, refreshInterval: 100 },
      env: backend.env,
    });
    started.push(instance);
    return instance;
  }

  function command(...args: string[]): Promise<Ended> {
    return run([...args, '--storage', backend.url], { cwd: folderWith(), env: backend.env });
  }

  async function findReport({ pid }: Instance): Promise<InstanceReport> {
    let found: InstanceReport | undefined;
    await until('the instance has reported', async () => {
      found = (await storage.reports!()).find((report) => report.pid === pid);
      return found !== undefined;
    });
    return found!;
  }

  it('are ignored if they are invalid', async () => {
    const { id, ...report } = await findReport(await start());
    const invalid: [string, object][] = [
      ['no host', { host: undefined }],
      ['a host that is not a string', { host: 7 }],
      ['no pid', { pid: undefined }],
      ['a pid that is not a number', { pid: '7' }],
      ['a lineage that is not a string', { lineage: 7 }],
      ['no revision', { revision: undefined }],
      ['no count', { inFlight: null }],
      ['windows that are not a list', { windows: 'all' }],
      ['invalid windows', { windows: [null] }],
      ['invalid in-flight work', { inFlight: 1, longest: [7] }],
      ['no date', { seenAt: 'yesterday' }],
      ['a version that is not a string', { appVersion: { major: 1 } }],
    ];
    for (const [reason, fields] of invalid) await storage.report!({ ...report, ...fields, id: reason });
    const listed = await command('instances');
    expect(listed.code).toBe(0);
    expect(JSON.parse((await command('instances', '--json')).stdout).instances).toEqual([
      expect.objectContaining({ id }),
    ]);
    expect((await command('on', '--wait', '--timeout', '15s')).code).toBe(0);
  });

  if (name !== 'a file') return;

  it('are ignored if the process was killed on this machine', async () => {
    const [healthy, killed] = await Promise.all([start(), start()]);
    killed.signal('SIGKILL');
    await killed.closed;
    const ended = await command('on', '--wait', '--timeout', '15s', '--json');
    expect(ended.code).toBe(0);
    const { drain } = JSON.parse(ended.stdout);
    expect(drain.instances.map(({ pid }: InstanceReport) => pid)).toEqual([healthy.pid]);
    const listed = JSON.parse((await command('instances', '--json')).stdout);
    expect(listed.instances.map(({ pid }: InstanceReport) => pid)).toEqual([healthy.pid]);
  });

  it('no longer block a drain when their process is killed', async () => {
    const [healthy, frozen] = await Promise.all([start(), start()]);
    frozen.signal('SIGSTOP');
    const waiting = command('on', '--wait', '--timeout', '20s', '--json');
    await until('maintenance is on', async () => (await healthy.ask('status')).active);
    frozen.signal('SIGKILL');
    const ended = await waiting;
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout).drain.instances).toEqual([expect.objectContaining({ pid: healthy.pid })]);
  });

  itOnLinux('are ignored if another process has the same pid now', async () => {
    const healthy = await start();
    const report = await findReport(healthy);
    await storage.report!({ ...report, id: 'before', started: '1' });
    expect(JSON.parse((await command('instances', '--json')).stdout).instances).toEqual([
      expect.objectContaining({ id: report.id }),
    ]);
  });

  it('of another machine are kept although their pid does not exist here', async () => {
    const report = await findReport(await start());
    await storage.report!({ ...report, id: 'elsewhere', machine: 'another', pid: FREE_PID });
    const ended = await command('on', '--wait', '--timeout', '1s');
    expect([ended.code, ended.stdout]).toEqual([4, expect.stringContaining(`(pid ${FREE_PID}, id elsewhere)`)]);
  });

  it.each(['2999-01-01T00:00:00.000Z', new Date(Date.now() + 3_600_000).toISOString()])(
    'dated in the future (%s) expire by the age of their file',
    async (seenAt) => {
      const healthy = await start();
      const { id, ...report } = await findReport(healthy);
      await storage.report!({ ...report, id: 'future', machine: 'another', seenAt });
      expect((await storage.reports!()).map((found) => found.id).sort()).toEqual([id, 'future'].sort());
      const folder = dirname(storage.location);
      const path = readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .map((entry) => join(folder, entry))
        .find((entry) => entry.includes('future') && statSync(entry).isFile());
      const past = Date.now() / 1000 - 200;
      utimesSync(path!, past, past);
      expect((await storage.reports!()).map((found) => found.id)).toEqual([id]);
      expect((await command('on', '--wait', '--timeout', '15s')).code).toBe(0);
    },
  );
});
