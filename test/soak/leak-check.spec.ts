import { setTimeout as pause } from 'node:timers/promises';
import { Instance } from '../fleet/instance.js';
import { getS3Environment, s3Url } from '../fleet/storage-backends.js';
import { LightServer, S3Front, S3RVER_KEYS } from '../storage/s3-front.js';
import { until } from '../tools/waiting.js';
import { findGrowth } from './leak-check.js';
import type { InstanceRun, Sample } from './history.js';

// Sends thousands of requests, which takes long on a busy machine.
jest.setTimeout(120_000);

describe('findGrowth', () => {
  it.each<[string, (index: number) => Partial<Sample>, RegExp]>([
    ['a heap that grows by 1 KiB per request', (index) => ({ heap: 20e6 + index * 1_000 * 1_024 }), /its heap grew/],
    ['one more timer per sample', (index) => ({ handles: { Timeout: 2 + index } }), /handles grew/],
    ['one more connection per sample', (index) => ({ descriptors: 20 + index }), /descriptors grew/],
    ['one more listener per sample', (index) => ({ listeners: 16 + index }), /listeners grew/],
  ])('reports %s', (_title, overrides, sentence) => {
    expect(findGrowth(createRun(overrides))).toEqual([expect.stringMatching(sentence)]);
  });

  it('ignores values that go up and down', () => {
    const overrides = (index: number): Partial<Sample> => ({
      heap: 20e6 + (index % 3) * 200_000,
      handles: { Timeout: 2 + (index % 3) },
      descriptors: 20 + (index % 3),
    });
    expect(findGrowth(createRun(overrides))).toEqual([]);
  });

  it.each([
    [true, [expect.stringMatching(/its heap grew/)]],
    [false, []],
  ])('tells an application that leaks 1 KiB per request from one that does not (leaks: %s)', async (leaks, growth) => {
    const instance = await Instance.start({
      options: { storage: 'file:/nonexistent/state.json' },
      execArgv: ['--expose-gc'],
      leaks,
    });
    try {
      const samples: Sample[] = [];
      for (const requests of [1_000, 3_000, 5_000]) {
        const before = samples.at(-1)?.requests ?? 0;
        for (let sent = before; sent < requests; sent += 8)
          await Promise.all(Array.from({ length: 8 }, () => instance.get('/')));
        samples.push({ ...(await instance.ask('vitals')), at: Date.now(), requests });
      }
      expect(findGrowth({ ...createRun(() => ({})), samples })).toEqual(growth);
    } finally {
      await instance.stop();
    }
  });
});

it('excludes the timers of a pending storage call from the measured handles', async () => {
  const server = await LightServer.start('bucket');
  const front = await S3Front.start(server, 'bucket');
  const instance = await Instance.start({
    options: { storage: s3Url('bucket', front.url), refreshInterval: 100 },
    env: getS3Environment(S3RVER_KEYS.accessKeyId, S3RVER_KEYS.secretAccessKey),
    execArgv: ['--expose-gc'],
  });
  try {
    front.calls.length = 0;
    server.signal('SIGSTOP');
    await until('a read is pending', () => front.calls.length > 0);
    const vitals = instance.ask('vitals');
    await Promise.race([vitals, pause(300)]);
    server.signal('SIGCONT');
    expect((await vitals).handles).not.toHaveProperty('Timeout');
  } finally {
    await instance.stop();
    await front.stop();
    await server.stop();
  }
});

/** Creates a run with nine samples, 1000 requests apart. */
function createRun(overrides: (index: number) => Partial<Sample>): InstanceRun {
  const samples = Array.from({ length: 9 }, (_, index) => ({
    at: 30_000 + index * 10_000,
    requests: index * 1_000,
    heap: 20e6,
    handles: { Timeout: 2 },
    descriptors: 20,
    listeners: 16,
    ...overrides(index),
  }));
  const run = { number: 0, name: 'instance 0', policy: 'off', startedAt: 0, signalledAt: Infinity } as const;
  return { ...run, answers: [], stalls: [], samples };
}
