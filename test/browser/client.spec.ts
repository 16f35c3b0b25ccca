import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Controller, Get } from '@nestjs/common';
import getPort from 'get-port';
import { chromium, type Browser, type Page } from 'playwright-core';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { TcpGate } from '../tools/tcp-gate.js';
import { until } from '../tools/waiting.js';
import { describeWithChromium, launchChromium } from './chromium.js';
import type { ClientPage } from './client-page/main.js';

jest.setTimeout(60_000);

const ROOT = resolve(__dirname, '../..');
/** Makes the delays of the client 20 times as short. */
const SPEED_UP = 'const slow = setTimeout; setTimeout = (work, ms) => slow(work, ms / 20);';

declare const client: ClientPage;

@Controller('orders')
class OrdersController {
  @Get()
  orders(): string[] {
    return [];
  }
}

/** Builds the page with Vite and serves it, on an origin of its own. */
async function serveBuiltPage(folder: string): Promise<Server> {
  const args = ['node_modules/vite/bin/vite.js', 'build', join(__dirname, 'client-page'), '--outDir', folder];
  await promisify(execFile)(process.execPath, [...args, '--emptyOutDir', '--logLevel', 'error'], { cwd: ROOT });
  const script = readdirSync(join(folder, 'assets')).find((name) => name.endsWith('.js'))!;
  const server = createServer(({ url }, response) => {
    const isScript = url!.startsWith('/assets/');
    response
      .writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' })
      .end(readFileSync(join(folder, isScript ? `assets/${script}` : 'index.html')));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

describeWithChromium('a page of another origin, with nestjs-maintenance/client', () => {
  const folder = mkdtempSync(join(tmpdir(), 'client-page-'));
  let browser: Browser;
  let pages: Server;
  let running: Running | undefined;

  beforeAll(async () => {
    [pages, browser] = await Promise.all([serveBuiltPage(folder), launchChromium()]);
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    await running?.close();
    running = undefined;
  });
  afterAll(async () => {
    await browser?.close();
    pages?.closeAllConnections();
    pages?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const getUrl = (port = running!.port): string =>
    `http://127.0.0.1:${(pages.address() as AddressInfo).port}/?api=http://127.0.0.1:${port}`;
  const open = async (port?: number): Promise<Page> => {
    const page = await browser.newPage();
    await page.addInitScript(SPEED_UP);
    await page.goto(getUrl(port));
    return page;
  };
  const waitForBanner = (page: Page, text: string): Promise<void> =>
    page.locator('#banner', { hasText: text }).waitFor();

  describe.each(ADAPTERS)('on %s', (adapter) => {
    beforeEach(async () => {
      running = await start(adapter, {
        controllers: [OrdersController],
        extras: { publicStatus: true },
        main: (app) => app.enableCors({ origin: true }),
      });
    });

    it('follows announcement, refusal and return', async () => {
      const page = await open();
      await waitForBanner(page, 'Open');
      const endsAt = new Date(Date.now() + 3_600_000).toISOString();
      const window = { message: 'Back at four', endsAt, retryAfter: 90 };
      await running!.maintenance.enable({ ...window, startsAt: new Date(Date.now() + 1_500) });
      await waitForBanner(page, 'Soon: Back at four');
      expect(await page.evaluate(() => client.orderByFetch())).toEqual({ status: 200, maintenance: null });
      await waitForBanner(page, 'Now: Back at four');
      const until = new Date(Math.ceil(Date.parse(endsAt) / 1000) * 1000);
      const refused = { status: 503, maintenance: { mode: 'full', scope: '*', until, retryAfter: 90 } };
      expect(await page.evaluate(() => client.orderByFetch())).toEqual(refused);
      expect(await page.evaluate(() => client.orderByAxios())).toEqual(refused);
      await running!.maintenance.disable();
      await waitForBanner(page, 'Open');
      expect(await page.evaluate(() => client.orderByAxios())).toEqual({ status: 200, maintenance: null });
      const seen = await page.evaluate(() => client.statuses.map(({ active, planned }) => [active, planned.length]));
      expect(seen).toEqual([
        [false, 0],
        [false, 1],
        [true, 0],
        [false, 0],
      ]);
    });

    it('opens the stream again after the network was cut, and knows what has changed meanwhile', async () => {
      const gate = await TcpGate.to(running!.port);
      try {
        const page = await open(gate.port);
        await waitForBanner(page, 'Open');
        gate.cut();
        await running!.maintenance.enable({ message: 'Back at four' });
        gate.restore();
        await waitForBanner(page, 'Now: Back at four');
      } finally {
        await gate.close();
      }
    });
  });

  it('closes its stream while the tab is hidden or offline', async () => {
    const clients = new Set<object>();
    running = await start('express', {
      extras: { publicStatus: true },
      main: (app) =>
        void app.use((request: { url: string }, response: NodeJS.EventEmitter, next: () => void) => {
          if (request.url.endsWith('/events')) {
            clients.add(response);
            response.on('close', () => clients.delete(response));
          }
          next();
        }),
    });
    // Playwright emulates focus, so that no page is ever hidden, except in a browser to which it connects.
    const port = await getPort();
    const started = await launchChromium([`--remote-debugging-port=${port}`]);
    try {
      const connected = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
      const tabs = connected.contexts()[0]!;
      const page = await tabs.newPage();
      await page.goto(getUrl());
      await until('it follows the stream', () => clients.size === 1);
      await tabs.newPage();
      await until('the hidden tab has closed it', () => clients.size === 0);
      await running.maintenance.enable({ message: 'Back at four' });
      await page.bringToFront();
      await waitForBanner(page, 'Now: Back at four');
      await tabs.setOffline(true);
      await until('the offline tab has closed it', () => clients.size === 0);
      await running.maintenance.disable();
      await tabs.setOffline(false);
      await waitForBanner(page, 'Open');
      await page.evaluate(() => client.stop());
      await until('it is closed', () => clients.size === 0);
    } finally {
      await started.close();
    }
  });
});
