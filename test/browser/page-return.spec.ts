import { chromium, type Page } from 'playwright-core';
import getPort from 'get-port';
import { describeWithChromium, launchChromium } from './chromium.js';
import { getText, PageFixture } from './page-fixture.js';
import { sendHtml, type PageServer } from './page-server.js';

const seconds = (count: number): number => Date.now() + count * 1000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Makes the timers of a page run 20 times as fast: long waits are spread over many seconds. */
const SPEED_UP = 'const slow = setTimeout; setTimeout = (work, ms) => slow(work, ms / 20);';

describeWithChromium('the built-in page', () => {
  const fixture = new PageFixture();

  const waitForShop = (page: Page, timeout?: number): Promise<void> => page.locator('#shop').waitFor({ timeout });

  /** Opens the page with fast timers. */
  async function openFast(): Promise<Page> {
    const page = await fixture.newPage();
    await page.addInitScript(SPEED_UP);
    await page.goto(fixture.server.origin);
    return page;
  }

  async function waitForRequests(method: string, count: number): Promise<void> {
    const deadline = seconds(10);
    while (fixture.server.countRequests(method) < count && Date.now() < deadline) await sleep(50);
    expect(fixture.server.countRequests(method)).toBeGreaterThanOrEqual(count);
  }

  describe('without scripts', () => {
    it('shows the end in UTC, and a link', async () => {
      fixture.server.refusal = { endsAt: Date.parse('2099-12-01T02:00:00Z') };
      const page = await fixture.open({ javaScriptEnabled: false });
      expect(await getText(page, 'time')).toBe('Tuesday, December 1, 2099 at 2:00 AM UTC');
      expect(await page.locator('.left').isVisible()).toBe(false);
      expect(await page.evaluate(() => document.querySelector('a')!.href)).toBe(`${fixture.server.origin}/`);
      expect(await page.locator('noscript meta').getAttribute('content')).toBe('300');
    });

    it('reloads by itself, with GET even after a POST', async () => {
      const { server } = fixture;
      server.override = (response) => sendHtml(response, 200, '<form method="post" action="/orders?page=2"></form>');
      const page = await fixture.open({ javaScriptEnabled: false });
      server.override = (response) =>
        sendHtml(response, 503, '<noscript><meta http-equiv="refresh" content="1"></noscript>');
      await page.evaluate(() => document.forms[0]!.submit());
      await page.waitForURL((url) => url.pathname === '/orders');
      server.override = null;
      server.refusal = null;
      await waitForShop(page);
      expect(server.requests).toEqual(['GET /', 'POST /orders?page=2', 'GET /orders?page=2']);
      expect(await getText(page, '#shop')).toBe('GET');
    });
  });

  describe('return', () => {
    it('returns when the window ends', async () => {
      const { server } = fixture;
      server.refusal = { endsAt: seconds(2) };
      const page = await fixture.newPage();
      await page.goto(`${server.origin}//somewhere.invalid/a?b=c#/orders/5`);
      await sleep(500);
      expect(server.countRequests('HEAD')).toBe(0);
      server.refusal = null;
      await waitForShop(page);
      expect(server.requests.slice(1)).toEqual(['HEAD //somewhere.invalid/a?b=c', 'GET //somewhere.invalid/a?b=c']);
      expect(page.url()).toBe(`${server.origin}//somewhere.invalid/a?b=c#/orders/5`);
      expect(await page.evaluate(() => history.length)).toBe(2);
    });

    it('returns with GET when the page was the response to a POST', async () => {
      const { server } = fixture;
      server.refusal = null;
      const page = await fixture.open();
      server.refusal = { endsAt: seconds(1) };
      await page.evaluate(() => {
        document.body.innerHTML = '<form method="post" action="/orders"></form>';
        document.forms[0]!.submit();
      });
      await page.locator('h1').waitFor();
      expect(server.requests.at(-1)).toBe('POST /orders');
      server.refusal = null;
      await waitForShop(page);
      expect(await getText(page, '#shop')).toBe('GET');
      expect(server.countRequests('POST')).toBe(1);
    });

    it('returns when an operator has turned maintenance off early', async () => {
      const page = await openFast();
      fixture.server.refusal = null;
      await waitForShop(page);
    });

    it('returns at once when its tab is shown again, and requests nothing while it is hidden', async () => {
      const { server } = fixture;
      // Playwright emulates focus, so that no page is ever hidden, except in a browser to which it connects.
      const port = await getPort();
      const started = await launchChromium([`--remote-debugging-port=${port}`]);
      try {
        const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
        const tabs = browser.contexts()[0]!;
        fixture.watch(tabs);
        const page = await tabs.newPage();
        await page.addInitScript(SPEED_UP);
        server.refusal = { endsAt: seconds(5) };
        await page.goto(server.origin);
        await tabs.newPage();
        await page.waitForFunction(() => document.hidden, undefined, { polling: 50 });
        const count = server.countRequests('HEAD');
        await sleep(2500);
        expect(server.countRequests('HEAD')).toBe(count);
        server.refusal = null;
        await page.bringToFront();
        await waitForShop(page, 1500);
      } finally {
        await started.close();
      }
    });

    it('returns at once when the machine wakes up', async () => {
      const page = await fixture.open();
      fixture.server.refusal = null;
      await page.evaluate('{ const now = Date.now; Date.now = () => now() + 3600e3 }');
      await waitForShop(page, 3000);
    });

    it('returns after the network and then a proxy have failed', async () => {
      const { server } = fixture;
      const page = await openFast();
      server.override = (response) => response.destroy();
      await waitForRequests('HEAD', 2);
      server.override = (response) => response.writeHead(502).end();
      await waitForRequests('HEAD', 4);
      expect(await getText(page, 'h1')).toBe('Down for maintenance');
      server.override = null;
      server.refusal = null;
      await waitForShop(page);
    });

    it.each<[string, PageServer['headOverride']]>([
      ['no response', (response) => response.destroy()],
      ['403', (response) => response.writeHead(403).end()],
      ['405', (response) => response.writeHead(405).end()],
      ['500', (response) => response.writeHead(500).end()],
      ['501', (response) => response.writeHead(501).end()],
    ])('returns where HEAD gets %s, without reloading before', async (_, headOverride) => {
      const { server } = fixture;
      server.headOverride = headOverride;
      const page = await openFast();
      await page.evaluate('self.isFirst = true');
      await waitForRequests('GET', 4);
      expect(await page.evaluate('self.isFirst')).toBe(true);
      server.refusal = null;
      await waitForShop(page, 20_000);
    });

    it('returns through a service worker that caches responses, and so accepts nothing but GET', async () => {
      const { server } = fixture;
      server.serviceWorker = `
        self.addEventListener('install', () => self.skipWaiting());
        self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
        self.addEventListener('fetch', (event) => event.respondWith((async () => {
          try {
            const answer = await fetch(event.request);
            await (await caches.open('pages')).put(event.request, answer.clone());
            return answer;
          } catch (error) {
            const kept = await caches.match(event.request);
            if (kept) return kept;
            throw error;
          }
        })()));`;
      server.refusal = null;
      const page = await fixture.open();
      await page.evaluate(
        () =>
          new Promise((resolve) => {
            navigator.serviceWorker.addEventListener('controllerchange', resolve);
            void navigator.serviceWorker.register('/worker.js');
          }),
      );
      await page.addInitScript(SPEED_UP);
      server.refusal = {};
      await page.goto(server.origin);
      expect(await getText(page, 'h1')).toBe('Down for maintenance');
      await waitForRequests('HEAD', 2);
      server.refusal = null;
      await waitForShop(page, 20_000);
      // The browser reports each HEAD at which the worker has failed.
      fixture.problems.length = 0;
    });

    it('returns after the application has responded with an error', async () => {
      const { server } = fixture;
      server.refusal = { endsAt: seconds(1) };
      const page = await openFast();
      server.override = (response) => sendHtml(response, 500, '<h1>Internal Server Error</h1>');
      await waitForRequests('HEAD', 3);
      expect(await getText(page, 'h1')).toBe('Down for maintenance');
      server.override = null;
      server.refusal = null;
      await waitForShop(page, 20_000);
    });

    it('returns where the page itself came with 200, without reloading before', async () => {
      const { server } = fixture;
      server.refusal = { statusCode: 200 };
      const page = await openFast();
      await page.evaluate('self.isFirst = true');
      await waitForRequests('GET', 3);
      expect(await page.evaluate('self.isFirst')).toBe(true);
      server.refusal = null;
      await waitForShop(page, 20_000);
    });

    it('returns only once when the response is not a page', async () => {
      const { server } = fixture;
      server.refusal = { endsAt: seconds(1) };
      await fixture.open();
      server.override = (response) => response.writeHead(204).end();
      await waitForRequests('GET', 2);
      await sleep(2500);
      expect(server.countRequests('GET')).toBe(2);
    });
  });

  describe('waiting', () => {
    it('stays and shows the new end of a window that was extended', async () => {
      const { server } = fixture;
      server.refusal = { endsAt: seconds(2) };
      const page = await fixture.open();
      server.refusal = { endsAt: seconds(3600), message: 'It takes longer.' };
      await page.locator('.message', { hasText: /^It takes longer\.$/ }).waitFor();
      expect(await getText(page, '[role=timer]')).toBe('60 minutes');
      expect(await getText(page, '[role=status]')).toBe('The expected end has changed.');
      expect(server.requests.slice(0, 3)).toEqual(['GET /', 'HEAD /', 'GET /']);
    });

    it('stays while a proxy refuses after the end', async () => {
      const { server } = fixture;
      server.refusal = { endsAt: seconds(1) };
      const page = await fixture.open();
      server.override = (response) => sendHtml(response, 503, '<h1>No healthy upstream</h1>');
      await waitForRequests('HEAD', 2);
      expect(await getText(page, 'h1')).toBe('Down for maintenance');
      expect(await getText(page, '[role=timer]')).toBe('any moment now');
    });

    it('stays in read-only mode, until the reader follows the link', async () => {
      const { server } = fixture;
      server.refusal = { readOnly: true, endsAt: seconds(1) };
      const page = await fixture.open();
      server.refusal = null;
      const hint = /^Changes should be accepted again by now\.$/;
      await page.locator('[role=status]', { hasText: hint }).waitFor();
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await sleep(300);
      expect(server.requests).toEqual(['GET /']);
      await page.locator('a').click();
      await waitForShop(page);
    });

    it('sends its first request after 15 to 45 s', async () => {
      const page = await fixture.newPage();
      await page.addInitScript(`{
        const wait = setTimeout;
        self.waits = [];
        setTimeout = (work, ms) => { waits.push(ms); return wait(work, ms); };
      }`);
      await page.goto(fixture.server.origin);
      fixture.server.refusal = { endsAt: seconds(7200) };
      const [first] = await page.evaluate<number[]>('waits');
      expect(first).toBeGreaterThanOrEqual(15_000);
      expect(first).toBeLessThanOrEqual(45_000);
    });
  });
});
