import { Controller, Sse } from '@nestjs/common';
import { EventSource } from 'eventsource';
import { MaintenanceScope, SkipMaintenance } from 'nestjs-maintenance';
import { finalize, interval, map, NEVER, type Observable } from 'rxjs';
import { ADAPTERS, start, type Running } from './application.js';

let open = 0;

function ticks(): Observable<{ data: object; id?: string }> {
  open++;
  return interval(10).pipe(
    map((tick) => ({ data: { tick }, id: `tick-${tick}` })),
    finalize(() => open--),
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
    open++;
    return NEVER.pipe(finalize(() => open--));
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

describe.each(ADAPTERS)('server-sent events on %s', (adapter) => {
  let running: Running;
  const sources: EventSource[] = [];

  beforeAll(async () => {
    running = await start(adapter, { controllers: [EventsController] });
  });
  afterEach(async () => {
    for (const source of sources.splice(0)) source.close();
    await running.maintenance.disable({ all: true });
    await until('every stream has ended', () => open === 0);
  });
  afterAll(() => running.close());

  function listen(path: string): { source: EventSource; heard: string[]; told: Record<string, unknown>[] } {
    const source = new EventSource(`http://127.0.0.1:${running.port}${path}`);
    sources.push(source);
    const heard: string[] = [];
    const told: Record<string, unknown>[] = [];
    source.onopen = () => heard.push('open');
    source.onmessage = () => heard.push('event');
    source.onerror = (event) => heard.push(`error ${event.code ?? ''}`.trim());
    source.addEventListener('maintenance', ({ data }) => {
      heard.push('maintenance');
      told.push(JSON.parse(data as string) as Record<string, unknown>);
    });
    return { source, heard, told };
  }

  async function until(what: string, condition: () => boolean, patience = 8_000): Promise<void> {
    for (const deadline = Date.now() + patience; !condition();) {
      if (Date.now() > deadline) throw new Error(`waited ${patience} ms in vain until ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  it.each(['/events', '/events/quiet', '/events/late'])('tell the readers of %s, and end', async (path) => {
    const reader = listen(path);
    await until('it is open', () => reader.heard.includes('open') && open === 1);
    const endsAt = new Date(Date.now() + 600_000).toISOString();
    await running.maintenance.enable({ message: 'Back at four', endsAt });
    await until('it is told', () => reader.told.length === 1);
    expect(reader.told[0]).toMatchObject({
      status: 'error',
      code: 'SERVICE_UNAVAILABLE',
      message: 'Back at four',
      retryAfter: expect.any(Number) as number,
      endsAt,
      mode: 'full',
    });
    await until('the application has let go of it', () => open === 0);
  });

  it('are refused to who is new', async () => {
    await running.maintenance.enable({ retryAfter: 60 });
    const reader = listen('/events');
    await until('it has given up', () => reader.source.readyState === EventSource.CLOSED);
    expect(reader.heard).toEqual(['error 503']);
    const reply = await running.call('/events', { headers: { accept: 'text/event-stream' } });
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '60' } });
    expect(reply.headers['content-type']).toContain('application/problem+json');
    expect(open).toBe(0);
  });

  it('go on after it for who was cut off, without a new EventSource', async () => {
    const reader = listen('/events');
    await until('events come', () => reader.heard.includes('event'));
    await running.maintenance.enable({ retryAfter: 1 });
    await until('it was sent away when it came back', () => reader.told.length >= 2, 15_000);
    expect(reader.source.readyState).not.toBe(EventSource.CLOSED);
    const before = reader.heard.length;
    await running.maintenance.disable();
    await until('events come again', () => reader.heard.slice(before).includes('event'), 15_000);
  }, 40_000);

  it('send a returning reader away with a time, and keep that out of caches', async () => {
    await running.maintenance.enable();
    const headers = { accept: 'text/event-stream', 'last-event-id': 'tick-7' };
    const reply = await running.call('/events', { headers });
    expect(reply).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
    expect(reply.headers['content-type']).toMatch(/^text\/event-stream/);
    expect(reply.headers['retry-after']).toBeUndefined();
    const [, milliseconds] = /^event: maintenance\nid: tick-7\nretry: (\d+)\ndata: \{.*\}\n\n$/.exec(reply.text)!;
    expect(Number(milliseconds)).toBeGreaterThanOrEqual(7_500);
    expect(Number(milliseconds)).toBeLessThanOrEqual(15_000);
    expect(open).toBe(0);
    // Who says so elsewhere, or does not read events, is nobody's reader.
    expect((await running.call('/nothing', { headers })).status).toBe(503);
    expect((await running.call('/events', { headers: { 'last-event-id': '7' } })).status).toBe(503);
    expect((await running.call('/events', { method: 'POST', headers })).status).toBe(503);
  });

  it('send the same event to a reader who comes back as to those whose streams are open', async () => {
    const url = `http://127.0.0.1:${running.port}/events/quiet`;
    // As a browser sends an id that is not ASCII: its UTF-8.
    const headers = { accept: 'text/event-stream', 'last-event-id': Buffer.from('tick-ü').toString('latin1') };
    const stream = await fetch(url, { headers });
    await until('it is open', () => open === 1);
    await running.maintenance.enable({ message: 'Back at four', retryAfter: 600 });
    const events = [await stream.text(), (await running.call('/events/quiet', { headers })).text];
    const [opened, returned] = events.map((text) => text.trim().replace(/^retry: \d+$/m, 'retry'));
    expect(opened).toContain(
      'event: maintenance\nid: tick-ü\nretry\ndata: {"status":"error","code":"SERVICE_UNAVAILABLE"',
    );
    expect(returned).toBe(opened);
  });

  it('keep the id from which a reader goes on', async () => {
    const { port } = running;
    const streams = [
      fetch(`http://127.0.0.1:${port}/events`),
      fetch(`http://127.0.0.1:${port}/events/quiet`, {
        headers: { 'last-event-id': 'mine' },
      }),
    ];
    const [ticking, quiet] = await Promise.all(streams);
    await until('both are open', () => open === 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await running.maintenance.enable();
    const text = await ticking!.text();
    const ids = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id);
    expect(ids.length).toBeGreaterThan(1);
    expect(ids.at(-1)).toBe(ids.at(-2));
    expect(text).toMatch(/event: maintenance\nid: tick-\d+\nretry: \d+\ndata: \{/);
    expect(await quiet!.text()).toMatch(/event: maintenance\nid: mine\n/);
  });

  it('stay open where an exemption admits, the window covers other parts, or they are only read', async () => {
    const [exempt, prices, all] = [listen('/events/exempt'), listen('/events/prices'), listen('/events')];
    await until('all are open', () => open === 3);
    await running.maintenance.enable({ mode: 'read-only' });
    await running.maintenance.enable({ scope: 'prices' });
    await until('one is told', () => prices.told.length === 1);
    const [before, beforeAll] = [exempt.heard.length, all.heard.length];
    await until('the others go on', () => exempt.heard.length > before + 3 && all.heard.length > beforeAll + 3);
    await running.maintenance.enable();
    await until('the second is told', () => all.told.length === 1);
    const later = exempt.heard.length;
    await until('the third goes on', () => exempt.heard.length > later + 3);
    expect(exempt.told).toEqual([]);
  });

  it('end by the clock', async () => {
    const reader = listen('/events');
    await until('it is open', () => open === 1);
    const startsAt = new Date(Date.now() + 300).toISOString();
    await running.maintenance.enable({ startsAt, endsAt: new Date(Date.now() + 600_000) });
    await until('it is told', () => reader.told.length === 1);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(startsAt));
  });

  it('leave nothing behind when the application is closed', async () => {
    const own = await start(adapter, { controllers: [EventsController] });
    const source = new EventSource(`http://127.0.0.1:${own.port}/events`);
    sources.push(source);
    await until('it is open', () => open >= 1);
    source.close();
    await own.close();
    await until('it has ended', () => open === 0);
  });
});
