import { tmpdir } from 'node:os';
import { Controller, Get } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { run } from '../cli/program.js';
import { start, type Running } from './application.js';

/** Longer than the timeout of a test: a test that waits for it fails. */
const NEVER_REACHED_MS = 600_000;

/** An adapter type that the module does not support. */
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

describe('an unsupported HTTP adapter', () => {
  let running: Running;

  beforeEach(async () => {
    running = await start('fastify', { server: new UnknownAdapter(), controllers: [OrdersController] });
  });
  afterEach(() => running.close());

  it('refuses calls to route handlers', async () => {
    await running.maintenance.enable();
    const headers = { 'maintenance-mode': 'full;scope="*"' };
    expect(await running.call('/orders')).toMatchObject({ status: 503, headers });
    await running.maintenance.disable();
    expect((await running.call('/orders')).text).toBe('orders');
  });

  it('is never reported as drained and names the calls that cannot be counted', async () => {
    await running.maintenance.enable();
    const { drained, pending } = await running.maintenance.drained({ timeout: NEVER_REACHED_MS });
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

  it('makes `on --wait` exit immediately with code 4 and the reason', async () => {
    const storage = `file:${running.stateFile}`;
    const ended = await run(['on', '--wait', '--timeout', '10m', '--storage', storage], { cwd: tmpdir() });
    expect(ended.code).toBe(4);
    expect(ended.stdout).not.toContain('Drained');
    expect(ended.stderr).toMatch(
      /--wait can't tell whether all in-flight requests have finished: .* can't count HTTP requests, as the adapter "unknown" is not known\. Maintenance stays on\./,
    );
    const listed = await run(['instances', '--storage', storage], { cwd: tmpdir() });
    expect(listed.stdout).toContain('0 (not all counted)');
  });
});
