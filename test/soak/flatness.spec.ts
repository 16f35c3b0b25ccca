import { setTimeout as pause } from 'node:timers/promises';
import { Instance } from '../fleet/instance.js';
import { getS3Environment, s3Url } from '../fleet/storage-backends.js';
import { LightServer, S3Front, S3RVER_KEYS } from '../storage/s3-front.js';
import { until } from '../tools/waiting.js';
import { growthOf } from './flatness.js';
import type { Life, Sample } from './history.js';

describe('of what an instance holds', () => {
  it.each<[string, (index: number) => Partial<Sample>, RegExp]>([
    ['a heap that grows by 1 KiB a request', (index) => ({ heap: 20e6 + index * 1_000 * 1_024 }), /its heap grew/],
    ['a timer a fault', (index) => ({ handles: { Timeout: 2 + index } }), /handles grew/],
    ['a connection a fault', (index) => ({ descriptors: 20 + index }), /descriptors grew/],
    ['a listener a fault', (index) => ({ listeners: 16 + index }), /listeners grew/],
  ])('%s is found', (_title, held, sentence) => {
    expect(growthOf(lifeWith(held))).toEqual([expect.stringMatching(sentence)]);
  });

  it('what goes up and down is not', () => {
    const held = (index: number): Partial<Sample> => ({
      heap: 20e6 + (index % 3) * 200_000,
      handles: { Timeout: 2 + (index % 3) },
      descriptors: 20 + (index % 3),
    });
    expect(growthOf(lifeWith(held))).toEqual([]);
  });

  it.each([
    [true, [expect.stringMatching(/its heap grew/)]],
    [false, []],
  ])('the heap tells whether an application keeps 1 KiB of each request: %s', async (leaks, growth) => {
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
      expect(growthOf({ ...lifeWith(() => ({})), samples })).toEqual(growth);
    } finally {
      await instance.stop();
    }
  });
});

it('an instance does not count what belongs to a call to its storage that is pending', async () => {
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

/** Nine samples, 1000 requests apart. */
function lifeWith(held: (index: number) => Partial<Sample>): Life {
  const samples = Array.from({ length: 9 }, (_, index) => ({
    at: 30_000 + index * 10_000,
    requests: index * 1_000,
    heap: 20e6,
    handles: { Timeout: 2 },
    descriptors: 20,
    listeners: 16,
    ...held(index),
  }));
  const life = { number: 0, name: 'instance 0', policy: 'off', startedAt: 0, signalledAt: Infinity } as const;
  return { ...life, answers: [], stalls: [], samples };
}
