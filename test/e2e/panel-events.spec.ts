import { Controller, Get } from '@nestjs/common';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import {
  ADMIN_TOKEN,
  createPanelClient,
  openEvents,
  type OpenStream,
  type PanelClient,
  type State,
} from './panel-client.js';

let finish: () => void = () => undefined;

@Controller('shop')
class ShopController {
  @Get('slow')
  async slow(): Promise<string> {
    await new Promise<void>((resolve) => (finish = resolve));
    return 'done';
  }
}

describe.each(ADAPTERS)('events of the panel (%s)', (adapter) => {
  const started: Running[] = [];
  const streams: OpenStream[] = [];
  let running: Running;
  let panel: PanelClient;
  const startWith = async (setup: Setup = {}): Promise<Running> => {
    running = await start(adapter, {
      controllers: [ShopController],
      ...setup,
      options: { adminToken: ADMIN_TOKEN, ...setup.options },
      extras: { admin: { panel: true } },
    });
    started.push(running);
    panel = createPanelClient(running);
    return running;
  };
  const open = async (headers = panel.authorized().headers!): Promise<OpenStream> => {
    const stream = await openEvents(running.port, headers);
    streams.push(stream);
    return stream;
  };
  const last = ({ events }: OpenStream): State | undefined => events.at(-1)?.data as State | undefined;
  afterEach(async () => {
    for (const stream of streams.splice(0)) stream.close();
    await Promise.all(started.splice(0).map(({ close }) => close()));
  });

  it('begin with the state, and follow each change', async () => {
    await startWith();
    const stream = await open();
    expect(stream.response).toMatchObject({
      statusCode: 200,
      headers: { 'content-type': 'text/event-stream', 'cache-control': expect.stringContaining('no-store') as string },
    });
    await until('the first state has come', () => stream.events.length === 1);
    expect(stream.events[0]).toMatchObject({ event: 'state', data: { access: 'change', status: { revision: 0 } } });
    const changes = ['on', 'off', 'on'] as const;
    for (const [index, path] of changes.entries()) {
      await panel.post(path);
      await until(`revision ${index + 1} has come`, () => last(stream)?.status.revision === index + 1);
    }
    expect(last(stream)!.history).toHaveLength(3);
  });

  it('follow the reports of other instances, and what holds their drain', async () => {
    const storage = new MemoryStateStorage();
    await startWith({ options: { storage } });
    const stream = await open();
    const other = await startWith({ options: { storage } });
    await until('the other instance is listed', () => last(stream)?.fleet.instances.length === 2);
    const slow = other.call('/shop/slow');
    await until('the request has arrived', () => finish.name === 'resolve' || finish.length === 1);
    await panel.post('on');
    await until('the request holds the drain', () =>
      JSON.stringify(last(stream)?.fleet.drain?.pending ?? []).includes('GET /shop/slow'),
    );
    finish();
    expect((await slow).text).toBe('done');
    await until('the instances are drained', () => last(stream)?.fleet.drain?.drained === true);
  });

  it('hold no drain and are admitted during maintenance', async () => {
    await startWith({ options: { storage: new MemoryStateStorage() } });
    const before = await open();
    await running.maintenance.enable();
    const during = await open();
    expect(during.response.statusCode).toBe(200);
    expect(await running.maintenance.drained({ timeout: 10_000 })).toMatchObject({ drained: true, pending: [] });
    await until('both have the window', () => [before, during].every((stream) => last(stream)?.status.active === true));
  });

  it('are refused without a session, and end with it', async () => {
    await startWith();
    expect((await running.call('/maintenance-mode/panel/events')).status).toBe(401);
    const cookie = await panel.cookie();
    const stream = await open({ cookie });
    await until('the first state has come', () => stream.events.length === 1);
    expect(last(stream)!.sessionEndsAt).not.toBeNull();
    await panel.withCookie(cookie, 'session/end', 'POST');
    await until('the stream has ended', () => stream.isEnded);
  });

  it('end with the application, at once', async () => {
    await startWith();
    const stream = await open();
    const startedAt = performance.now();
    await running.app.close();
    await until('the stream has ended', () => stream.isEnded);
    expect(performance.now() - startedAt).toBeLessThan(2_500);
  });
});
