import { setTimeout as pause } from 'node:timers/promises';
import { folderWith, run, type Ended } from '../cli/program.js';
import { describeWithRedis, Proxy, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { Instance, type InstanceSettings } from './instance.js';

const REFRESH_INTERVAL_MS = 100;

describeWithRedis('on --wait', () => {
  let server: RedisServer;
  const started: Instance[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((instance) => instance.stop()));
    await server.ask('FLUSHALL');
  });
  afterAll(() => server.stop());

  async function startInstance(settings: Partial<InstanceSettings> = {}, url = server.url): Promise<Instance> {
    const options = { storage: url, refreshInterval: REFRESH_INTERVAL_MS, ...settings.options };
    const instance = await Instance.start({ ...settings, options });
    started.push(instance);
    return instance;
  }

  function command(...args: string[]): Promise<Ended> {
    return run([...args, '--storage', server.url], { cwd: folderWith() });
  }

  const wait = (timeout: string, ...more: string[]): Promise<Ended> =>
    command('on', '--wait', '--timeout', timeout, ...more);

  it('times out and names a frozen instance', async () => {
    const [healthy, frozen] = await Promise.all([startInstance(), startInstance()]);
    frozen.signal('SIGSTOP');
    const ended = await wait('2s');
    expect(ended.code).toBe(4);
    expect(ended.stdout).toMatch(new RegExp(`^blocked by .*\\(pid ${frozen.pid}, id \\w+\\): has not applied it`, 'm'));
    expect(ended.stderr).toMatch(
      new RegExp(
        `^error: --wait timed out after 2 s; 1 of 2 instances blocked the drain: \\S+ \\(pid ${frozen.pid}\\)\\. Maintenance stays on\\.$`,
        'm',
      ),
    );
    expect(ended.stdout).not.toContain(`pid ${healthy.pid}`);
    expect((await healthy.get('/')).status).toBe(503);
  });

  it('returns when a frozen instance resumes', async () => {
    const [, frozen] = await Promise.all([startInstance(), startInstance()]);
    frozen.signal('SIGSTOP');
    const waiting = wait('20s', '--json');
    await pause(2_500);
    frozen.signal('SIGCONT');
    const ended = await waiting;
    expect([ended.code, JSON.parse(ended.stdout).drain]).toMatchObject([
      0,
      { drained: true, instances: { length: 2 } },
    ]);
    expect((await frozen.get('/')).status).toBe(503);
  });

  it('times out and names an instance that is disconnected from the storage', async () => {
    const proxy = await Proxy.to(server.port);
    const [, disconnected] = await Promise.all([startInstance(), startInstance({}, proxy.url)]);
    await until(
      'both instances have reported',
      async () => JSON.parse((await command('instances', '--json')).stdout).instances.length === 2,
    );
    await proxy.close();
    const ended = await wait('2s');
    expect([ended.code, ended.stderr]).toEqual([4, expect.stringContaining(`(pid ${disconnected.pid})`)]);
    // The disconnected instance keeps serving requests.
    expect((await disconnected.get('/')).status).toBe(200);
  });

  it('names the requests that block the drain and their duration', async () => {
    const instance = await startInstance();
    const slow = await instance.block(2);
    const ended = await wait('2s');
    expect(ended.code).toBe(4);
    expect(ended.stdout).toMatch(/^blocked by .*: 2 in flight: GET \/blocked \(2, \d+ s\)$/m);
    await instance.release();
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([200, 200]);
    expect(await wait('20s')).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was changed') });
  });

  it('includes an instance that starts while the command waits', async () => {
    const first = await startInstance();
    const [slow] = await first.block();
    const waiting = wait('20s', '--json');
    await until('maintenance is on', async () => (await first.ask('status')).active);
    const joined = await startInstance();
    expect((await joined.get('/')).status).toBe(503);
    await first.release();
    const { drain } = JSON.parse((await waiting).stdout);
    expect((await slow!).status).toBe(200);
    expect(drain.instances.map(({ pid }: { pid: number }) => pid).sort()).toEqual([first.pid, joined.pid].sort());
  });

  it('does not wait for an instance that has shut down gracefully', async () => {
    const [, leaving] = await Promise.all([startInstance(), startInstance()]);
    await leaving.stop();
    expect(await wait('5s')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/1 instance of \S+ reported here/),
    });
  });

  it('waits for a handler whose client has disconnected', async () => {
    for (const adapter of ['express', 'fastify'] as const) {
      const instance = await startInstance({ adapter, options: {} });
      await instance.blockAndDisconnect();
      expect((await wait('1s')).code).toBe(4);
      const waiting = wait('20s');
      await instance.release();
      expect([(await waiting).code, (await instance.ask('finished')).length]).toEqual([0, 1]);
      await command('off');
      await instance.stop();
    }
  });

  it('does not wait for requests that the window does not cover', async () => {
    const instance = await startInstance();
    const [slow] = await instance.block();
    expect((await wait('2s', '--scope', 'payments')).code).toBe(0);
    expect((await wait('2s', '--mode', 'read-only')).code).toBe(0);
    await instance.release();
    expect((await slow!).status).toBe(200);
  });

  it('times out and names an instance with maintenance forced off', async () => {
    const [, open] = await Promise.all([startInstance(), startInstance({ env: { MAINTENANCE_MODE: 'false' } })]);
    const ended = await wait('2s');
    expect(ended.code).toBe(4);
    expect(ended.stdout).toMatch(new RegExp(`\\(pid ${open.pid}, .*\\): still serves: maintenance is forced off`));
  });

  it('fails if maintenance is turned off while it waits', async () => {
    const instance = await startInstance();
    const [slow] = await instance.block();
    const waiting = wait('20s');
    await until('maintenance is on', async () => (await instance.ask('status')).active);
    await instance.turn('off', 'ann');
    const ended = await waiting;
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /^error: Maintenance is off; there is nothing to wait for\. It was turned off by \S+ at \S+\./m,
    );
    await instance.release();
    await slow;
  });

  it('times out with a warning if no instance has reported', async () => {
    const ended = await wait('1s');
    expect([ended.code, ended.stdout]).toEqual([
      4,
      expect.stringContaining('warning: no instance has reported to this storage.'),
    ]);
    expect(ended.stderr).toContain('no instance has reported to this storage');
  });

  it('tolerates a temporary storage outage', async () => {
    const instance = await startInstance();
    const [slow] = await instance.block();
    const waiting = wait('25s');
    await until('maintenance is on', async () => (await instance.ask('status')).active);
    server.signal('SIGSTOP');
    await pause(4_000);
    await instance.release();
    server.signal('SIGCONT');
    expect((await slow!).status).toBe(200);
    expect((await waiting).code).toBe(0);
  });

  it.each([
    [['--at', '2999-01-01T00:00Z'], 2, /^error: --wait can't be combined with --at, which plans a window for later\./],
    [['--every', '0 3 * * 0', '--for', '1h'], 2, /^error: --wait can't be combined with --every/],
  ])('rejects %j with exit code 2', async (more, code, says) => {
    expect(await wait('1s', ...more)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
    expect((await command('status')).code).toBe(0);
  });

  it('is required by --timeout', async () => {
    expect(await command('on', '--timeout', '5s')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('add --wait'),
    });
  });
});
