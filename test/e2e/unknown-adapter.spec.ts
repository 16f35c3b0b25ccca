import { tmpdir } from 'node:os';
import { Controller, Get } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { run } from '../cli/program.js';
import { start, type Running } from './application.js';

/** Longer than any test may take: what waits for it fails. */
const LONG = 600_000;

/** Handles requests in a way that the module knows nothing of. */
class UnknownAdapter extends FastifyAdapter {
  override getType(): string {
    return 'unknown';
  }
}

@Controller()
class OrdersController {
  @Get('orders')
  orders(): string {
    return 'orders';
  }
}

describe('an HTTP adapter that is not known', () => {
  let running: Running;

  beforeEach(async () => {
    running = await start('fastify', { server: new UnknownAdapter(), controllers: [OrdersController] });
  });
  afterEach(() => running.close());

  it('refuses what handlers would answer', async () => {
    await running.maintenance.enable();
    expect((await running.call('/orders')).status).toBe(503);
    await running.maintenance.disable();
    expect((await running.call('/orders')).text).toBe('orders');
  });

  it('is never reported as drained, and says at once what it can not count', async () => {
    await running.maintenance.enable();
    const { drained, pending } = await running.maintenance.drained({ timeout: LONG });
    expect(drained).toBe(false);
    expect(pending).toEqual([
      expect.objectContaining({
        reason: 'uncounted',
        instance: expect.objectContaining({
          inFlight: 0,
          uncounted: ['HTTP requests, as the adapter "unknown" is not known'],
        }),
      }),
    ]);
  });

  it('makes `on --wait` end at once with exit code 4 and the reason', async () => {
    const storage = `file:${running.stateFile}`;
    const ended = await run(['on', '--wait', '--timeout', '10m', '--storage', storage], { cwd: tmpdir() });
    expect(ended.code).toBe(4);
    expect(ended.stdout).not.toContain('Drained');
    expect(ended.stderr).toMatch(
      /--wait can't tell whether everything admitted before is done: .* can't count HTTP requests, as the adapter "unknown" is not known\. Maintenance stays on\./,
    );
    const listed = await run(['instances', '--storage', storage], { cwd: tmpdir() });
    expect(listed.stdout).toContain('0 (not all counted)');
  });
});
