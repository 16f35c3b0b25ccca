import type { NestExpressApplication } from '@nestjs/platform-express';
import { ManualClock, MemoryStateStorage } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import {
  ADMIN_TOKEN,
  createPanelClient,
  getCookie,
  VIEWER_TOKEN,
  type PanelClient,
  type State,
} from './panel-client.js';

const HOUR_MS = 3_600_000;

describe.each(ADAPTERS)('sessions of the panel (%s)', (adapter) => {
  const started: Running[] = [];
  let running: Running;
  let panel: PanelClient;
  const startWith = async (setup: Setup = {}): Promise<Running> => {
    running = await start(adapter, {
      ...setup,
      options: { adminToken: ADMIN_TOKEN, viewerToken: VIEWER_TOKEN, application: 'shop', ...setup.options },
      extras: { admin: { panel: true }, ...setup.extras },
    });
    started.push(running);
    panel = createPanelClient(running);
    return running;
  };
  afterEach(() => Promise.all(started.splice(0).map(({ close }) => close())));

  const trustProxy: Setup =
    adapter === 'express'
      ? { main: (app) => void (app as NestExpressApplication).set('trust proxy', 'loopback') }
      : { fastify: { trustProxy: 'loopback' } };

  it('starts with the token, and keeps the cookie from scripts and other sites', async () => {
    await startWith();
    const reply = await panel.signIn(ADMIN_TOKEN);
    const { access, endsAt } = reply.json<{ access: string; endsAt: string }>();
    expect([reply.status, access]).toEqual([200, 'change']);
    expect(Date.parse(endsAt) - Date.now()).toBeLessThanOrEqual(HOUR_MS);
    expect(reply.headers['cache-control']).toContain('no-store');
    const [name, ...attributes] = reply.headers['set-cookie']![0]!.split('; ');
    expect(name).toMatch(/^maintenance-session-[0-9a-f]{8}=v1\./);
    expect(attributes.sort()).toEqual(['HttpOnly', 'Max-Age=3600', 'Path=/', 'SameSite=Strict']);
    expect(reply.text + name).not.toContain(ADMIN_TOKEN);
  });

  it('has a cookie of the host over HTTPS, as the trusted proxy tells', async () => {
    await startWith(trustProxy);
    const https = { 'x-forwarded-proto': 'https' };
    const reply = await panel.signIn(ADMIN_TOKEN, https);
    const header = reply.headers['set-cookie']![0]!;
    expect(header).toMatch(/^__Host-maintenance-session-.*; Path=\/; .*Secure/);
    const cookie = getCookie(reply);
    expect((await running.call('/maintenance-mode/panel/state', { headers: { cookie, ...https } })).status).toBe(200);
    const plain = cookie.replace('__Host-', '');
    expect((await running.call('/maintenance-mode/panel/state', { headers: { cookie: plain, ...https } })).status).toBe(
      401,
    );
  });

  it('does not believe a proxy that is not trusted', async () => {
    await startWith();
    const reply = await panel.signIn(ADMIN_TOKEN, { 'x-forwarded-proto': 'https' });
    expect(reply.headers['set-cookie']![0]).not.toContain('Secure');
  });

  it('changes the state in the name that the operator gave', async () => {
    await startWith();
    const cookie = await panel.cookie(ADMIN_TOKEN, 'Ann');
    const reply = await panel.withCookie(cookie, 'on', 'POST');
    expect(reply.json()).toMatchObject({ windows: { active: [{ createdBy: 'Ann' }] } });
    const state = (await panel.withCookie(cookie, 'panel/state')).json();
    expect(state).toMatchObject({ operator: 'Ann', access: 'change', history: [{ by: 'Ann', via: 'http' }] });
    expect(Date.parse(String(state.sessionEndsAt))).toBeGreaterThan(Date.now());
  });

  it('works beside an Authorization header that a proxy adds', async () => {
    await startWith();
    const cookie = await panel.cookie();
    for (const authorization of ['Basic b3BzOm9wcw==', 'Bearer a-token-of-the-proxy'])
      expect((await running.call('/maintenance-mode/panel/state', { headers: { cookie, authorization } })).status).toBe(
        200,
      );
  });

  it('ends with the sign-out: a copy of the cookie is refused', async () => {
    await startWith();
    const cookie = await panel.cookie();
    const reply = await panel.withCookie(cookie, 'session/end', 'POST');
    expect(reply.json()).toEqual({ everywhere: true });
    expect(reply.headers['set-cookie']![0]).toMatch(/^maintenance-session-\w+=; Max-Age=0;/);
    expect((await panel.withCookie(cookie, 'panel/state')).status).toBe(401);
    expect((await panel.withCookie(cookie, 'on', 'POST')).status).toBe(401);
    expect((await panel.withCookie(await panel.cookie(), 'panel/state')).status).toBe(200);
  });

  it('ends on every instance, also on one that starts after the sign-out', async () => {
    const storage = new MemoryStateStorage();
    const first = await startWith({ options: { storage } });
    const ours = createPanelClient(first);
    const second = createPanelClient(await startWith({ options: { storage } }));
    const cookie = await ours.cookie();
    expect((await second.withCookie(cookie, 'panel/state')).status).toBe(200);
    expect((await ours.withCookie(cookie, 'session/end', 'POST')).json()).toEqual({ everywhere: true });
    // An instance reads the reports at most once a second.
    const isRefused = async (): Promise<boolean> => (await second.withCookie(cookie, 'panel/state')).status === 401;
    await until('the second instance has read the reports', isRefused, 5_000);

    await Promise.all(started.splice(0).map(({ app }) => app.close()));
    const third = createPanelClient(await startWith({ options: { storage } }));
    expect((await third.withCookie(cookie, 'panel/state')).status).toBe(401);
    expect((await third.withCookie(await third.cookie(), 'panel/state')).status).toBe(200);
  });

  it('ends here only if the storage can tell no other instance, and the answer reports it', async () => {
    class FullStorage extends MemoryStateStorage {
      override report(): Promise<void> {
        return Promise.reject(new Error('the disk is full'));
      }
    }
    await startWith({ options: { storage: new FullStorage() } });
    const cookie = await panel.cookie();
    expect((await panel.withCookie(cookie, 'session/end', 'POST')).json()).toEqual({ everywhere: false });
    expect((await panel.withCookie(cookie, 'panel/state')).status).toBe(401);
  });

  it('stays open while the storage fails', async () => {
    const storage = new MemoryStateStorage();
    await startWith({ options: { storage } });
    const cookie = await panel.cookie();
    const fail = (): Promise<never> => Promise.reject(new Error('the network is down'));
    Object.assign(storage, { reports: fail, read: fail });
    await running.maintenance.refresh();
    let state: Partial<State> = {};
    await until('the reports are read again', async () => {
      state = (await panel.withCookie(cookie, 'panel/state')).json();
      return state.fleet?.error !== undefined;
    });
    expect(state).toMatchObject({
      status: { storage: { healthy: false, error: expect.stringContaining('network is down') as string } },
      fleet: { instances: [], error: expect.stringContaining('network is down') as string },
    });
  });

  it('ends with its time', async () => {
    const clock = new ManualClock('2030-12-01T02:00Z');
    await startWith({ clock });
    const cookie = await panel.cookie();
    await clock.moveTo(clock.now() + HOUR_MS - 1);
    expect((await panel.withCookie(cookie, 'panel/state')).status).toBe(200);
    await clock.moveTo(clock.now() + 1);
    expect((await panel.withCookie(cookie, 'panel/state')).status).toBe(401);
  });

  it('ends with a change of the token, and is none of another application', async () => {
    const storage = new MemoryStateStorage();
    await startWith({ options: { storage } });
    const cookie = await panel.cookie();
    for (const options of [{ adminToken: 'another-token-of-the-panel' }, { application: 'another-shop' }]) {
      const other = createPanelClient(await startWith({ options: { storage, ...options } }));
      const own = await other.cookie(options.adminToken ?? ADMIN_TOKEN);
      // The signature counts, not only the name of the cookie.
      const renamed = `${own.split('=')[0]}=${cookie.split('=')[1]}`;
      for (const foreign of [cookie, renamed])
        expect((await other.withCookie(foreign, 'panel/state')).status).toBe(401);
      expect((await other.withCookie(own, 'panel/state')).status).toBe(200);
    }
  });

  it('is not accepted from a cookie that was changed', async () => {
    await startWith();
    const [name, value] = (await panel.cookie(VIEWER_TOKEN)).split('=') as [string, string];
    const [format, access, id, startedAt, endsAt, operator, signature] = value.split('.');
    expect([format, access]).toEqual(['v1', 'view']);
    const later = String(Number(endsAt) + HOUR_MS);
    const forged = [
      [format, 'change', id, startedAt, endsAt, operator, signature],
      [format, access, id, startedAt, later, operator, signature],
      [format, access, 'AAAAAAAAAAAAAAAA', startedAt, endsAt, operator, signature],
      [format, access, id, startedAt, endsAt, Buffer.from('root').toString('base64url'), signature],
      [format, access, id, startedAt, endsAt, operator, ''],
      [format, access, id, startedAt, endsAt, operator],
      [format, access, id, startedAt, endsAt, operator, signature, signature],
      ['v1', '__proto__', id, startedAt, endsAt, operator, signature],
      ['v1', 'constructor', id, startedAt, endsAt, operator, signature],
      ['', '', '', '', '', '', ''],
    ].map((fields) => fields.join('.'));
    for (const other of [...forged, '', value.repeat(20)])
      expect([other, (await panel.withCookie(`${name}=${other}`, 'panel/state')).status]).toEqual([other, 401]);
    expect((await panel.withCookie(`${name}=${value}`, 'panel/state')).status).toBe(200);
  });

  it('only looks with the viewer token', async () => {
    await startWith();
    const cookie = await panel.cookie(VIEWER_TOKEN);
    expect((await panel.withCookie(cookie, 'panel/state')).json()).toMatchObject({ access: 'view' });
    for (const path of ['on', 'off', 'panel/preview']) {
      const reply = await panel.withCookie(cookie, path, 'POST');
      expect([reply.status, reply.json().message]).toEqual([403, expect.stringMatching(/viewer token may only look/)]);
      const direct = await running.call(`/maintenance-mode/${path}`, {
        method: 'POST',
        ...panel.authorized(VIEWER_TOKEN),
      });
      expect(direct.status).toBe(403);
    }
    for (const path of ['', 'instances', 'panel/state'])
      expect((await running.call(`/maintenance-mode/${path}`, panel.authorized(VIEWER_TOKEN))).status).toBe(200);
    expect(running.maintenance.status().revision).toBe(0);
    expect((await panel.withCookie(cookie, 'session/end', 'POST')).status).toBe(200);
    expect((await panel.withCookie(cookie, 'panel/state')).status).toBe(401);
  });

  describe('limits', () => {
    it('the wrong tokens of an address, and admits the right token in a header all the same', async () => {
      const clock = new ManualClock('2030-12-01T02:00Z');
      await startWith({ clock });
      for (let tries = 0; tries < 10; tries++) expect((await panel.signIn(`wrong-${tries}`)).status).toBe(401);
      for (const token of ['wrong', ADMIN_TOKEN, VIEWER_TOKEN]) {
        const reply = await panel.signIn(token);
        expect([reply.status, reply.headers['retry-after'], reply.headers['set-cookie']]).toEqual([
          429,
          '600',
          undefined,
        ]);
      }
      expect((await running.call('/maintenance-mode', panel.authorized())).status).toBe(200);
      await clock.moveTo(clock.now() + 600_000);
      expect((await panel.signIn(ADMIN_TOKEN)).status).toBe(200);
    });

    it('the wrong tokens of all addresses together', async () => {
      await startWith(trustProxy);
      const signInFrom = async (ip: string): Promise<number> =>
        (await panel.signIn('wrong', { 'x-forwarded-for': ip })).status;
      for (let host = 1; host <= 100; host++) expect(await signInFrom(`203.0.113.${host}`)).toBe(401);
      expect(await signInFrom('198.51.100.1')).toBe(429);
      expect((await running.call('/maintenance-mode', panel.authorized())).status).toBe(200);
    });

    it('wrong tokens in headers, which keep no operator from signing in', async () => {
      await startWith();
      const status = async (): Promise<number> =>
        (await running.call('/maintenance-mode', panel.authorized('wrong-token-of-16-characters'))).status;
      for (let tries = 0; tries < 10; tries++) expect(await status()).toBe(401);
      expect(await status()).toBe(429);
      expect((await panel.signIn(ADMIN_TOKEN)).status).toBe(200);
    });
  });

  describe('attacks', () => {
    it('from a page of another origin fail, with the cookie and without', async () => {
      await startWith();
      const cookie = await panel.cookie();
      const foreign: Record<string, string>[] = [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site', origin: 'https://blog.shop.example' },
      ];
      for (const headers of foreign) {
        const post = (path: string): Promise<{ status: number }> =>
          running.call(`/maintenance-mode/${path}`, { method: 'POST', headers: { ...headers, cookie } });
        for (const path of ['on', 'off', 'session', 'session/end', 'panel/preview'])
          expect([headers, path, (await post(path)).status]).toEqual([headers, path, 403]);
        for (const path of ['', 'instances', 'panel/state', 'panel/events']) {
          const reply = await running.call(`/maintenance-mode/${path}`, { headers: { ...headers, cookie } });
          expect([headers, path, reply.status]).toEqual([headers, path, 401]);
        }
      }
      expect((await panel.withCookie(cookie, 'panel/state')).json()).toMatchObject({ status: { revision: 0 } });
    });

    it('fail where the origin of a proxy is trusted that changes the host', async () => {
      await startWith({ extras: { admin: { panel: true, trustedOrigins: ['https://OPS.example.com:443'] } } });
      const from = async (origin: string): Promise<number> => {
        const headers = {
          cookie: await panel.cookie(),
          origin,
          'sec-fetch-site': 'same-origin',
          host: 'internal:3000',
        };
        return (await running.call('/maintenance-mode/on', { method: 'POST', headers })).status;
      };
      expect(await from('https://ops.example.com')).toBe(200);
      for (const origin of ['https://ops.example.com.evil.example', 'http://ops.example.com', 'https://example.com'])
        expect([origin, await from(origin)]).toEqual([origin, 403]);
    });

    it('by the body of a sign-in fail, without an echo of the token', async () => {
      await startWith();
      const send = (body: string, type = 'application/json') =>
        running.call('/maintenance-mode/session', { method: 'POST', headers: { 'content-type': type }, body });
      const secret = `{"token":"${ADMIN_TOKEN}"`;
      const bodies: [string, number, string?][] = [
        [`${secret},"admin":true}`, 400],
        [`${secret},"name":"Ann\\r\\nSet-Cookie: a=b"}`, 400],
        [`${secret},"name":"${'x'.repeat(65)}"}`, 400],
        [`${secret},"name":{"toString":1}}`, 400],
        [`${secret},"__proto__":{"access":"change"}}`, 400],
        [`${secret},"constructor":{"prototype":{}}}`, 400],
        ['{"token":["a"]}', 400],
        ['{"token":{}}', 400],
        ['{"token":""}', 400],
        ['{}', 400],
        ['[]', 400],
        ['{', 400],
        [`{"token":"${'x'.repeat(5_000)}"}`, 400],
        [`{"token":"${'x'.repeat(2_000_000)}"}`, 413],
        [`token=${ADMIN_TOKEN}`, 415, 'application/x-www-form-urlencoded'],
        [`${secret}}`, 415, 'text/plain'],
      ];
      for (const [body, status, type] of bodies) {
        const reply = await send(body, type);
        expect([body.slice(0, 80), reply.status]).toEqual([body.slice(0, 80), status]);
        expect(reply.text).not.toContain(ADMIN_TOKEN);
        expect(reply.headers['set-cookie']).toBeUndefined();
      }
      expect(({} as { access?: unknown }).access).toBeUndefined();
      expect((await send(`${secret}}`)).status).toBe(200);
    });

    it('by members of bodies that objects inherit fail', async () => {
      await startWith();
      for (const path of ['on', 'off', 'panel/preview'])
        for (const member of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
          const body = `{"${member}":{"scope":"a"}}`;
          const headers = { ...panel.authorized().headers, 'content-type': 'application/json' };
          const reply = await running.call(`/maintenance-mode/${path}`, { method: 'POST', headers, body });
          expect([path, member, reply.status]).toEqual([path, member, 400]);
        }
      expect(running.maintenance.status().revision).toBe(0);
    });

    it('by markup in messages, scopes and names change no page', async () => {
      await startWith();
      const markup = '</script><script>alert(1)</script><img src=x onerror=alert(1)>';
      const cookie = await panel.cookie(ADMIN_TOKEN, markup.slice(0, 60));
      await panel.post('on', { message: markup, scope: markup, createdBy: markup });
      await panel.withCookie(cookie, 'on', 'POST');
      const document = await running.call('/maintenance-mode/panel');
      expect(document.text).not.toContain('alert(1)');
      const { html } = (await panel.post('panel/preview', { message: markup })).json<{ html: string }>();
      expect(html).not.toContain('<img src=x');
      const state = await panel.withCookie(cookie, 'panel/state');
      expect(state.headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
      expect(state.headers['content-type']).toMatch(/^application\/json/);
      expect(state.json()).toMatchObject({
        history: [{ by: markup.slice(0, 60) }, { windows: [{ message: markup }] }],
      });
    });
  });

  it('keeps tokens and cookies out of the log', async () => {
    const lines: unknown[] = [];
    const write = (...line: unknown[]): void => void lines.push(...line);
    const logger = { log: write, error: write, warn: write, debug: write, verbose: write, fatal: write };
    await startWith({ create: { logger } });
    const cookie = await panel.cookie();
    await panel.withCookie(cookie, 'on', 'POST');
    for (let tries = 0; tries < 12; tries++) await panel.signIn(`${ADMIN_TOKEN}-${tries}`);
    await panel.withCookie(cookie, 'session/end', 'POST');
    await running.app.close();
    const text = lines.map(String).join('\n');
    expect(text).toContain('Maintenance');
    for (const secret of [ADMIN_TOKEN, cookie.split('=')[1]!]) expect(text).not.toContain(secret);
  });
});
