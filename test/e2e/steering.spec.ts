import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Injectable, Module, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { filter, firstValueFrom, type Observable } from 'rxjs';
import {
  InvalidWindowError,
  MaintenanceForcedError,
  MaintenanceStorageError,
  type MaintenanceState,
  type MaintenanceStatus,
  type StateStorage,
  type VersionedState,
} from 'nestjs-maintenance';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import type { Call, Reply } from './client.js';
import { CatsController } from './controllers.js';

const TOKEN = 'a-token-of-24-characters';
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };
const controllers = [CatsController];

@Injectable()
class Accounts {
  nameOf(header: string | undefined): string | undefined {
    return header?.startsWith('admin') ? header : undefined;
  }
}

@Module({ providers: [Accounts], exports: [Accounts] })
class AccountsModule {}

@Injectable()
class AdminGuard implements CanActivate {
  constructor(private readonly accounts: Accounts) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: object }>();
    const username = this.accounts.nameOf(request.headers['x-user']);
    if (!username) throw new UnauthorizedException();
    request.user = { username };
    return true;
  }
}

function stored(file: string): MaintenanceState {
  return JSON.parse(readFileSync(file, 'utf8')) as MaintenanceState;
}

describe.each(ADAPTERS)('on %s', (adapter) => {
  let running: Running;
  const open = async (setup: Setup = {}): Promise<Running> =>
    (running = await start(adapter, { controllers, ...setup }));
  afterEach(() => running.close());

  describe('the service', () => {
    it('turns maintenance on and off, and writes nothing that changes nothing', async () => {
      const { maintenance, stateFile, call } = await open();
      expect(maintenance.status()).toEqual({
        active: false,
        source: 'storage',
        revision: 0,
        windows: { active: [], planned: [] },
        storage: { kind: 'file', location: stateFile, healthy: true, lastReadAt: expect.any(String) as string },
      });
      expect(existsSync(stateFile)).toBe(false);
      await expect(maintenance.disable()).resolves.toMatchObject({ active: false, revision: 0 });
      expect(existsSync(stateFile)).toBe(false);

      const on = await maintenance.enable({ message: 'Back soon', createdBy: 'me' });
      expect(on).toMatchObject({ active: true, source: 'storage', revision: 1 });
      expect(on.windows.active).toEqual([
        expect.objectContaining({ scope: '*', mode: 'full', endsAt: null, message: 'Back soon', createdBy: 'me' }),
      ]);
      expect((await call('/cats')).status).toBe(503);
      await expect(maintenance.enable()).resolves.toMatchObject({ revision: 1 });
      await expect(maintenance.enable({ message: 'Back soon' })).resolves.toMatchObject({ revision: 1 });

      const changed = await maintenance.enable({ message: 'Back late' });
      expect(changed.revision).toBe(2);
      expect(changed.windows.active[0]).toEqual({ ...on.windows.active[0], message: 'Back late' });
      expect(stored(stateFile)).toMatchObject({
        format: 1,
        revision: 2,
        history: [{ action: 'change', via: 'code' }, { action: 'on' }],
      });

      await expect(maintenance.disable()).resolves.toMatchObject({ active: false, revision: 3 });
      expect((await call('/cats')).status).toBe(200);
      await expect(maintenance.disable()).resolves.toMatchObject({ revision: 3 });
    });

    it('keeps scopes, modes and planned windows apart', async () => {
      const { maintenance, call } = await open();
      await maintenance.enable({ scope: 'payments' });
      expect(maintenance.isActive()).toBe(true);
      expect(maintenance.isActive('payments')).toBe(true);
      expect(maintenance.isActive('search')).toBe(false);
      expect((await call('/cats')).status).toBe(200);
      await maintenance.enable({ mode: 'read-only' });
      expect(maintenance.isActive('search')).toBe(true);
      expect((await call('/cats')).status).toBe(200);
      expect((await call('/cats', { method: 'POST' })).status).toBe(503);
      const startsAt = new Date(Date.now() + 3_600_000);
      await maintenance.enable({ startsAt, message: 'planned' });
      const both = await maintenance.enable({ startsAt, message: 'planned again' });
      expect(both.windows.planned.map(({ message }) => message)).toEqual(['planned', 'planned again']);

      const scope = await maintenance.disable({ scope: 'payments' });
      expect(scope.windows.active.map((window) => window.mode)).toEqual(['read-only']);
      const one = await maintenance.disable({ id: both.windows.planned[0]?.id });
      expect(one.windows.planned.map(({ message }) => message)).toEqual(['planned again']);
      expect((await maintenance.disable()).windows).toMatchObject({ active: [], planned: [{}] });
      expect((await maintenance.disable({ all: true })).windows).toEqual({ active: [], planned: [] });
    });

    it('repeats a window, whose occurrence can be ended', async () => {
      const { maintenance, call } = await open();
      // Every year, and as long as one.
      const recurrence = { cron: '0 0 1 1 *', timeZone: 'Europe/Rome', duration: 365 * 86_400_000 - 1 };
      const { windows } = await maintenance.enable({ startsAt: '2020-01-01T00:00Z', recurrence });
      expect(windows.active).toMatchObject([{ recurrence, endsAt: expect.any(String) as string }]);
      const refused = await call('/cats');
      expect(refused.status).toBe(503);
      expect(refused.json()).toMatchObject({
        startsAt: windows.active[0]!.startsAt,
        endsAt: windows.active[0]!.endsAt,
      });

      const { windows: after } = await maintenance.disable();
      expect(after).toMatchObject({ active: [], planned: [{ id: windows.active[0]!.id, recurrence }] });
      expect((await call('/cats')).status).toBe(200);
      await maintenance.disable({ all: true });
      expect(maintenance.status().windows.planned).toEqual([]);
    });

    it('refuses windows that make no sense, and changes nothing', async () => {
      const { maintenance, stateFile } = await open();
      for (const window of [
        { endsAt: new Date(Date.now() - 1000) },
        { endsAt: 'tomorrow' },
        { endsAt: '2026-02-30T10:00Z' },
        { endsAt: '2099-01-01T10:00' },
        { endsAt: new Date(NaN) },
        { startsAt: '2099-01-02T00:00Z', endsAt: '2099-01-01T00:00Z' },
        { startsAt: '2020-01-01T00:00Z' },
        { startsAt: new Date(Date.now() - 61_000) },
        { startsAt: '2020-01-01T00:00Z', endsAt: '2099-01-01T00:00Z' },
        { startsAt: null },
        { mode: 'partial' },
        { scope: '' },
        { scope: 7 },
        { message: 7 },
        { retryAfter: -1 },
        { retryAfter: 1.5 },
        { until: '2099-01-01T00:00Z' },
        { recurrence: '0 3 * * 0' },
        { recurrence: { cron: '0 3 * * 0' } },
        { recurrence: { cron: '0 3 * * 0', duration: 0 } },
        { recurrence: { cron: '0 3 * * 0', duration: 1, timezone: 'UTC' } },
        { recurrence: { cron: 'sundays', duration: 1 } },
        { recurrence: { cron: '0 3 * * 0', timeZone: 'Mars', duration: 1 } },
        'now',
        [],
      ]) {
        await expect(maintenance.enable(window as never)).rejects.toBeInstanceOf(InvalidWindowError);
      }
      await expect(maintenance.disable({ ids: 'x' } as never)).rejects.toBeInstanceOf(InvalidWindowError);
      await expect(maintenance.enable({ endsAt: '2099-01-01T10:00' })).rejects.toThrow(
        /time zone, such as 2030-12-01T02:00Z/,
      );
      expect(existsSync(stateFile)).toBe(false);
    });

    it('is forced by the option', async () => {
      let { maintenance, call } = await open({ options: { enabled: true } });
      expect(maintenance.status()).toMatchObject({ active: true, source: 'configuration' });
      expect(maintenance.isActive('anything')).toBe(true);
      expect((await call('/cats')).json()).toMatchObject({
        status: 503,
        startsAt: null,
        endsAt: null,
        scope: '*',
        mode: 'full',
      });
      await expect(maintenance.enable()).rejects.toBeInstanceOf(MaintenanceForcedError);
      await expect(maintenance.disable()).rejects.toThrow(/MAINTENANCE_MODE/);
      await running.close();
      ({ maintenance, call } = await open({ options: { enabled: false } }));
      expect((await call('/cats')).status).toBe(200);
      await expect(maintenance.enable()).rejects.toBeInstanceOf(MaintenanceForcedError);
    });

    it('tells of changes, its own and others', async () => {
      const { maintenance, stateFile } = await open();
      const seen: MaintenanceStatus[] = [];
      maintenance.changes.subscribe((status) => seen.push(status));
      await maintenance.enable();
      expect(seen).toMatchObject([{ active: true, revision: 1 }]);

      const next = nextOf(maintenance.changes);
      const started = performance.now();
      writeFileSync(stateFile, '0');
      expect(await next).toMatchObject({ active: false, revision: 0 });
      expect(performance.now() - started).toBeLessThan(1000);

      const gone = nextOf(maintenance.changes);
      writeFileSync(stateFile, '1\n');
      expect(await gone).toMatchObject({ active: true });
      const removed = nextOf(maintenance.changes);
      rmSync(stateFile);
      expect(await removed).toMatchObject({ active: false });
    });

    it('follows a window to its end without anybody writing', async () => {
      const { maintenance, call } = await open();
      const ended = nextOf(maintenance.changes, (status) => !status.active);
      await maintenance.enable({ endsAt: new Date(Date.now() + 300) });
      expect((await call('/cats')).status).toBe(503);
      expect(await ended).toMatchObject({ active: false, revision: 1 });
      expect((await call('/cats')).status).toBe(200);
    });

    it('says so when the storage does not take a change, and keeps the last known state', async () => {
      const { maintenance, stateFile, call } = await open();
      await maintenance.enable();
      rmSync(stateFile);
      mkdirSync(stateFile);
      await expect(maintenance.disable()).rejects.toBeInstanceOf(MaintenanceStorageError);
      const status = await maintenance.refresh();
      expect(status).toMatchObject({ active: true, source: 'last-known', storage: { healthy: false } });
      expect(status.storage.error).toContain(stateFile);
      expect((await call('/cats')).status).toBe(503);
      rmSync(stateFile, { recursive: true });
      expect(await maintenance.refresh()).toMatchObject({
        active: false,
        source: 'storage',
        storage: { healthy: true },
      });
    });
  });

  it('checks what a storage of the application gives', async () => {
    const content: { state: unknown; version: string } = { state: null, version: '1' };
    const storage: StateStorage = {
      kind: 'own',
      location: 'own://place',
      read: async () => structuredClone(content) as VersionedState,
      write: async (state) => {
        Object.assign(content, { state: structuredClone(state), version: String(Number(content.version) + 1) });
        return content.version;
      },
    };
    for (const state of [
      {},
      { windows: {} },
      { format: 1, lineage: 'x', revision: 1, windows: [null], history: [] },
      'text',
      7,
    ]) {
      content.state = state;
      const { maintenance, call } = await open({ options: { storage } });
      expect(maintenance.status().storage).toMatchObject({
        healthy: false,
        error: expect.stringContaining('own://place') as string,
      });
      expect((await call('/cats')).status).toBe(200);
      await maintenance.enable();
      expect((await call('/cats')).status).toBe(503);
      await running.close();
    }
    await open();
  });

  it('notices a folder that comes later, or anew', async () => {
    const folder = join(mkdtempSync(join(tmpdir(), 'later-')), 'state');
    const file = join(folder, 'state.json');
    const { maintenance } = await open({ options: { storage: `file:${file}`, refreshInterval: 600_000 } });
    for (let round = 0; round < 2; round++) {
      // The report of the instance may have made it.
      mkdirSync(folder, { recursive: true });
      await maintenance.refresh();
      const on = nextOf(maintenance.changes, ({ active }) => active);
      writeFileSync(file, '1');
      expect(await on).toMatchObject({ active: true });
      rmSync(folder, { recursive: true });
      await maintenance.refresh();
      expect(maintenance.isActive()).toBe(false);
    }
  });

  it('takes a state that somebody put back', async () => {
    const { maintenance, stateFile, call } = await open();
    await maintenance.enable();
    const backup = readFileSync(stateFile);
    for (const message of ['a', 'b', 'c']) await maintenance.enable({ message });
    await maintenance.disable();
    const restored = nextOf(maintenance.changes);
    writeFileSync(stateFile, backup);
    expect(await restored).toMatchObject({ active: true, revision: 1 });
    await expect(maintenance.enable({ message: 'now' })).resolves.toMatchObject({ active: true, revision: 2 });
    expect((await call('/cats')).status).toBe(503);
  });

  it.each([
    ['last-known', false],
    ['on', true],
    ['off', false],
  ] as const)('starts on a storage that fails: onStorageFailure %s', async (onStorageFailure, active) => {
    const { maintenance, call, stateFile } = await open({
      options: { onStorageFailure, storage: brokenFile() },
    });
    expect(maintenance.status()).toMatchObject({ active, source: 'fallback', storage: { healthy: false } });
    expect((await call('/cats')).status).toBe(active ? 503 : 200);
    expect(existsSync(stateFile)).toBe(false);
    await maintenance.enable();
    expect(maintenance.status()).toMatchObject({ active: true, source: 'storage' });
    expect((await call('/cats')).status).toBe(503);
  });

  describe('the admin endpoints', () => {
    const admin: Setup = { options: { adminToken: TOKEN }, extras: { admin: true } };
    const openAdmin = async (setup: Setup = {}): Promise<Running> =>
      open({
        ...admin,
        ...setup,
        options: { ...admin.options, ...setup.options },
        extras: { ...admin.extras, ...setup.extras },
      });
    const post = (path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
      running.call(`/maintenance-mode/${path}`, {
        method: 'POST',
        headers: { ...AUTHORIZED, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });

    it('turn maintenance on and off while it is on', async () => {
      const { call, maintenance, stateFile } = await openAdmin();
      expect((await call('/maintenance-mode', { headers: AUTHORIZED })).json()).toEqual(maintenance.status());
      const on = await post('on', { message: 'Back soon' });
      expect(on.status).toBe(200);
      expect(on.json()).toMatchObject({
        active: true,
        windows: { active: [{ message: 'Back soon', createdBy: 'token' }] },
      });
      expect(stored(stateFile).history[0]).toMatchObject({ via: 'http', by: 'token' });
      expect((await call('/cats')).status).toBe(503);
      const status = await call('/maintenance-mode', { headers: AUTHORIZED });
      expect(status).toMatchObject({ status: 200, headers: { 'cache-control': 'private, no-store' } });
      expect(JSON.stringify(status.json())).not.toContain(TOKEN);
      expect((await post('off')).json()).toMatchObject({ active: false });
      expect((await call('/cats')).status).toBe(200);
    });

    it('take a trailing slash, an empty body with a type, and no body', async () => {
      await openAdmin();
      for (const path of ['on', 'on/', 'off', 'off/']) {
        expect((await post(path)).status).toBe(200);
        expect((await post(path, undefined, { 'content-type': 'application/json' })).status).toBe(200);
        expect((await post(path, {})).status).toBe(200);
      }
      expect((await running.call('/maintenance-mode/', { headers: AUTHORIZED })).status).toBe(200);
      expect((await post('off/anything')).status).toBe(404);
    });

    const REFUSED: [string, number, string, Call][] = [
      ['no token', 401, 'on', { method: 'POST' }],
      ['a wrong token', 401, 'on', { method: 'POST', headers: { authorization: 'Bearer wrong' } }],
      ['another scheme', 401, 'on', { method: 'POST', headers: { authorization: `Basic ${TOKEN}` } }],
      ['a token in the query', 401, `on?token=${TOKEN}`, { method: 'POST' }],
      ['no token to read', 401, '', {}],
      ['a foreign origin', 403, 'on', { method: 'POST', headers: { ...AUTHORIZED, origin: 'https://evil.example' } }],
      ['the null origin', 403, 'on', { method: 'POST', headers: { ...AUTHORIZED, origin: 'null' } }],
      [
        'a cross-site request',
        403,
        'on',
        { method: 'POST', headers: { ...AUTHORIZED, 'sec-fetch-site': 'cross-site' } },
      ],
      ['a same-site request', 403, 'on', { method: 'POST', headers: { ...AUTHORIZED, 'sec-fetch-site': 'same-site' } }],
      ['text', 415, 'on', { method: 'POST', headers: { ...AUTHORIZED, 'content-type': 'text/plain' }, body: '{}' }],
      [
        'a form',
        415,
        'on',
        {
          method: 'POST',
          headers: { ...AUTHORIZED, 'content-type': 'application/x-www-form-urlencoded' },
          body: 'a=b',
        },
      ],
      [
        'malformed JSON',
        400,
        'on',
        { method: 'POST', headers: { ...AUTHORIZED, 'content-type': 'application/json' }, body: '{' },
      ],
      [
        'an array',
        400,
        'on',
        { method: 'POST', headers: { ...AUTHORIZED, 'content-type': 'application/json' }, body: '[]' },
      ],
      [
        'an unknown member',
        400,
        'on',
        { method: 'POST', headers: { ...AUTHORIZED, 'content-type': 'application/json' }, body: '{"x":1}' },
      ],
      [
        'a date that is none',
        400,
        'on',
        { method: 'POST', headers: { ...AUTHORIZED, 'content-type': 'application/json' }, body: '{"endsAt":"soon"}' },
      ],
      [
        'a start in the past',
        400,
        'on',
        {
          method: 'POST',
          headers: { ...AUTHORIZED, 'content-type': 'application/json' },
          body: '{"startsAt":"2020-01-01T00:00Z"}',
        },
      ],
      [
        'a value that is nested deeper than a stack goes',
        400,
        'on',
        {
          method: 'POST',
          headers: { ...AUTHORIZED, 'content-type': 'application/json' },
          body: `{"message":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
        },
      ],
      [
        'an unknown selector',
        400,
        'off',
        { method: 'POST', headers: { ...AUTHORIZED, 'content-type': 'application/json' }, body: '{"x":1}' },
      ],
    ];
    it('refuse what they must, and change nothing', async () => {
      const { call, maintenance } = await openAdmin();
      for (const [name, status, path, request] of REFUSED) {
        const reply = await call(`/maintenance-mode/${path}`, request);
        expect([name, reply.status]).toEqual([name, status]);
        expect(reply.headers['www-authenticate'] ?? '').toMatch(status === 401 ? /^Bearer/ : /^$/);
      }
      for (const path of ['on', 'off'])
        expect((await call(`/maintenance-mode/${path}`, { headers: AUTHORIZED })).status).toBe(404);
      expect(maintenance.status().revision).toBe(0);
      expect(
        (await post('on', undefined, { origin: `http://127.0.0.1:${running.port}`, host: `127.0.0.1:${running.port}` }))
          .status,
      ).toBe(200);
    });

    it('say what would be right where a body is not', async () => {
      await openAdmin();
      for (const body of ['{', 'null', '"now"', '[]', '{"endsAt":"soon"}', '{"x":1}']) {
        const reply = await post('on', body);
        const where = `${body}: ${reply.text}`;
        expect([where, reply.status]).toEqual([where, 400]);
        expect([where, reply.json().message]).toEqual([where, expect.stringMatching(/such as|Known are/)]);
      }
      expect(running.maintenance.isActive()).toBe(false);
    });

    it('tell that maintenance is forced, and that the storage fails', async () => {
      await openAdmin({ options: { enabled: false } });
      expect((await post('on')).status).toBe(409);
      await running.close();
      const { stateFile } = await openAdmin();
      mkdirSync(stateFile);
      const failed = await post('on');
      expect(failed.status).toBe(502);
      expect(failed.json().message).toContain(stateFile);
    });

    it("ask the application's own guards, and note who it was", async () => {
      const { call, stateFile } = await openAdmin({
        extras: { admin: { path: 'ops/switch', imports: [AccountsModule], guards: [AdminGuard] } },
        main: (app) => void app.setGlobalPrefix('api'),
      });
      const on = (headers: Record<string, string>): Promise<Reply> =>
        call('/api/ops/switch/on', { method: 'POST', headers });
      expect((await on(AUTHORIZED)).status).toBe(401);
      expect((await on({ 'x-user': 'admin-ann' })).status).toBe(401);
      expect((await on({ ...AUTHORIZED, 'x-user': 'admin-ann' })).status).toBe(200);
      expect(stored(stateFile).history[0]).toMatchObject({ by: 'admin-ann', via: 'http' });
      expect((await on({ ...AUTHORIZED, 'x-user': 'admin-bob' })).status).toBe(200);
      expect((await call('/maintenance-mode', { headers: AUTHORIZED })).status).toBe(503);
    });

    it('say so where the application parses no JSON', async () => {
      await openAdmin({ create: { bodyParser: false } });
      expect((await post('on')).status).toBe(200);
      // Fastify parses JSON by itself.
      expect((await post('off', { scope: 'payments' })).status).toBe(adapter === 'express' ? 400 : 200);
      expect(running.maintenance.isActive()).toBe(true);
    });

    if (adapter === 'fastify') {
      it('read a body that HTTP/2 announces by its frames alone', async () => {
        await openAdmin({ fastify: { http2: true } });
        const { connect } = await import('node:http2');
        const session = connect(`http://127.0.0.1:${running.port}`);
        const send = async (path: string, body?: string): Promise<unknown> => {
          const stream = session.request(
            {
              ':method': 'POST',
              ':path': `/maintenance-mode/${path}`,
              'content-type': 'application/json',
              ...AUTHORIZED,
            },
            { endStream: body === undefined },
          );
          if (body !== undefined) stream.end(body);
          let text = '';
          for await (const chunk of stream) text += String(chunk);
          return JSON.parse(text);
        };
        expect(await send('on', '{"scope":"payments"}')).toMatchObject({
          windows: { active: [{ scope: 'payments' }] },
        });
        expect(await send('off', '{"scope":"other"}')).toMatchObject({ windows: { active: [{ scope: 'payments' }] } });
        expect(await send('off')).toMatchObject({ active: false });
        const closed = new Promise((resolve) => session.close(() => resolve(undefined)));
        await closed;
      });
    }

    it('are not there unless asked for', async () => {
      const { call } = await open({ options: { adminToken: TOKEN } });
      expect((await call('/maintenance-mode', { headers: AUTHORIZED })).status).toBe(404);
    });
  });
});

function nextOf(
  changes: Observable<MaintenanceStatus>,
  wanted: (status: MaintenanceStatus) => boolean = () => true,
): Promise<MaintenanceStatus> {
  return firstValueFrom(changes.pipe(filter(wanted)));
}

let broken = 0;
/** A state file with content that is no state. */
function brokenFile(): string {
  const file = `${process.env.TMPDIR ?? '/tmp'}/maintenance-broken-${process.pid}-${broken++}/state.json`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '{"format":');
  chmodSync(file, 0o600);
  return `file:${file}`;
}
