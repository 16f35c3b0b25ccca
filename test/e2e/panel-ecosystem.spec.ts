import helmet from '@fastify/helmet';
import { ValidationPipe, type INestApplication } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import expressHelmet from 'helmet';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { ADMIN_TOKEN, createPanelClient, type PanelClient } from './panel-client.js';

declare const NEST_MAJOR: string;

describe.each(ADAPTERS)('the panel beside other packages (%s)', (adapter) => {
  let running: Running;
  let panel: PanelClient;
  const startWith = async (setup: Setup = {}): Promise<void> => {
    running = await start(adapter, {
      ...setup,
      options: { adminToken: ADMIN_TOKEN },
      extras: { admin: { panel: true }, ...setup.extras },
    });
    panel = createPanelClient(running);
  };
  afterEach(() => running.close());

  /** Does what an operator does in the panel. */
  const operate = async (): Promise<void> => {
    const document = await running.call('/maintenance-mode/panel');
    expect(document.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(document.headers['content-security-policy']).toMatch(/^default-src 'none'/);
    expect(document.headers['x-frame-options']).toBe('DENY');
    const cookie = await panel.cookie(ADMIN_TOKEN, 'Ann');
    const own = { cookie, origin: `http://127.0.0.1:${running.port}`, host: `127.0.0.1:${running.port}` };
    const body = { message: 'Back soon', scope: 'payments', messages: { de: 'Gleich zurück' }, ifRevision: 0 };
    expect((await panel.post('panel/preview', body, own)).json()).toHaveProperty('html');
    expect((await panel.post('on', body, own)).json()).toMatchObject({ windows: { active: [{ scope: 'payments' }] } });
    expect((await panel.withCookie(cookie, 'panel/state')).json()).toMatchObject({ operator: 'Ann' });
    expect((await panel.post('off', { scope: 'payments', ifRevision: 1 }, own)).json()).toMatchObject({
      active: false,
    });
    expect((await panel.withCookie(cookie, 'session/end', 'POST')).json()).toEqual({ everywhere: true });
  };

  it('works with a global ValidationPipe that forbids unknown members', async () => {
    const pipe = new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true });
    await startWith({ main: (app) => void app.useGlobalPipes(pipe) });
    await operate();
  });

  it('works with the default headers of helmet, and keeps its own', async () => {
    const addHelmet = async (app: INestApplication): Promise<void> => {
      if (adapter === 'express') app.use(expressHelmet());
      else await (app as unknown as { register: (plugin: unknown) => Promise<void> }).register(helmet);
    };
    await startWith({ main: addHelmet });
    await operate();
  });

  if (NEST_MAJOR === '12') {
    it('works with @nestjs/throttler, which the decorators of the endpoints may skip', async () => {
      const { SkipThrottle, ThrottlerGuard, ThrottlerModule } = await import('@nestjs/throttler');
      const throttled: Setup = {
        imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 3 }])],
        providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
      };
      await startWith(throttled);
      const read = (): Promise<number> =>
        running.call('/maintenance-mode/panel/state', panel.authorized()).then((reply) => reply.status);
      expect([await read(), await read(), await read(), await read()]).toEqual([200, 200, 200, 429]);
      await running.close();
      await startWith({ ...throttled, extras: { admin: { panel: true, decorators: [SkipThrottle()] } } });
      await operate();
    });

    it('works with the CSRF protection and the security headers of Nest', async () => {
      const secure = (app: INestApplication): void => {
        const secured = app as INestApplication & { useSecurityHeaders(): void; enableCsrfProtection(): void };
        secured.useSecurityHeaders();
        secured.enableCsrfProtection();
      };
      await startWith({ main: secure });
      await operate();
    });
  }
});
