import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, UnauthorizedException, UseGuards, type CanActivate } from '@nestjs/common';
import { ServeStaticModule } from '@nestjs/serve-static';
import { ForceMaintenance, type MaintenanceModuleOptions } from 'nestjs-maintenance';
import { run } from '../cli/program.js';
import { ADAPTERS, start, type Running } from './application.js';
import type { Reply } from './client.js';

const COOKIE = '__Host-maintenance-bypass';

class AuthGuard implements CanActivate {
  canActivate(): boolean {
    throw new UnauthorizedException();
  }
}

@Controller()
class ShopController {
  @Get('shop')
  shop(): string {
    return 'shop';
  }

  @UseGuards(AuthGuard)
  @Get('account')
  account(): string {
    return 'account';
  }

  @ForceMaintenance()
  @Get('closed')
  closed(): string {
    return 'closed';
  }
}

/** Paths of links that try to redirect to another site. */
const TARGETS = [
  ...[
    '//evil.example',
    '//evil.example/',
    '///evil.example',
    '////evil.example',
    '/\\evil.example',
    '\\\\evil.example',
  ],
  ...[
    '/\\/evil.example',
    '\\/evil.example',
    '/%2f%2fevil.example',
    '/%2fevil.example',
    '/%5cevil.example',
    '/%5c%5cevil.example',
  ],
  ...[
    '/.//evil.example',
    '/..//evil.example',
    '/./evil.example',
    '/%2e%2e//evil.example',
    '/;//evil.example',
    '/;@evil.example',
  ],
  ...[
    '//evil.example%2f..',
    '//evil.example/%2e%2e',
    '//[::1]',
    '//127.0.0.1',
    '//user@evil.example',
    '//evil.example:80',
  ],
  ...['http://evil.example', 'http://evil.example/', 'https://evil.example', 'http:evil.example', 'http:/evil.example'],
  ...[
    'https:evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    '/%09/evil.example',
    '/%0d%0aLocation:%20//evil.example',
  ],
  ...[
    '/%00/evil.example',
    '/shop/..//evil.example',
    '/shop//evil.example',
    '/shop/%2e%2e/%2fevil.example',
    '//%65vil.example',
  ],
  ...[
    '/%E3%80%82evil.example',
    '//evil%E3%80%82example',
    '/?next=//evil.example',
    '/shop?a=//evil.example&b=http://evil.example',
  ],
  ...['/shop?//evil.example', '/shop?\\\\evil.example'],
];

describe.each(ADAPTERS)('bypass (%s)', (adapter) => {
  let running: Running;
  let folder: string;
  let token: string;
  /** The id of a window that no test has changed. */
  let unchangedWindowId = '';

  async function startWith(options: MaintenanceModuleOptions = {}): Promise<void> {
    running = await start(adapter, {
      options: { adminToken: 'the-token-of-the-test', ...options },
      extras: { admin: true },
      imports: [
        ServeStaticModule.forRoot({ rootPath: folder, serveRoot: '/assets', serveStaticOptions: { index: false } }),
      ],
      controllers: [ShopController],
    });
  }

  /** Turns maintenance on with a bypass by the command line; returns the token. */
  async function enableWithBypass(...args: string[]): Promise<string> {
    const ended = await run(['on', '--bypass', '--json', '--storage', `file:${running.stateFile}`, ...args], {
      cwd: folder,
    });
    expect(ended.code).toBe(0);
    const { bypass } = JSON.parse(ended.stdout) as { bypass: { token: string; link: string } };
    expect(bypass.link).toBe(`/?maintenance_bypass=${bypass.token}`);
    await running.maintenance.refresh();
    expect((await running.call('/shop')).status).toBe(503);
    return bypass.token;
  }

  const redeem = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> =>
    running.call(`${path}${path.includes('?') ? '&' : '?'}maintenance_bypass=${token}`, { method, headers });
  const getCookie = (reply: Reply): string => reply.headers['set-cookie']![0]!.split(';')[0]!;
  const statusWith = async (headers: Record<string, string>, path = '/shop'): Promise<number> =>
    (await running.call(path, { headers })).status;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bypass-'));
    writeFileSync(join(folder, 'logo.txt'), 'logo');
    await startWith();
  });
  // The command line is slow: the window is only recreated if a test has changed it.
  beforeEach(async () => {
    const { active } = running.maintenance.status().windows;
    if (active.length === 1 && active[0]!.id === unchangedWindowId) return;
    await running.maintenance.disable({ all: true });
    token = await enableWithBypass();
    unchangedWindowId = running.maintenance.status().windows.active[0]!.id;
  });
  afterAll(async () => {
    await running.close();
    rmSync(folder, { recursive: true });
  });

  it('sets a cookie and redirects without the token when the link is opened', async () => {
    const reply = await redeem('/shop?a=1&b=%2F', { referer: 'http://elsewhere/' });
    expect(reply).toMatchObject({
      status: 303,
      text: '',
      headers: { location: '/shop?a=1&b=%2F', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
    });
    const [cookie] = reply.headers['set-cookie']!;
    expect(cookie).toMatch(
      /^__Host-maintenance-bypass=v1\.[\w-]+\.\d+\.\d+\.[\w-]{43}; Max-Age=43\d{3}; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect(JSON.stringify(reply.headers)).not.toContain(token);
    const headers = { cookie: getCookie(reply) };
    for (const [path, status] of [
      ['/shop', 200],
      ['/nothing', 404],
      ['/assets/logo.txt', 200],
      ['/account', 401],
      ['/closed', 503],
      ['/maintenance-mode', 401],
    ] as const) {
      expect([path, await statusWith(headers, path)]).toEqual([path, status]);
    }
    expect((await running.call('/shop', { headers })).headers['cache-control']).toBe('private, no-store');
    expect(await statusWith({})).toBe(503);
  });

  it('accepts the token in the X-Maintenance-Bypass header', async () => {
    expect(await statusWith({ 'x-maintenance-bypass': token })).toBe(200);
    expect(await statusWith({ 'x-maintenance-bypass': token }, '/account')).toBe(401);
    expect(await statusWith({ 'x-maintenance-bypass': `${token}x` })).toBe(503);
  });

  it('is invalid after its window and in other windows', async () => {
    unchangedWindowId = '';
    const headers = { cookie: getCookie(await redeem('/')) };
    expect(await statusWith(headers)).toBe(200);
    const earlier = token;
    await running.maintenance.disable();
    token = await enableWithBypass();
    expect(await statusWith(headers)).toBe(503);
    expect(await statusWith({ 'x-maintenance-bypass': earlier })).toBe(503);
    await running.maintenance.disable();
    await running.maintenance.enable();
    expect(await statusWith({ cookie: getCookie({ headers: { 'set-cookie': [headers.cookie] } } as never) })).toBe(503);
    expect((await redeem('/shop')).status).toBe(503);
  });

  it('is invalidated by a new bypass for the window, not by other changes', async () => {
    unchangedWindowId = '';
    const headers = { cookie: getCookie(await redeem('/')) };
    await running.maintenance.enable({ message: 'Takes longer' });
    expect(await statusWith(headers)).toBe(200);
    const id = running.maintenance.status().windows.active[0]!.id;
    const later = await enableWithBypass();
    expect(running.maintenance.status().windows.active.map((window) => window.id)).toEqual([id]);
    expect(await statusWith(headers)).toBe(503);
    expect(await statusWith({ 'x-maintenance-bypass': later })).toBe(200);
  });

  it('of a scope does not cover all scopes', async () => {
    await running.maintenance.disable();
    const run1 = await run(
      ['on', '--scope', 'payments', '--bypass', '--json', '--storage', `file:${running.stateFile}`],
      {
        cwd: folder,
      },
    );
    const { bypass } = JSON.parse(run1.stdout) as { bypass: { token: string } };
    await running.maintenance.enable();
    expect(await statusWith({ 'x-maintenance-bypass': bypass.token })).toBe(503);
  });

  it.each([
    ['HEAD', {}, 'HEAD'],
    ['POST', {}, 'POST'],
    ['a prefetch', { 'sec-purpose': 'prefetch' }, 'GET'],
    ['a prerender request', { 'sec-purpose': 'prefetch;prerender' }, 'GET'],
    ['a prefetch of older browsers', { purpose: 'prefetch' }, 'GET'],
    ['a preview', { 'x-purpose': 'preview' }, 'GET'],
  ] as [string, Record<string, string>, string][])('is not redeemed by %s', async (_title, headers, method) => {
    const reply = await redeem('/shop', headers, method);
    expect(reply.status).toBe(503);
    expect(reply.headers['set-cookie']).toBeUndefined();
  });

  it.each([
    ['wrong', (right: string) => `maintenance_bypass=${right.slice(0, -1)}${right.endsWith('A') ? 'B' : 'A'}`],
    ['empty', () => 'maintenance_bypass='],
    ['missing', () => 'maintenance_bypass'],
    ['given twice', (right: string) => `maintenance_bypass=${right}&maintenance_bypass=${right}`],
    ['given as a list', (right: string) => `maintenance_bypass[]=${right}`],
    ['given as an object', (right: string) => `maintenance_bypass[a]=${right}`],
    ['spelled differently', (right: string) => `Maintenance_Bypass=${right}`],
    ['escaped', (right: string) => `maintenance%5Fbypass=${right}`],
    ['followed by more', (right: string) => `maintenance_bypass=${right}%20`],
  ])('returns the usual refusal, byte for byte, if the token is %s', async (_title, query) => {
    for (const accept of ['text/html', 'application/json']) {
      const [ordinary, wrong] = [
        await running.call('/shop?x=y', { headers: { accept } }),
        await running.call(`/shop?${query(token)}`, { headers: { accept } }),
      ];
      const comparable = ({ status, headers, text }: Reply): object => {
        const { date: _date, ...rest } = headers;
        return { status, headers: rest, text: text.replace(/"retryAfter":\d+/, '') };
      };
      expect(comparable(wrong)).toEqual(comparable(ordinary));
    }
  });

  it('is tested against at least 40 redirect targets', () => {
    expect(new Set(TARGETS).size).toBeGreaterThanOrEqual(40);
  });

  it.each(TARGETS)('never redirects to another site: %s', async (target) => {
    const reply = await redeem(target);
    // Node's HTTP parser rejects this request target.
    if (reply.status === 400) return;
    expect(reply.status).toBe(303);
    const { location } = reply.headers;
    const origin = 'https://shop.example';
    expect(new URL(location!, `${origin}/shop`).origin).toBe(origin);
    expect(location).toMatch(/^\/(?![/\\])/);
    expect(location).not.toContain(token);
    expect(location).not.toMatch(/[\r\n]/);
  });

  it('works over plain HTTP with a cookie name without the __Host- prefix', async () => {
    await running.close();
    await startWith({ bypass: { cookieName: 'maintenance-bypass' } });
    token = await enableWithBypass();
    const reply = await redeem('/shop');
    expect(reply.headers['set-cookie']![0]).toMatch(
      /^maintenance-bypass=v1\.[^;]+; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    expect(await statusWith({ cookie: getCookie(reply) })).toBe(200);
    expect(await statusWith({ cookie: getCookie(reply).replace('maintenance-bypass', COOKIE) })).toBe(503);
  });

  it('exposes no secret in status and history', async () => {
    const { stdout } = await run(['status', '--history', '--json', '--storage', `file:${running.stateFile}`], {
      cwd: folder,
    });
    const shown = stdout + JSON.stringify(running.maintenance.status());
    expect(shown).not.toContain(token);
    expect(shown).not.toMatch(/"(?:hash|key|bypass)"/);
  });
});

it('rejects an invalid bypass.cookieName at startup', async () => {
  await expect(start('express', { options: { bypass: { cookieName: 'a b' } } })).rejects.toThrow(
    /option `bypass\.cookieName` must be a name such as "maintenance-bypass"/,
  );
});
