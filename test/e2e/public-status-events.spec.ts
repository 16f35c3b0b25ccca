import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import compression from 'compression';
import { EventSource } from 'eventsource';
import type { PublicStatus } from 'nestjs-maintenance';
import { ManualClock } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { CatsController } from './controllers.js';

describe.each(ADAPTERS)('the stream of the public status (%s)', (adapter) => {
  let running: Running;
  const open: IncomingMessage[] = [];
  const startWith = async (setup: Setup = {}): Promise<void> => {
    running = await start(adapter, {
      controllers: [CatsController],
      ...setup,
      extras: { publicStatus: true, ...setup.extras },
    });
  };
  afterEach(async () => {
    open.splice(0).forEach((incoming) => incoming.destroy());
    await running.close();
  });

  async function follow(query = '', headers: Record<string, string> = {}) {
    const { port } = running;
    const path = `/maintenance-status/events${query}`;
    const [incoming] = (await once(
      request({ host: '127.0.0.1', port, path, headers, agent: false }).end(),
      'response',
    )) as [IncomingMessage];
    open.push(incoming);
    incoming.on('error', () => undefined);
    let text = '';
    incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const getStatuses = (): PublicStatus[] =>
      [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, data]) => JSON.parse(data!) as PublicStatus);
    await until('the first status arrives', () => getStatuses().length > 0);
    return { incoming, getStatuses, getActive: () => getStatuses().map(({ active }) => active) };
  }

  it('sends the status at once, and again whenever it changes', async () => {
    const clock = new ManualClock('2030-12-01T00:00Z');
    await startWith({ clock });
    const { incoming, getStatuses, getActive } = await follow();
    expect(incoming.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    await running.maintenance.enable({ startsAt: '2030-12-01T02:00Z', endsAt: '2030-12-01T03:00Z', message: 'Soon' });
    await until('the plan arrives', () => getStatuses().at(-1)!.planned[0]?.message === 'Soon');
    await clock.moveTo('2030-12-01T02:00Z');
    await until('the start arrives', () => getStatuses().at(-1)!.active);
    await clock.moveTo('2030-12-01T03:00Z');
    await until('the end arrives', () => !getStatuses().at(-1)!.active);
    expect(getActive()).toEqual([false, false, true, false]);
  });

  it('is the same as the answer to a request', async () => {
    await startWith();
    await running.maintenance.enable({ message: 'Zurück\num vier', messages: { fr: 'À seize heures\r\n\r\ndata: x' } });
    for (const language of ['de', 'fr']) {
      const headers = { 'accept-language': language };
      const { getStatuses } = await follow('?scope=a', headers);
      expect(getStatuses()).toEqual([(await running.call('/maintenance-status?scope=a', { headers })).json()]);
    }
  });

  it('sends nothing where the status of the scope stays the same', async () => {
    await startWith();
    const [payments, search] = [await follow('?scope=payments'), await follow('?scope=search')];
    await running.maintenance.enable({ scope: 'search' });
    await until('the other scope hears of it', () => search.getActive().length === 2);
    // Members that the public does not see.
    await running.maintenance.enable({ scope: 'search', allowIps: ['203.0.113.7'] });
    await running.maintenance.enable();
    await until('all hear of it', () => payments.getActive().length === 2);
    await until('all hear of it', () => search.getActive().length === 3);
    expect([payments.getActive(), search.getActive()]).toEqual([
      [false, true],
      [false, true, true],
    ]);
  });

  it('stays open in a window, which refuses all else, and is followed by an EventSource', async () => {
    await startWith();
    const source = new EventSource(`http://127.0.0.1:${running.port}/maintenance-status/events`);
    const seen: boolean[] = [];
    source.onmessage = ({ data }) => seen.push((JSON.parse(data as string) as PublicStatus).active);
    try {
      await until('it is open', () => seen.length === 1);
      await running.maintenance.enable();
      await until('it starts', () => seen.length === 2);
      expect((await running.call('/cats')).status).toBe(503);
      await running.maintenance.disable();
      await until('it ends', () => seen.length === 3);
      expect(seen).toEqual([false, true, false]);
    } finally {
      source.close();
    }
  });

  it('lets the application shut down at once', async () => {
    await startWith();
    const streams = await Promise.all([follow(), follow(), follow()]);
    const ended = Promise.all(streams.map(({ incoming }) => once(incoming, 'end')));
    await running.app.close();
    await ended;
  });

  if (adapter === 'fastify') {
    it('works over HTTP/2', async () => {
      await startWith({ fastify: { http2: true } });
      const session = connect(`http://127.0.0.1:${running.port}`);
      const stream = session.request({ ':path': '/maintenance-status/events' });
      const [headers] = (await once(stream, 'response')) as [Record<string, string>];
      expect(headers).toMatchObject({ ':status': 200, 'content-type': 'text/event-stream' });
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      await until('the status arrives', () => text.includes('"active":false'));
      await running.maintenance.enable();
      await until('the change arrives', () => text.includes('"active":true'));
      const status = session.request({ ':path': '/maintenance-status' }).resume();
      expect(((await once(status, 'response')) as [object])[0]).toMatchObject({ ':status': 200 });
      const ended = once(stream, 'end');
      const closed = running.app.close();
      await ended;
      session.destroy();
      await closed;
    });
  }

  if (adapter === 'express') {
    it('is not held back by compression', async () => {
      await startWith({ main: (app) => void app.use(compression({ threshold: 0 })) });
      const headers = { 'accept-encoding': 'gzip' };
      const { incoming, getActive } = await follow('', headers);
      expect(incoming.headers['content-encoding']).toBeUndefined();
      await running.maintenance.enable();
      await until('the change arrives', () => getActive().length === 2);
      // The status itself is compressed.
      const url = `http://127.0.0.1:${running.port}/maintenance-status`;
      expect((await fetch(url, { headers })).headers.get('content-encoding')).toBe('gzip');
    });
  }
});
