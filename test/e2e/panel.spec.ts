import { createHash } from 'node:crypto';
import { Controller, Get, SetMetadata, UnauthorizedException, VersioningType } from '@nestjs/common';
import type { CanActivate, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { MaintenanceScope } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { map } from 'rxjs';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import type { Call, Reply } from './client.js';
import { ADMIN_TOKEN, createPanelClient, VIEWER_TOKEN, type PanelClient, type State } from './panel-client.js';

@Controller('shop')
class ShopController {
  @MaintenanceScope('payments')
  @Get('pay')
  pay(): string {
    return 'paid';
  }

  @Get()
  shop(): string {
    return 'open';
  }
}

describe.each(ADAPTERS)('the panel (%s)', (adapter) => {
  let running: Running;
  let panel: PanelClient;
  const startWith = async (setup: Setup = {}): Promise<Running> => {
    running = await start(adapter, {
      controllers: [ShopController],
      ...setup,
      options: { adminToken: ADMIN_TOKEN, viewerToken: VIEWER_TOKEN, ...setup.options },
      extras: { admin: { panel: true }, ...setup.extras },
    });
    panel = createPanelClient(running);
    return running;
  };
  afterEach(() => running.close());

  describe('document', () => {
    it('is served without a token, and may be neither framed, stored nor indexed', async () => {
      await startWith();
      const reply = await running.call('/maintenance-mode/panel');
      expect(reply.status).toBe(200);
      expect(reply.headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'x-frame-options': 'DENY',
        'x-content-type-options': 'nosniff',
        'x-robots-tag': 'noindex',
      });
      expect(reply.text).toContain('<meta name="robots" content="noindex">');
      const policy = String(reply.headers['content-security-policy']).split('; ');
      expect(policy).toEqual(
        expect.arrayContaining([
          "default-src 'none'",
          "base-uri 'none'",
          "form-action 'self'",
          "frame-ancestors 'none'",
        ]),
      );
      expect(policy.join()).not.toContain('unsafe');
    });

    it('contains only scripts and styles that its policy names, and URLs of no other origin', async () => {
      await startWith();
      const { text, headers } = await running.call('/maintenance-mode/panel');
      const policy = String(headers['content-security-policy']);
      const inline = [...text.matchAll(/<(style|script)([^>]*)>([^]*?)<\/\1>/g)];
      expect(inline).toHaveLength(3);
      for (const [, , attributes, content] of inline) {
        if (attributes!.includes('application/json')) continue;
        expect(policy).toContain(`'sha256-${createHash('sha256').update(content!).digest('base64')}'`);
      }
      expect(text).not.toMatch(/(?:src|href)="(?!data:)/);
      expect(text).not.toContain(ADMIN_TOKEN);
    });

    it('is configured with the path of the endpoints, relative to its own', async () => {
      await startWith();
      const read = async (path: string): Promise<unknown> => {
        const { text } = await running.call(path);
        return JSON.parse(/id="panel-config">(.*?)<\/script>/.exec(text)![1]!);
      };
      expect(await read('/maintenance-mode/panel')).toEqual({ base: './', signIn: 'token' });
      expect(await read('/maintenance-mode/panel?from=mail')).toEqual({ base: './', signIn: 'token' });
      expect(await read('/maintenance-mode/panel/')).toEqual({ base: '../', signIn: 'token' });
    });

    it('is reachable in every window, forced maintenance included', async () => {
      await startWith({ options: { enabled: true } });
      expect((await running.call('/shop')).status).toBe(503);
      expect((await running.call('/maintenance-mode/panel')).status).toBe(200);
      expect(await panel.state()).toMatchObject({ forcedBy: 'enabled', status: { source: 'configuration' } });
      expect((await panel.post('on')).status).toBe(409);
    });

    it('follows the path, the global prefix with exclusions and versions', async () => {
      await startWith({
        extras: { admin: { panel: true, path: 'ops/switch' } },
        main: (app) => {
          app.setGlobalPrefix('api', { exclude: ['ops/switch/{*rest}', 'ops/switch'] });
          app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
        },
      });
      expect((await running.call('/ops/switch/panel')).status).toBe(200);
      expect((await running.call('/ops/switch/panel/state')).status).toBe(401);
    });

    it('is not served unless it is asked for', async () => {
      await startWith({ extras: { admin: true } });
      for (const path of ['panel', 'panel/state', 'panel/events'])
        expect((await running.call(`/maintenance-mode/${path}`, panel.authorized())).status).toBe(404);
      expect((await panel.signIn(ADMIN_TOKEN)).status).toBe(404);
    });
  });

  describe('with guards of the application', () => {
    class StaffGuard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: object }>();
        if (request.headers['x-user'] === undefined) throw new UnauthorizedException();
        request.user = { username: request.headers['x-user'] };
        return true;
      }
    }
    const guarded: Setup = {
      options: { adminToken: undefined, viewerToken: undefined },
      extras: { admin: { panel: true, guards: [StaffGuard] } },
    };
    const asAnn: Call = { headers: { 'x-user': 'ann' } };

    it('protects the document too, and has no sign-in', async () => {
      await startWith(guarded);
      expect((await running.call('/maintenance-mode/panel')).status).toBe(401);
      expect((await running.call('/maintenance-mode/panel', asAnn)).text).toContain('"signIn":"guards"');
      expect((await running.call('/maintenance-mode/panel/state', asAnn)).json()).toMatchObject({
        access: 'change',
        signIn: 'guards',
        operator: 'ann',
        sessionEndsAt: null,
      });
      const body = JSON.stringify({ token: ADMIN_TOKEN });
      const headers = { ...asAnn.headers, 'content-type': 'application/json' };
      expect((await running.call('/maintenance-mode/session', { method: 'POST', headers, body })).status).toBe(404);
    });

    it('asks both, the guard and the token, if both are set', async () => {
      await startWith({ extras: guarded.extras });
      expect((await running.call('/maintenance-mode/panel')).status).toBe(401);
      expect((await running.call('/maintenance-mode/panel', asAnn)).status).toBe(200);
      expect((await running.call('/maintenance-mode/panel/state', asAnn)).status).toBe(401);
      expect((await running.call('/maintenance-mode/panel/state', panel.authorized())).status).toBe(401);
      const both = { headers: { ...asAnn.headers, 'maintenance-token': ADMIN_TOKEN } };
      expect((await running.call('/maintenance-mode/panel/state', both)).status).toBe(200);
    });

    it('admits by the decorator of a global guard', async () => {
      const IsPublic = SetMetadata('public', true);
      const guard = {
        canActivate: (context: ExecutionContext) => Boolean(Reflect.getMetadata('public', context.getClass())),
      };
      await startWith({
        extras: { admin: { panel: true, decorators: [IsPublic] } },
        main: (app) => void app.useGlobalGuards(guard),
      });
      expect((await running.call('/shop')).status).toBe(403);
      expect((await running.call('/maintenance-mode/panel')).status).toBe(200);
      const cookie = await panel.cookie();
      expect((await running.call('/maintenance-mode/panel/state', { headers: { cookie } })).status).toBe(200);
    });
  });

  describe('state', () => {
    it('tells what an operator needs', async () => {
      await startWith({ options: { application: 'shop' } });
      await panel.post('on', { message: 'Back soon', scope: 'payments' });
      const state = await panel.state();
      expect(state).toMatchObject({
        status: { active: true, revision: 1, windows: { active: [{ scope: 'payments', message: 'Back soon' }] } },
        history: [{ revision: 1, action: 'on', by: 'token', via: 'http' }],
        access: 'change',
        operator: 'token',
        signIn: 'token',
        sessionEndsAt: null,
        application: { name: 'shop', environment: 'test' },
        scopes: ['payments'],
        callerAddress: '127.0.0.1',
        forcedBy: null,
        onStorageFailure: 'last-known',
        occurrences: {},
      });
      expect(state.fleet.instances).toMatchObject([{ application: 'shop', pid: process.pid }]);
      expect(state.fleet.drain).toMatchObject({ drained: expect.any(Boolean) as boolean });
    });

    it('tells of an instance that is gone only in the window in which it was there', async () => {
      const storage = new MemoryStateStorage();
      await startWith({ options: { storage } });
      const readFleet = async (): Promise<State['fleet']> => (await panel.state()).fleet;
      await until('this instance has reported', async () => (await storage.reports()).length === 1);
      const [own] = await storage.reports();
      await storage.report({ ...own!, id: 'f0000000', host: 'shop-2', machine: 'another' });
      await panel.post('on');
      await until('both instances are listed', async () => (await readFleet()).instances.length === 2);
      const reports = storage.reports.bind(storage);
      let reads = 0;
      storage.reports = async () => {
        reads++;
        return (await reports()).filter(({ id }) => id !== 'f0000000');
      };
      await until('the reports are read again', async () => (await readFleet()).drain !== null && reads > 0);
      await panel.post('off');
      await panel.post('on');
      await until('this instance is drained', async () => (await readFleet()).drain?.drained === true);
    });

    it('tells which windows have a bypass, and nothing of its secrets', async () => {
      await startWith();
      const { bypass } = (await panel.post('on', { bypass: true })).json<{ bypass: { token: string } }>();
      await panel.post('on', { scope: 'payments' });
      const state = await panel.state();
      const [id] = state.status.windows.active.filter(({ scope }) => scope === '*').map((window) => window.id);
      expect(state).toMatchObject({ bypassWindows: [id] });
      expect(JSON.stringify(state)).not.toMatch(new RegExp(`"(?:hash|key)"|${bypass.token}`));
    });

    it('lists the next occurrences of a window that recurs', async () => {
      await startWith();
      await panel.post('on', { recurrence: { cron: '0 3 * * *', duration: 60_000 } });
      const { occurrences, status } = await panel.state();
      const { id } = status.windows.planned[0]!;
      const starts = occurrences[id]!.map(({ startsAt }) => startsAt);
      expect(starts).toHaveLength(5);
      expect(starts.every((start) => start.endsWith('T03:00:00.000Z'))).toBe(true);
      expect([...starts].sort()).toEqual(starts);
    });

    it.each([
      ['x-forwarded-for', '203.0.113.9'],
      ['forwarded', 'for=203.0.113.9'],
      ['x-real-ip', '203.0.113.9'],
      ['via', '1.1 cache'],
      ['x-forwarded-proto', 'https'],
    ])('names the address of no proxy as that of the caller, as shown by %s', async (name, value) => {
      await startWith();
      expect((await panel.state({ [name]: value })).callerAddress).toBeNull();
      expect((await panel.post('on', { allowMe: true }, { [name]: value })).status).toBe(400);
    });

    it('says why the instances are unknown where the storage keeps no reports', async () => {
      class SilentStorage extends MemoryStateStorage {}
      Object.assign(SilentStorage.prototype, { report: undefined, reports: undefined });
      await startWith({ options: { storage: new SilentStorage() } });
      const { fleet } = await panel.state();
      expect(fleet).toEqual({ instances: [], drain: null, error: expect.stringContaining('report') as string });
    });

    it('is the same object where a global interceptor wraps the results of handlers', async () => {
      const wrap: NestInterceptor = { intercept: (_context, next) => next.handle().pipe(map((data) => ({ data }))) };
      await startWith({ main: (app) => void app.useGlobalInterceptors(wrap) });
      expect((await running.call('/shop')).json()).toEqual({ data: 'open' });
      expect(await panel.state()).toMatchObject({ access: 'change' });
      expect((await running.call('/maintenance-mode/panel')).text).toMatch(/^<!doctype html>/);
    });
  });

  describe('preview', () => {
    const preview = async (body: object, headers: Record<string, string> = {}): Promise<Reply> =>
      panel.post('panel/preview', body, headers);

    it('returns the page and the problem document that clients would get, and changes nothing', async () => {
      await startWith();
      const body = { message: 'Back <b>soon</b>', endsAt: new Date(Date.now() + 600_000).toISOString() };
      const reply = await preview({ ...body, allowMe: true, bypass: true, ifRevision: 0 });
      expect(reply.status).toBe(200);
      const { html, json } = reply.json<{ html: string; json: Record<string, unknown> }>();
      expect(html).toContain('Back &lt;b&gt;soon&lt;/b&gt;');
      expect(running.maintenance.status()).toMatchObject({ active: false, revision: 0 });

      await panel.post('on', body);
      const refused = await running.call('/shop');
      const { startsAt: _startsAt, retryAfter: _retryAfter, ...expected } = refused.json();
      expect(json).toMatchObject(expected);
      expect(json.statusCode).toBe(503);
    });

    it('is in the language of the operator', async () => {
      await startWith();
      const reply = await preview({}, { 'accept-language': 'de' });
      expect(reply.json<{ html: string }>().html).toContain('<html lang="de"');
    });

    it('names the occurrences and the windows that overlap', async () => {
      await startWith();
      const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
      const startsAt = `${tomorrow}T03:30:00.000Z`;
      await panel.post('on', { startsAt, endsAt: `${tomorrow}T05:00:00.000Z`, message: 'planned' });
      await panel.post('on', { scope: 'search', startsAt: `${tomorrow}T12:00:00.000Z` });
      const reply = await preview({ scope: 'payments', recurrence: { cron: '0 3 * * *', duration: 3_600_000 } });
      const { occurrences, overlaps } = reply.json<{ occurrences: object[]; overlaps: object[] }>();
      expect(occurrences).toHaveLength(5);
      expect(overlaps).toMatchObject([{ startsAt, message: 'planned' }]);
    });

    it('answers with the reason for a window that could not start', async () => {
      await startWith();
      const reply = await preview({ endsAt: 'soon' });
      expect([reply.status, reply.json().message]).toEqual([400, expect.stringContaining('endsAt')]);
    });
  });

  describe('a bypass', () => {
    it('is answered once, and is nowhere else', async () => {
      const { stateFile } = await startWith();
      const reply = await panel.post('on', { bypass: true });
      const { bypass } = reply.json<{ bypass: { token: string; header: string; parameter: string } }>();
      expect(bypass).toMatchObject({ header: 'x-maintenance-bypass', parameter: 'maintenance_bypass' });
      expect((await running.call('/shop')).status).toBe(503);
      expect((await running.call('/shop', { headers: { [bypass.header]: bypass.token } })).status).toBe(200);
      const { readFileSync } = await import('node:fs');
      const everything = JSON.stringify(await panel.state()) + readFileSync(stateFile, 'utf8');
      expect(everything).not.toContain(bypass.token);
      expect((await panel.post('on', { message: 'x' })).json()).not.toHaveProperty('bypass');
      expect((await panel.post('on', { bypass: 'yes' })).status).toBe(400);
    });
  });

  describe('ifRevision', () => {
    it('refuses a change of a state that has been changed since, and says by whom', async () => {
      await startWith();
      const first = await panel.post('on', { message: 'one', ifRevision: 0 });
      expect(first.json()).toMatchObject({ revision: 1 });
      for (const [path, body] of [
        ['on', { message: 'two', ifRevision: 0 }],
        ['off', { ifRevision: 0 }],
      ] as const) {
        const reply = await panel.post(path, body);
        expect(reply.status).toBe(409);
        expect(reply.json()).toMatchObject({
          statusCode: 409,
          code: 'conflict',
          revision: 1,
          changes: [{ revision: 1, action: 'on', by: 'token' }],
        });
      }
      expect(running.maintenance.status()).toMatchObject({ revision: 1, windows: { active: [{ message: 'one' }] } });
      expect((await panel.post('off', { ifRevision: 1 })).json()).toMatchObject({ active: false, revision: 2 });
      expect((await panel.post('off', { ifRevision: -1 })).status).toBe(400);
    });

    it('admits one of two changes that have seen the same revision', async () => {
      await startWith();
      const replies = await Promise.all(['a', 'b'].map((message) => panel.post('on', { message, ifRevision: 0 })));
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 409]);
      expect(running.maintenance.status().revision).toBe(1);
    });

    it('is part of the service', async () => {
      await startWith();
      const { maintenance } = running;
      await expect(maintenance.enable({ ifRevision: 3 })).rejects.toMatchObject({ code: 'conflict' });
      await expect(maintenance.disable({ ifRevision: 3 })).rejects.toMatchObject({ code: 'conflict' });
      expect((await maintenance.enable({ ifRevision: 0 })).revision).toBe(1);
      expect((await maintenance.disable({ ifRevision: 1 })).revision).toBe(2);
    });
  });
});
