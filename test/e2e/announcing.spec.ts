import { Controller, Get, Res, UseInterceptors } from '@nestjs/common';
import { MaintenanceInterceptor } from 'nestjs-maintenance';
import { ADAPTERS, start, type Running, type Setup } from './application.js';

const HOUR = 3_600_000;

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

describe.each(ADAPTERS)('announcing on %s', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  const open = async (options: Setup['options']): Promise<Running> =>
    (running = await start(adapter, { controllers: [PagesController], options }));
  const announced = async (path = '/'): Promise<string | undefined> =>
    (await running.call(path)).headers['maintenance-announcement'] as string | undefined;

  it('names start and end of the next window in every answer, from the time before it that the option says', async () => {
    const { maintenance } = await open({ announce: { before: 2 * HOUR } });
    expect(await announced()).toBeUndefined();
    const startsAt = new Date(Date.now() + HOUR).toISOString();
    const endsAt = new Date(Date.now() + 2 * HOUR).toISOString();
    await maintenance.enable({ startsAt, endsAt, scope: 'caf\u00e9 "x"', mode: 'read-only' });
    await maintenance.enable({ startsAt: new Date(Date.now() + 1.5 * HOUR) });
    const expected = `starts="${startsAt}", ends="${endsAt}", scope="caf? \\"x\\"", mode="read-only"`;
    for (const path of ['/', '/raw', '/nothing']) expect([path, await announced(path)]).toEqual([path, expected]);
    await maintenance.disable({ all: true });
    expect(await announced()).toBeUndefined();
  });

  it('leaves the window to views', async () => {
    const { maintenance, call } = await open({ announce: { before: 2 * HOUR } });
    expect((await call('/locals')).json()).toMatchObject({ maintenanceAnnouncement: null });
    await maintenance.enable({ startsAt: new Date(Date.now() + HOUR), message: 'New tills' });
    expect((await call('/locals')).json()).toMatchObject({
      maintenanceMode: false,
      maintenanceAnnouncement: { message: 'New tills', scope: '*' },
    });
  });

  it('leaves the end out where there is none', async () => {
    const { maintenance } = await open({ announce: { before: 2 * HOUR } });
    const startsAt = new Date(Date.now() + HOUR).toISOString();
    await maintenance.enable({ startsAt });
    expect(await announced()).toBe(`starts="${startsAt}", scope="*", mode="full"`);
  });

  it('says nothing too early, nor without the option', async () => {
    const { maintenance } = await open({ announce: { before: HOUR } });
    await maintenance.enable({ startsAt: new Date(Date.now() + 2 * HOUR) });
    expect(await announced()).toBeUndefined();
    await running.close();
    await (await open({})).maintenance.enable({ startsAt: new Date(Date.now() + HOUR) });
    expect(await announced()).toBeUndefined();
  });

  it('begins by the clock, and ends with the start', async () => {
    const { maintenance, call } = await open({ announce: { before: 300 } });
    const startsAt = Date.now() + 600;
    await maintenance.enable({ startsAt: new Date(startsAt), endsAt: new Date(startsAt + HOUR) });
    const seen: [boolean, number][] = [];
    for (const deadline = Date.now() + 8_000; Date.now() < deadline;) {
      const reply = await call('/');
      const now: [boolean, number] = [reply.headers['maintenance-announcement'] !== undefined, reply.status];
      // A request that the start meets on its way was announced to before, and is refused after it.
      if (now[0] && now[1] === 503) continue;
      if (JSON.stringify(seen.at(-1)) !== JSON.stringify(now)) seen.push(now);
      if (reply.status === 503) break;
    }
    expect(seen).toEqual([
      [false, 200],
      [true, 200],
      [false, 503],
    ]);
  });
});

it('is unusable with a time that is none', async () => {
  await expect(start('express', { options: { announce: { before: 0 } } })).rejects.toThrow(
    /option `announce\.before` must be at least 1 ms/,
  );
  await expect(start('express', { options: { scopesOf: [] as never } })).rejects.toThrow(
    /option `scopesOf` must be a function/,
  );
});
