import { Controller, Get, Res, UseInterceptors } from '@nestjs/common';
import { MaintenanceInterceptor } from 'nestjs-maintenance';
import { ManualClock } from 'nestjs-maintenance/testing';
import { ADAPTERS, start, type Running, type Setup } from './application.js';

const HOUR_MS = 3_600_000;

@Controller()
class PagesController {
  @Get()
  page(): string {
    return 'page';
  }

  @UseInterceptors(MaintenanceInterceptor)
  @Get('locals')
  locals(@Res({ passthrough: true }) response: { locals: object }): object {
    return { ...response.locals };
  }

  @Get('raw')
  raw(@Res() response: { send: (body: string) => void }): void {
    response.send('raw');
  }
}

describe.each(ADAPTERS)('the Maintenance-Announcement header (%s)', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  const startWith = async (options: Setup['options'], clock?: ManualClock): Promise<Running> =>
    (running = await start(adapter, { controllers: [PagesController], options, ...(clock && { clock }) }));
  const getAnnouncement = async (path = '/'): Promise<string | undefined> =>
    (await running.call(path)).headers['maintenance-announcement'] as string | undefined;

  it('contains start and end of the next window as soon as announce.before is reached', async () => {
    const { maintenance } = await startWith({ announce: { before: 2 * HOUR_MS } });
    expect(await getAnnouncement()).toBeUndefined();
    const startsAt = new Date(Date.now() + HOUR_MS).toISOString();
    const endsAt = new Date(Date.now() + 2 * HOUR_MS).toISOString();
    await maintenance.enable({ startsAt, endsAt, scope: 'caf\u00e9 "x"', mode: 'read-only' });
    await maintenance.enable({ startsAt: new Date(Date.now() + 1.5 * HOUR_MS) });
    const expected = `starts="${startsAt}", ends="${endsAt}", scope=%"caf%c3%a9 %22x%22", mode="read-only"`;
    for (const path of ['/', '/raw', '/nothing']) expect([path, await getAnnouncement(path)]).toEqual([path, expected]);
    await maintenance.disable({ all: true });
    expect(await getAnnouncement()).toBeUndefined();
  });

  it('is also available to views as maintenanceAnnouncement', async () => {
    const { maintenance, call } = await startWith({ announce: { before: 2 * HOUR_MS } });
    expect((await call('/locals')).json()).toMatchObject({ maintenanceAnnouncement: null });
    await maintenance.enable({ startsAt: new Date(Date.now() + HOUR_MS), message: 'New tills' });
    expect((await call('/locals')).json()).toMatchObject({
      maintenanceMode: false,
      maintenanceAnnouncement: { message: 'New tills', scope: '*' },
    });
  });

  it('omits the end if the window has none', async () => {
    const { maintenance } = await startWith({ announce: { before: 2 * HOUR_MS } });
    const startsAt = new Date(Date.now() + HOUR_MS).toISOString();
    await maintenance.enable({ startsAt });
    expect(await getAnnouncement()).toBe(`starts="${startsAt}", scope="*", mode="full"`);
  });

  it('is not sent before announce.before is reached or without the option', async () => {
    const { maintenance } = await startWith({ announce: { before: HOUR_MS } });
    await maintenance.enable({ startsAt: new Date(Date.now() + 2 * HOUR_MS) });
    expect(await getAnnouncement()).toBeUndefined();
    await running.close();
    await (await startWith({})).maintenance.enable({ startsAt: new Date(Date.now() + HOUR_MS) });
    expect(await getAnnouncement()).toBeUndefined();
  });

  it('is sent from announce.before until the window starts', async () => {
    const clock = new ManualClock(Date.now());
    const { maintenance, call } = await startWith({ announce: { before: HOUR_MS } }, clock);
    const startsAt = clock.now() + 2 * HOUR_MS;
    await maintenance.enable({ startsAt: new Date(startsAt), endsAt: new Date(startsAt + HOUR_MS) });
    const seen: [boolean, number][] = [];
    for (const moment of [startsAt - HOUR_MS - 1, startsAt - HOUR_MS, startsAt - 1, startsAt]) {
      await clock.moveTo(moment);
      const reply = await call('/');
      seen.push([reply.headers['maintenance-announcement'] !== undefined, reply.status]);
    }
    expect(seen).toEqual([
      [false, 200],
      [true, 200],
      [true, 200],
      [false, 503],
    ]);
  });
});

it('rejects an invalid announce.before and an invalid scopesOf at startup', async () => {
  await expect(start('express', { options: { announce: { before: 0 } } })).rejects.toThrow(
    /option `announce\.before` must be at least 1 ms/,
  );
  await expect(start('express', { options: { scopesOf: [] as never } })).rejects.toThrow(
    /option `scopesOf` must be a function/,
  );
});
