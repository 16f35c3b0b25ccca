import { mkdirSync, readFileSync } from 'node:fs';
import { Injectable, Module, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { MaintenanceState } from 'nestjs-maintenance';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import type { Call, Reply } from './client.js';
import { CatsController } from './controllers.js';

const TOKEN = 'a-token-of-24-characters';
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };
const controllers = [CatsController];

@Injectable()
class Accounts {
  findName(header: string | undefined): string | undefined {
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
    const username = this.accounts.findName(request.headers['x-user']);
    if (!username) throw new UnauthorizedException();
    request.user = { username };
    return true;
  }
}

function readState(file: string): MaintenanceState {
  return JSON.parse(readFileSync(file, 'utf8')) as MaintenanceState;
}

describe.each(ADAPTERS)('admin endpoints (%s)', (adapter) => {
  let running: Running;
  const startWith = async (setup: Setup = {}): Promise<Running> =>
    (running = await start(adapter, { controllers, ...setup }));
  afterEach(() => running.close());

  const admin: Setup = { options: { adminToken: TOKEN }, extras: { admin: true } };
  const startWithAdmin = async (setup: Setup = {}): Promise<Running> =>
    startWith({
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

  it('turn maintenance on and off', async () => {
    const { call, maintenance, stateFile } = await startWithAdmin();
    expect((await call('/maintenance-mode', { headers: AUTHORIZED })).json()).toEqual(maintenance.status());
    const on = await post('on', { message: 'Back soon' });
    expect(on.status).toBe(200);
    expect(on.json()).toMatchObject({
      active: true,
      windows: { active: [{ message: 'Back soon', createdBy: 'token' }] },
    });
    expect(readState(stateFile).history[0]).toMatchObject({ via: 'http', by: 'token' });
    expect((await call('/cats')).status).toBe(503);
    const status = await call('/maintenance-mode', { headers: AUTHORIZED });
    expect(status).toMatchObject({ status: 200, headers: { 'cache-control': 'private, no-store' } });
    expect(JSON.stringify(status.json())).not.toContain(TOKEN);
    expect((await post('off')).json()).toMatchObject({ active: false });
    expect((await call('/cats')).status).toBe(200);
  });

  it('accept a trailing slash, no body and an empty body with a content type', async () => {
    await startWithAdmin();
    for (const path of ['on', 'on/', 'off', 'off/']) {
      expect((await post(path)).status).toBe(200);
      expect((await post(path, undefined, { 'content-type': 'application/json' })).status).toBe(200);
      expect((await post(path, {})).status).toBe(200);
    }
    expect((await running.call('/maintenance-mode/', { headers: AUTHORIZED })).status).toBe(200);
    expect((await post('off/anything')).status).toBe(404);
  });

  const INVALID_REQUESTS: [string, number, string, Call][] = [
    ['no token', 401, 'on', { method: 'POST' }],
    ['a wrong token', 401, 'on', { method: 'POST', headers: { authorization: 'Bearer wrong' } }],
    ['another scheme', 401, 'on', { method: 'POST', headers: { authorization: `Basic ${TOKEN}` } }],
    ['a token in the query', 401, `on?token=${TOKEN}`, { method: 'POST' }],
    ['no token to read', 401, '', {}],
    ['a foreign origin', 403, 'on', { method: 'POST', headers: { ...AUTHORIZED, origin: 'https://evil.example' } }],
    ['the null origin', 403, 'on', { method: 'POST', headers: { ...AUTHORIZED, origin: 'null' } }],
    ['a cross-site request', 403, 'on', { method: 'POST', headers: { ...AUTHORIZED, 'sec-fetch-site': 'cross-site' } }],
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
      'an invalid date',
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
      'a value that is nested too deeply',
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
  it('reject unauthorized, cross-origin and invalid requests without changing the state', async () => {
    const { call, maintenance } = await startWithAdmin();
    for (const [name, status, path, request] of INVALID_REQUESTS) {
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

  it('return a hint for an invalid body', async () => {
    await startWithAdmin();
    for (const body of ['{', 'null', '"now"', '[]', '{"endsAt":"soon"}', '{"x":1}']) {
      const reply = await post('on', body);
      const where = `${body}: ${reply.text}`;
      expect([where, reply.status]).toEqual([where, 400]);
      expect([where, reply.json().message]).toEqual([where, expect.stringMatching(/such as|Known are/)]);
    }
    expect(running.maintenance.isActive()).toBe(false);
  });

  it('return 409 if maintenance is forced and 502 if the storage fails', async () => {
    await startWithAdmin({ options: { enabled: false } });
    expect((await post('on')).status).toBe(409);
    await running.close();
    const { stateFile } = await startWithAdmin();
    mkdirSync(stateFile);
    const failed = await post('on');
    expect(failed.status).toBe(502);
    expect(failed.json().message).toContain(stateFile);
  });

  it('run admin.guards and record the user in the history', async () => {
    const { call, stateFile } = await startWithAdmin({
      extras: { admin: { path: 'ops/switch', imports: [AccountsModule], guards: [AdminGuard] } },
      main: (app) => void app.setGlobalPrefix('api'),
    });
    const on = (headers: Record<string, string>): Promise<Reply> =>
      call('/api/ops/switch/on', { method: 'POST', headers });
    expect((await on(AUTHORIZED)).status).toBe(401);
    expect((await on({ 'x-user': 'admin-ann' })).status).toBe(401);
    expect((await on({ ...AUTHORIZED, 'x-user': 'admin-ann' })).status).toBe(200);
    expect(readState(stateFile).history[0]).toMatchObject({ by: 'admin-ann', via: 'http' });
    expect((await on({ ...AUTHORIZED, 'x-user': 'admin-bob' })).status).toBe(200);
    expect((await call('/maintenance-mode', { headers: AUTHORIZED })).status).toBe(503);
  });

  it('reject a body if the application has no body parser', async () => {
    await startWithAdmin({ create: { bodyParser: false } });
    expect((await post('on')).status).toBe(200);
    // Fastify has a JSON parser of its own.
    expect((await post('off', { scope: 'payments' })).status).toBe(adapter === 'express' ? 400 : 200);
    expect(running.maintenance.isActive()).toBe(true);
  });

  if (adapter === 'fastify') {
    it('read an HTTP/2 body without a Content-Length header', async () => {
      await startWithAdmin({ fastify: { http2: true } });
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

  it('are not registered by default', async () => {
    const { call } = await startWith({ options: { adminToken: TOKEN } });
    expect((await call('/maintenance-mode', { headers: AUTHORIZED })).status).toBe(404);
  });
});
