import { Controller, Sse } from '@nestjs/common';
import { EventSource } from 'eventsource';
import { MaintenanceScope, SkipMaintenance } from 'nestjs-maintenance';
import { ManualClock } from 'nestjs-maintenance/testing';
import { finalize, interval, map, NEVER, type Observable } from 'rxjs';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running } from './application.js';

let openStreams = 0;

function ticks(): Observable<{ data: object; id?: string }> {
  openStreams++;
  return interval(10).pipe(
    map((tick) => ({ data: { tick }, id: `tick-${tick}` })),
    finalize(() => openStreams--),
  );
}

@Controller('events')
class EventsController {
  @Sse()
  stream(): Observable<unknown> {
    return ticks();
  }

  @Sse('quiet')
  quiet(): Observable<unknown> {
    openStreams++;
    return NEVER.pipe(finalize(() => openStreams--));
  }

  @Sse('late')
  async late(): Promise<Observable<unknown>> {
    return ticks();
  }

  @SkipMaintenance()
  @Sse('exempt')
  exempt(): Observable<unknown> {
    return ticks();
  }

  @MaintenanceScope('prices')
  @Sse('prices')
  prices(): Observable<unknown> {
    return ticks();
  }
}

describe.each(ADAPTERS)('server-sent events (%s)', (adapter) => {
  let running: Running;
  const sources: EventSource[] = [];

  beforeAll(async () => {
    running = await start(adapter, { controllers: [EventsController] });
  });
  afterEach(async () => {
    for (const source of sources.splice(0)) source.close();
    await running.maintenance.disable({ all: true });
    await until('every stream has ended', () => openStreams === 0);
  });
  afterAll(() => running.close());

  function listen(path: string, port = running.port) {
    const source = new EventSource(`http://127.0.0.1:${port}${path}`);
    sources.push(source);
    const received: string[] = [];
    const notices: Record<string, unknown>[] = [];
    source.onopen = () => received.push('open');
    source.onmessage = () => received.push('event');
    source.onerror = (event) => received.push(`error ${event.code ?? ''}`.trim());
    source.addEventListener('maintenance', ({ data }) => {
      received.push('maintenance');
      notices.push(JSON.parse(data as string) as Record<string, unknown>);
    });
    return { source, received, notices };
  }

  it.each(['/events', '/events/quiet', '/events/late'])(
    'send a maintenance event to the clients of %s and end',
    async (path) => {
      const reader = listen(path);
      await until('it is open', () => reader.received.includes('open') && openStreams === 1);
      const endsAt = new Date(Date.now() + 600_000).toISOString();
      await running.maintenance.enable({ message: 'Back at four', endsAt });
      await until('the client is notified', () => reader.notices.length === 1);
      expect(reader.notices[0]).toMatchObject({
        status: 'error',
        code: 'SERVICE_UNAVAILABLE',
        errorCode: 'MAINTENANCE',
        message: 'Back at four',
        retryAfter: expect.any(Number) as number,
        endsAt,
        mode: 'full',
      });
      await until('the application has unsubscribed', () => openStreams === 0);
    },
  );

  it('return 503 to new clients', async () => {
    await running.maintenance.enable({ retryAfter: 60 });
    const reader = listen('/events');
    await until('the client has given up', () => reader.source.readyState === EventSource.CLOSED);
    expect(reader.received).toEqual(['error 503']);
    const reply = await running.call('/events', { headers: { accept: 'text/event-stream' } });
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '60' } });
    expect(reply.headers['content-type']).toContain('application/problem+json');
    expect(openStreams).toBe(0);
  });

  it('resume after the window on the same EventSource', async () => {
    const reader = listen('/events');
    await until('events come', () => reader.received.includes('event'));
    await running.maintenance.enable({ retryAfter: 1 });
    await until('its reconnect was refused', () => reader.notices.length >= 2);
    expect(reader.source.readyState).not.toBe(EventSource.CLOSED);
    const before = reader.received.length;
    await running.maintenance.disable();
    await until('events come again', () => reader.received.slice(before).includes('event'));
  }, 60_000);

  it('tell a reconnecting client when to retry, with Cache-Control: no-store', async () => {
    await running.maintenance.enable();
    const headers = { accept: 'text/event-stream', 'last-event-id': 'tick-7' };
    const reply = await running.call('/events', { headers });
    expect(reply).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
    expect(reply.headers['content-type']).toMatch(/^text\/event-stream/);
    expect(reply.headers['retry-after']).toBeUndefined();
    const [, milliseconds] = /^event: maintenance\nid: tick-7\nretry: (\d+)\ndata: \{.*\}\n\n$/.exec(reply.text)!;
    expect(Number(milliseconds)).toBeGreaterThanOrEqual(7_500);
    expect(Number(milliseconds)).toBeLessThanOrEqual(15_000);
    expect(openStreams).toBe(0);
    // Requests that are not reconnects of an event stream get the 503.
    expect((await running.call('/nothing', { headers })).status).toBe(503);
    expect((await running.call('/events', { headers: { 'last-event-id': '7' } })).status).toBe(503);
    expect((await running.call('/events', { method: 'POST', headers })).status).toBe(503);
  });

  it('send the same event to reconnecting clients and to open streams', async () => {
    const url = `http://127.0.0.1:${running.port}/events/quiet`;
    // Browsers send an id that is not ASCII as UTF-8 bytes.
    const headers = { accept: 'text/event-stream', 'last-event-id': Buffer.from('tick-ü').toString('latin1') };
    const stream = await fetch(url, { headers });
    await until('it is open', () => openStreams === 1);
    await running.maintenance.enable({ message: 'Back at four', retryAfter: 600 });
    const events = [await stream.text(), (await running.call('/events/quiet', { headers })).text];
    const [opened, returned] = events.map((text) => text.trim().replace(/^retry: \d+$/m, 'retry'));
    expect(opened).toContain(
      'event: maintenance\nid: tick-ü\nretry\ndata: {"status":"error","code":"SERVICE_UNAVAILABLE"',
    );
    expect(returned).toBe(opened);
  });

  it('keep the last event id', async () => {
    const { port } = running;
    const streams = [
      fetch(`http://127.0.0.1:${port}/events`),
      fetch(`http://127.0.0.1:${port}/events/quiet`, {
        headers: { 'last-event-id': 'mine' },
      }),
    ];
    const [ticking, quiet] = await Promise.all(streams);
    await until('both are open', () => openStreams === 2);
    let text = '';
    for await (const part of ticking!.body!) {
      const isFirst = !text.includes('id: tick-');
      text += Buffer.from(part).toString();
      if (isFirst && text.includes('id: tick-')) await running.maintenance.enable();
    }
    const ids = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id);
    expect(ids.length).toBeGreaterThan(1);
    expect(ids.at(-1)).toBe(ids.at(-2));
    expect(text).toMatch(/event: maintenance\nid: tick-\d+\nretry: \d+\ndata: \{/);
    expect(await quiet!.text()).toMatch(/event: maintenance\nid: mine\n/);
  });

  it('stay open if they are exempt, in another scope or if the window is read-only', async () => {
    const [exempt, prices, all] = [listen('/events/exempt'), listen('/events/prices'), listen('/events')];
    await until('all are open', () => openStreams === 3);
    await running.maintenance.enable({ mode: 'read-only' });
    await running.maintenance.enable({ scope: 'prices' });
    await until('the client of the scope is notified', () => prices.notices.length === 1);
    const [before, beforeAll] = [exempt.received.length, all.received.length];
    await until(
      'the other streams still emit',
      () => exempt.received.length > before + 3 && all.received.length > beforeAll + 3,
    );
    await running.maintenance.enable();
    await until('the client that is not exempt is notified', () => all.notices.length === 1);
    const later = exempt.received.length;
    await until('the exempt stream still emits', () => exempt.received.length > later + 3);
    expect(exempt.notices).toEqual([]);
  });

  it('keep Cache-Control: no-transform for exempt clients, so that compression holds no event back', async () => {
    const exempt = await start(adapter, {
      controllers: [EventsController],
      options: { exempt: { ips: ['127.0.0.1'] } },
    });
    try {
      await exempt.maintenance.enable();
      const response = await fetch(`http://127.0.0.1:${exempt.port}/events`);
      expect(response.headers.get('cache-control')).toBe('private, no-store, no-transform');
      await response.body!.cancel();
    } finally {
      await exempt.close();
    }
  });

  it('end when a planned window starts', async () => {
    const clock = new ManualClock(Date.now());
    const planned = await start(adapter, { controllers: [EventsController], clock });
    const reader = listen('/events', planned.port);
    await until('events come', () => reader.received.includes('event'));
    const startsAt = clock.now() + 60_000;
    await planned.maintenance.enable({ startsAt: new Date(startsAt) });
    const before = reader.received.length;
    await until('events still come', () => reader.received.length > before + 1);
    expect(reader.notices).toEqual([]);
    await clock.moveTo(startsAt);
    await until('the client is notified', () => reader.notices.length === 1);
    reader.source.close();
    await planned.close();
  });

  it('unsubscribe when the application is closed', async () => {
    const own = await start(adapter, { controllers: [EventsController] });
    const source = new EventSource(`http://127.0.0.1:${own.port}/events`);
    sources.push(source);
    await until('it is open', () => openStreams >= 1);
    source.close();
    await own.close();
    await until('it has ended', () => openStreams === 0);
  });
});
