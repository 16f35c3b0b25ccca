import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Body, Controller, Get, Post } from '@nestjs/common';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running } from './application.js';
import { upload } from './client.js';

const MIB = 2 ** 20;

@Controller()
class FilesController {
  @Get('file')
  file(): string {
    return 'file';
  }

  @Post('upload')
  upload(): string {
    return 'done';
  }
}

const setup = { controllers: [FilesController] };

describe.each(ADAPTERS)('memory and handles (%s)', (adapter) => {
  let running: Running;

  beforeEach(async () => {
    running = await start(adapter, setup);
  });
  afterEach(() => running.close());

  it('stay small while a refused client keeps sending', async () => {
    await running.maintenance.enable();
    const headers = { 'content-type': 'application/octet-stream' };
    const { port } = running;
    const sent = request({ host: '127.0.0.1', port, path: '/upload', method: 'POST', headers, agent: false });
    let isOver = false;
    const failed = new Promise<void>((resolve) => sent.on('error', () => resolve()));
    void failed.then(() => (isOver = true));
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    const chunk = Buffer.alloc(MIB);
    sent.write(chunk);
    const [response] = await answered;
    expect(response.statusCode).toBe(503);
    response.resume();
    const before = process.memoryUsage().arrayBuffers;
    for (let sentMegabytes = 0; sentMegabytes < 100 && !isOver; sentMegabytes++) {
      if (!sent.write(chunk)) await Promise.race([once(sent, 'drain').catch(() => undefined), failed]);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30 * MIB);
    sent.destroy();
  });

  it('stay small when a body of 100 MB is refused', async () => {
    await running.maintenance.enable();
    const before = process.memoryUsage().rss;
    const [status, sent] = await upload(running.port, '/upload', 100 * MIB);
    expect(status).toBe(503);
    expect(sent).toBeLessThan(100 * MIB);
    expect(process.memoryUsage().rss - before).toBeLessThan(80 * MIB);
  });

  it('are released with the signal listeners when the application is closed', async () => {
    // Ignores handles that are being closed.
    const countHandles = (): Map<string, number> => {
      const counts = new Map<string, number>();
      for (const name of process.getActiveResourcesInfo()) {
        if (name !== 'CloseReq') counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      return counts;
    };
    const countSignalListeners = (): number => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
    // The other application may be writing its report.
    await until('no file is worked on', () => !countHandles().has('FSReqPromise'));
    const before = countHandles();
    const signalsBefore = countSignalListeners();
    // The other application may end a timer or a connection of its own in the meantime: only what is new counts.
    const getLeaked = (): [string, number][] =>
      [...countHandles()].filter(([name, count]) => count > (before.get(name) ?? 0));
    const own = await start(adapter, {
      ...setup,
      options: { refreshInterval: 1_000 },
      main: (app) => void app.enableShutdownHooks(),
    });
    await own.maintenance.enable({ startsAt: new Date(Date.now() + 3_600_000) });
    await own.maintenance.enable();
    expect((await own.call('/file')).status).toBe(503);
    await own.close();
    const deadline = Date.now() + 5_000;
    while (getLeaked().length > 0 && Date.now() < deadline) await new Promise(setImmediate);
    expect(getLeaked()).toEqual([]);
    expect(countSignalListeners()).toBe(signalsBefore);
  });
});

it.each(ADAPTERS)('releases the bodies of a burst of requests without further traffic (%s)', async (adapter) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const bodies: WeakRef<object>[] = [];
  let answer = (): void => undefined;
  const allReceived = new Promise<void>((resolve) => (answer = resolve));

  @Controller()
  class BurstController {
    @Post('burst')
    take(@Body() body: object): Promise<void> {
      bodies.push(new WeakRef(body));
      return allReceived;
    }
  }

  const running = await start(adapter, { controllers: [BurstController] });
  try {
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"large":true}' };
    const answers = Array.from({ length: 20 }, () => running.call('/burst', request));
    await until('all requests have arrived', () => bodies.length === answers.length);
    answer();
    await Promise.all(answers);
    const countAlive = (): number => bodies.filter((body) => body.deref()).length;
    await until(
      'all bodies are collected',
      async () => {
        // A dereferenced WeakRef keeps its target until the end of the event loop turn.
        await new Promise((resolve) => setTimeout(resolve, 100));
        collect();
        return countAlive() === 0;
      },
      12_000,
    );
  } finally {
    await running.close();
  }
});
