import type { EnableOptions, PublicStatus } from 'nestjs-maintenance';
import { ManualClock, MemoryStateStorage } from 'nestjs-maintenance/testing';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { CatsController } from './controllers.js';

const NOW = '2030-12-01T00:00:00.000Z';
const OFF: PublicStatus = {
  active: false,
  mode: null,
  scopes: [],
  message: null,
  startsAt: null,
  endsAt: null,
  planned: [],
};

describe.each(ADAPTERS)('public status (%s)', (adapter) => {
  let running: Running;
  let clock: ManualClock;
  const startWith = async (setup: Setup = {}): Promise<void> => {
    clock = new ManualClock(NOW);
    running = await start(adapter, {
      clock,
      controllers: [CatsController],
      ...setup,
      extras: { publicStatus: true, ...setup.extras },
    });
  };
  afterEach(() => running.close());

  const read = async (query = '', headers: Record<string, string> = {}): Promise<PublicStatus> =>
    (await running.call(`/maintenance-status${query}`, { headers })).json<never>();
  const enable = async (...windows: EnableOptions[]): Promise<void> => {
    for (const window of windows) await running.maintenance.enable(window);
  };
  const at = (hours: number): string => new Date(Date.parse(NOW) + hours * 3_600_000).toISOString();

  it('is not served unless it is asked for', async () => {
    await startWith({ extras: { publicStatus: false } });
    expect((await running.call('/maintenance-status')).status).toBe(404);
    expect((await running.call('/maintenance-status/events')).status).toBe(404);
  });

  it('shows whether maintenance is on, its message and its times', async () => {
    await startWith();
    expect(await read()).toEqual(OFF);
    await enable({ message: 'Back at four', endsAt: at(4) });
    const on = { ...OFF, active: true, mode: 'full', scopes: ['*'], message: 'Back at four', startsAt: at(0) };
    expect(await read()).toEqual({ ...on, endsAt: at(4) });
    await enable({ endsAt: null, message: '' });
    expect(await read()).toEqual({ ...on, message: null });
    await running.maintenance.disable();
    expect(await read()).toEqual(OFF);
  });

  it('shows planned windows in the order of their start, and a recurring one by its next occurrence', async () => {
    await startWith();
    await enable(
      { startsAt: at(48), scope: 'payments', mode: 'read-only', message: 'Later' },
      { startsAt: at(2), endsAt: at(3) },
      { recurrence: { cron: '0 10 * * *', timeZone: 'UTC', duration: 1_800_000 }, scope: 'reports' },
    );
    const first = { scope: '*', mode: 'full', message: null, startsAt: at(2), endsAt: at(3) };
    const later = { scope: 'payments', mode: 'read-only', message: 'Later', startsAt: at(48), endsAt: null };
    const daily = { scope: 'reports', mode: 'full', message: null, startsAt: at(10), endsAt: at(10.5) };
    expect(await read()).toEqual({ ...OFF, planned: [first, daily, later] });
    await clock.moveTo(at(2));
    expect(await read()).toMatchObject({ active: true, startsAt: at(2), endsAt: at(3), planned: [daily, later] });
    await clock.moveTo(at(10));
    expect(await read()).toMatchObject({
      active: true,
      scopes: ['reports'],
      planned: [{ ...daily, startsAt: at(34), endsAt: at(34.5) }, later],
    });
  });

  it('describes the windows of the stricter mode where several are active, by the one that ends last', async () => {
    await startWith();
    await enable(
      { mode: 'read-only', message: 'Reading works' },
      { scope: 'search', message: 'Search', endsAt: at(1) },
      { scope: 'payments', message: 'Payments', endsAt: at(2) },
    );
    const full = { active: true, mode: 'full', scopes: ['payments', 'search'], message: 'Payments', endsAt: at(2) };
    expect(await read()).toMatchObject(full);
    expect(await read('?scope=search')).toMatchObject({ mode: 'full', scopes: ['search'], message: 'Search' });
    expect(await read('?scope=orders')).toMatchObject({ mode: 'read-only', scopes: ['*'], message: 'Reading works' });
    await clock.moveTo(at(2));
    expect(await read()).toMatchObject({ active: true, mode: 'read-only', scopes: ['*'], endsAt: null });
  });

  it('is narrowed by ?scope=, whatever its value', async () => {
    await startWith();
    await enable({ scope: 'payments', message: 'Payments' }, { scope: 'search', startsAt: at(1) });
    const names = async (query: string): Promise<unknown> => {
      const { scopes, planned } = await read(query);
      return [scopes, planned.map(({ scope }) => scope)];
    };
    expect(await names('')).toEqual([['payments'], ['search']]);
    expect(await names('?scope=')).toEqual([['payments'], ['search']]);
    expect(await names('?scope=payments')).toEqual([['payments'], []]);
    expect(await names('?scope=search&scope=payments&scope=search')).toEqual([['payments'], ['search']]);
    const nothing = [
      ...['?scope=*', '?scope=PAYMENTS', '?scope=payments%00', '?scope=payments,search', '?scope=__proto__'],
      ...[
        '?scope=%',
        '?scope=%FF',
        '?scope[$ne]=payments&scope=x',
        `?scope=${'x'.repeat(5_000)}`,
        '?scope=%20payments',
      ],
    ];
    for (const query of nothing) expect([query, await names(query)]).toEqual([query, [[], []]]);
    for (const query of ['?SCOPE=search', '?scope[$ne]=x', '?', '?&&', '?other=1'])
      expect([query, await names(query)]).toEqual([query, [['payments'], ['search']]]);
  });

  it('speaks the language of the reader where the operator has given messages', async () => {
    await startWith();
    const ask = async (language: string): Promise<unknown[]> => {
      const reply = await running.call('/maintenance-status', { headers: { 'accept-language': language } });
      return [reply.json().message, reply.headers['content-language'], reply.headers.vary];
    };
    await enable({ message: 'Back at four' });
    expect(await ask('de')).toEqual(['Back at four', undefined, undefined]);
    await enable({ messages: { de: 'Um vier zurück', fr: 'À seize heures' } });
    expect(await ask('de-AT, en;q=0.5')).toEqual(['Um vier zurück', 'de', 'Accept-Language']);
    expect(await ask('fr')).toEqual(['À seize heures', 'fr', 'Accept-Language']);
    for (const language of ['en', 'tlh', '', '*', 'x'.repeat(5_000), ',;q=,', 'de;q=0'])
      expect(await ask(language)).toEqual(['Back at four', undefined, 'Accept-Language']);
    await enable({ startsAt: at(2), message: 'Again' });
    // The two messages have different languages.
    expect(await ask('de')).toEqual(['Um vier zurück', undefined, 'Accept-Language']);
  });

  it('shows nothing of operators, addresses, storage and the bypass', async () => {
    await startWith();
    await enable(
      { createdBy: 'ann@host-7', allowIps: ['203.0.113.7'] },
      {
        createdBy: 'bob@host-8',
        startsAt: at(1),
        allowIps: ['203.0.113.8'],
      },
    );
    const { windows } = running.maintenance.status();
    const { text } = await running.call('/maintenance-status');
    const status = JSON.parse(text) as PublicStatus;
    expect(Object.keys(status)).toEqual(Object.keys(OFF));
    expect(Object.keys(status.planned[0]!)).toEqual(['scope', 'mode', 'message', 'startsAt', 'endsAt']);
    const secrets = [...windows.active, ...windows.planned].flatMap(({ id, createdBy = '', allowIps = [] }) => [
      id,
      createdBy,
      ...allowIps,
    ]);
    expect(secrets).toHaveLength(6);
    for (const secret of [...secrets, 'bypass', 'revision', 'lineage', 'storage', 'memory', 'history'])
      expect(text).not.toContain(secret);
  });

  it('shows that maintenance is forced on or off, without times and plans', async () => {
    const storage = new MemoryStateStorage();
    await startWith({ options: { storage } });
    await enable({ message: 'Stored' }, { startsAt: at(1) });
    for (const enabled of [true, false]) {
      await running.close();
      await startWith({ options: { storage, enabled } });
      expect(await read()).toEqual(enabled ? { ...OFF, active: true, mode: 'full', scopes: ['*'] } : OFF);
      expect(await read('?scope=payments')).toEqual(await read());
    }
  });

  it.each([
    ['on', { ...OFF, active: true, mode: 'full', scopes: ['*'] }],
    ['off', OFF],
    ['last-known', OFF],
  ] as const)('follows onStorageFailure: %s where the storage was never read', async (onStorageFailure, expected) => {
    const storage = new MemoryStateStorage();
    storage.read = () => Promise.reject(new Error('down'));
    await startWith({ clock: undefined, options: { storage, onStorageFailure } });
    expect(await read()).toEqual(expected);
  });
});
