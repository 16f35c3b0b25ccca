import { Controller, Get, Header, Inject } from '@nestjs/common';
import { MaintenanceService } from 'nestjs-maintenance';
import { ManualClock } from 'nestjs-maintenance/testing';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { folderWith, run } from '../cli/program.js';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { describeWithChromium, launchChromium } from './chromium.js';

// A browser is slow to start on a busy machine.
jest.setTimeout(60_000);

const HTML = '<!doctype html><title>Shop</title><link rel="icon" href="data:,">';

@Controller()
class ShopController {
  constructor(@Inject(MaintenanceService) private readonly maintenance: MaintenanceService) {}

  @Get('shop')
  @Header('Content-Type', 'text/html')
  shop(): string {
    const [planned] = this.maintenance.status().windows.planned;
    const banner = planned ? `<p id="banner">Closed from ${planned.startsAt}</p>` : '';
    return `${HTML}${banner}<p id="shop">open</p>`;
  }
}

describeWithChromium.each(ADAPTERS)('a browser on %s', (adapter) => {
  let browser: Browser;
  let running: Running;
  let context: BrowserContext;
  let page: Page;
  let origin: string;

  beforeAll(async () => {
    browser = await launchChromium();
    running = await start(adapter, { controllers: [ShopController] });
    // Browsers accept cookies for HTTPS from localhost without it.
    origin = `http://localhost:${running.port}`;
  });
  beforeEach(async () => {
    context = await browser.newContext();
    page = await context.newPage();
  });
  afterEach(async () => {
    await context.close();
    await running.maintenance.disable({ all: true });
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
  });

  const has = async (selector: string): Promise<boolean> => (await page.locator(selector).count()) > 0;

  it('sees a window announced, started and ended', async () => {
    const clock = new ManualClock(Date.now());
    const planned = await start(adapter, { controllers: [ShopController], clock });
    const shop = `http://localhost:${planned.port}/shop`;
    const startsAt = new Date(clock.now() + 60_000);
    const endsAt = new Date(clock.now() + 63_000);
    await planned.maintenance.enable({ startsAt, endsAt, message: 'New tills' });
    await page.goto(shop);
    expect(await page.locator('#banner').innerText()).toBe(`Closed from ${startsAt.toISOString()}`);

    await clock.moveTo(startsAt.getTime());
    await page.goto(shop);
    expect(await page.locator('body').innerText()).toContain('New tills');
    expect(await has('#shop')).toBe(false);

    // The page returns by itself, once the window has ended.
    await clock.moveTo(endsAt.getTime());
    await page.locator('#shop').waitFor({ timeout: 30_000 });
    expect(await has('#banner')).toBe(false);
    await planned.close();
  });

  it('is admitted by the bypass link, which leaves no token behind', async () => {
    const storage = ['--storage', `file:${running.stateFile}`];
    const { stdout } = await run(['on', '--bypass', '--json', ...storage], { cwd: folderWith() });
    const { token } = (JSON.parse(stdout) as { bypass: { token: string } }).bypass;
    await running.maintenance.refresh();

    await page.goto(`${origin}/shop`);
    expect(await has('#shop')).toBe(false);
    await page.goto(`${origin}/shop?maintenance_bypass=${token}`);
    expect(await has('#shop')).toBe(true);
    expect(await page.evaluate(() => location.href)).toBe(`${origin}/shop`);
    expect(await page.evaluate(() => document.referrer + document.cookie + history.length)).not.toContain(token);

    await page.goto(`${origin}/shop`);
    expect(await has('#shop')).toBe(true);
    expect((await running.call('/shop')).status).toBe(503);

    await running.maintenance.disable();
    await running.maintenance.enable();
    await page.goto(`${origin}/shop`);
    expect(await has('#shop')).toBe(false);
  });
});
