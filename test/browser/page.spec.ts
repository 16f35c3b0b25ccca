import { DEFAULT_PAGE_CSP } from '../../libs/maintenance/src/http/page/default-page.js';
import { renderPlainPage } from '../../libs/maintenance/src/http/page/plain-page.js';
import { Chromium, findChromium, type Page } from './chromium.js';
import { LOWEST_CONTRAST } from './contrast.js';
import { PageServer, send } from './page-server.js';

// A browser is slow to start on a busy machine, and the page takes its time on purpose.
jest.setTimeout(30_000);

const executable = findChromium();
const seconds = (count: number): number => Date.now() + count * 1000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const required = process.env.CI === 'true';
if (!executable && !required)
  process.stderr.write('skipped: chromium not found, install with apt-get install chromium\n');

// Where everything is expected to run, a missing browser is a failure and not a silent gap.
(executable || required ? describe : describe.skip)('the built-in page in a browser', () => {
  let server: PageServer;
  let browser: Chromium;
  let page: Page;

  const text = (selector: string): Promise<string> =>
    page.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`);
  const back = (timeout?: number): Promise<void> => page.until('document.querySelector("#shop")', timeout);

  const asked = async (method: string, times: number): Promise<void> => {
    const deadline = seconds(10);
    while (server.count(method) < times && Date.now() < deadline) await sleep(50);
    expect(server.count(method)).toBeGreaterThanOrEqual(times);
  };

  beforeAll(async () => {
    if (!executable) throw new Error('chromium not found, install with apt-get install chromium');
    browser = await Chromium.start(executable);
  });

  afterAll(async () => {
    await browser?.close();
  });

  beforeEach(async () => {
    server = new PageServer();
    await server.start();
    page = await browser.newPage();
  });

  afterEach(async () => {
    const { problems } = page;
    await page.close();
    await server.stop();
    expect(problems).toEqual([]);
  });

  describe('to look at', () => {
    const long = `First line.\nSecond line with ${'a-very-long-address.'.repeat(12)}`;

    it.each([1280, 375, 320])('fits a screen of %i pixels', async (width) => {
      server.refusal = { message: long, title: 'Wartungsarbeitenankündigung', endsAt: seconds(7000) };
      await page.resize(width, 640);
      await page.goto(server.origin);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(await page.evaluate('innerWidth')).toBe(width);
      expect(await text('.message')).toMatch(/^First line\.\nSecond/);
    });

    it.each(['light', 'dark'])('has enough contrast in %s', async (scheme) => {
      server.refusal = { endsAt: seconds(7000), readOnly: true };
      await page.media({ 'prefers-color-scheme': scheme });
      await page.goto(server.origin);
      const lowest = await page.evaluate<{ count: number; ratio: number }>(LOWEST_CONTRAST);
      expect(lowest.count).toBeGreaterThanOrEqual(7);
      expect(lowest.ratio).toBeGreaterThanOrEqual(4.5);
      const [red] =
        (await page.evaluate<string>('getComputedStyle(document.body).backgroundColor')).match(/\d+/g) ?? [];
      expect(Number(red) < 128).toBe(scheme === 'dark');
    });

    it('applies its style to the last resort too', async () => {
      const html = renderPlainPage({ title: 'Under maintenance', message: 'Back soon', statusCode: 503 });
      server.instead = (response) =>
        response.writeHead(503, { 'content-type': 'text/html', 'content-security-policy': DEFAULT_PAGE_CSP }).end(html);
      await page.goto(server.origin);
      expect(await page.evaluate('getComputedStyle(document.querySelector(".message")).whiteSpace')).toBe('pre-line');
      expect((await page.evaluate<{ ratio: number }>(LOWEST_CONTRAST)).ratio).toBeGreaterThanOrEqual(4.5);
    });

    it('has a ring that is never empty, and does not shrink at the start of a window', async () => {
      const arc = (): Promise<string> =>
        page.evaluate('document.querySelector(".arc").getAttribute("stroke-dasharray").split(" ")[0]');
      await page.goto(server.origin);
      const withoutEnd = Number(await arc());
      server.refusal = { startsAt: Date.now(), endsAt: seconds(7000) };
      await page.goto(server.origin);
      await page.until('document.querySelector("[role=timer]").innerText');
      expect(Number(await arc())).toBe(withoutEnd);
      expect(withoutEnd).toBeGreaterThan(0);
    });

    it('moves nothing for those who asked for it', async () => {
      const motion = 'getComputedStyle(document.querySelector(".arc")).transitionDuration';
      await page.media({ 'prefers-reduced-motion': 'reduce' });
      await page.goto(server.origin);
      expect(await page.evaluate(motion)).toBe('0s');
    });

    it('keeps its ring where the system chooses the colours', async () => {
      await page.media({ 'forced-colors': 'active' });
      await page.goto(server.origin);
      const [arc, ink] = await page.evaluate<string[]>(
        '[getComputedStyle(document.querySelector(".arc")).stroke, getComputedStyle(document.body).color]',
      );
      expect(arc).toBe(ink);
    });

    it('asks for nothing but itself', async () => {
      await page.goto(server.origin);
      await sleep(300);
      expect(server.requests).toEqual(['GET /']);
    });
  });

  describe('tells the time', () => {
    it.each([
      ['Europe/Rome', '2027-07-01T12:30:00Z', /Thursday.*July 1.*2:30\sPM.*(CEST|GMT\+2)/],
      ['America/New_York', '2027-07-01T03:30:00Z', /Wednesday.*June 30.*11:30\sPM.*EDT/],
    ])('of the reader in %s', async (timezoneId, endsAt, expected) => {
      server.refusal = { endsAt: Date.parse(endsAt) };
      await page.send('Emulation.setTimezoneOverride', { timezoneId });
      await page.send('Emulation.setLocaleOverride', { locale: 'en-US' });
      await page.goto(server.origin);
      expect(await text('time')).toMatch(expected);
      expect(await page.evaluate('document.querySelector("time").dateTime')).toBe(new Date(endsAt).toISOString());
    });

    it('counts down, and says nothing meanwhile', async () => {
      server.refusal = { startsAt: seconds(-300), endsAt: seconds(300) };
      await page.goto(server.origin);
      expect(await text('[role=timer]')).toMatch(/^(5:00|4:5\d)$/);
      await page.until('document.querySelector("[role=timer]").innerText <= "4:58"');
      expect(
        await page.evaluate('+document.querySelector(".arc").getAttribute("stroke-dasharray").split(" ")[0]'),
      ).toBeCloseTo(0.5, 1);
      expect(await text('[role=status]')).toBe('');
    });

    it.each([
      [5 * 3600, 'about 5 h'],
      [100 * 60, 'about 1 h 40 min'],
      [45 * 60, 'about 45 min'],
      [5 * 86400, 'about 5 days'],
    ])('of %i seconds in words', async (left, expected) => {
      server.refusal = { endsAt: seconds(left) };
      await page.goto(server.origin);
      expect(await text('[role=timer]')).toBe(expected);
    });

    it('does not believe a clock that is wrong, nor a Retry-After that is not the end', async () => {
      server.refusal = { endsAt: seconds(1200), retryAfter: 60 };
      await page.beforeLoad('const now = Date.now; Date.now = () => now() + 5 * 3600e3;');
      await page.goto(server.origin);
      expect(await text('[role=timer]')).toBe('about 20 min');
    });

    it('promises no end where none is known', async () => {
      await page.goto(server.origin);
      expect(await page.evaluate('document.querySelector("dl")')).toBe(null);
      expect(await text('.hint')).toMatch(/comes back by itself/);
    });
  });

  describe('without scripts', () => {
    beforeEach(() => page.send('Emulation.setScriptExecutionDisabled', { value: true }));

    it('shows the end in UTC, and a link', async () => {
      server.refusal = { endsAt: Date.parse('2099-12-01T02:00:00Z') };
      await page.goto(server.origin);
      expect(await text('time')).toBe('Tue, 01 Dec 2099 02:00 UTC');
      expect(await page.evaluate('document.querySelector(".left").checkVisibility()')).toBe(false);
      expect(await page.evaluate('document.querySelector("a").href')).toBe(`${server.origin}/`);
      expect(await page.evaluate('document.querySelector("noscript meta").content')).toBe('300');
    });

    it('asks again by itself, with GET even after a POST', async () => {
      server.instead = (response) => send(response, 200, '<form method="post" action="/orders?page=2"></form>');
      await page.goto(server.origin);
      server.instead = (response) =>
        send(response, 503, '<noscript><meta http-equiv="refresh" content="1"></noscript>');
      await page.evaluate('document.forms[0].submit()');
      await page.until('location.pathname === "/orders"');
      server.instead = null;
      server.refusal = null;
      await back();
      expect(server.requests).toEqual(['GET /', 'POST /orders?page=2', 'GET /orders?page=2']);
      expect(await text('#shop')).toBe('GET');
    });
  });

  describe('comes back', () => {
    // Those who wait long are spread over many seconds; a test does not have them.
    const hurry = (): Promise<void> =>
      page.beforeLoad('const slow = setTimeout; setTimeout = (work, ms) => slow(work, ms / 20);');

    it('when the window ends', async () => {
      server.refusal = { endsAt: seconds(2) };
      await page.goto(`${server.origin}//somewhere.invalid/a?b=c#/orders/5`);
      await sleep(500);
      expect(server.count('HEAD')).toBe(0);
      server.refusal = null;
      await back();
      expect(server.requests.slice(1)).toEqual(['HEAD //somewhere.invalid/a?b=c', 'GET //somewhere.invalid/a?b=c']);
      expect(await page.evaluate('location.href')).toBe(`${server.origin}//somewhere.invalid/a?b=c#/orders/5`);
      expect(await page.evaluate('history.length')).toBe(2);
    });

    it('with GET when the page was the answer to a POST', async () => {
      server.refusal = null;
      await page.goto(server.origin);
      server.refusal = { endsAt: seconds(1) };
      await page.evaluate(`document.body.innerHTML = '<form method="post" action="/orders"></form>';
        document.forms[0].submit()`);
      await page.until('document.querySelector("h1")');
      expect(server.requests.at(-1)).toBe('POST /orders');
      server.refusal = null;
      await back();
      expect(await text('#shop')).toBe('GET');
      expect(server.count('POST')).toBe(1);
    });

    it('when somebody turned it off early', async () => {
      await hurry();
      await page.goto(server.origin);
      server.refusal = null;
      await back();
    });

    it('at once when the reader looks at it again, and asks nothing while hidden', async () => {
      await hurry();
      server.refusal = { endsAt: seconds(5) };
      await page.goto(server.origin);
      const other = await browser.newPage();
      await page.until('document.hidden');
      const asked = server.count('HEAD');
      await sleep(2500);
      expect(server.count('HEAD')).toBe(asked);
      server.refusal = null;
      await page.activate();
      await back(1500);
      await other.close();
    });

    it('at once when the machine wakes up', async () => {
      await page.goto(server.origin);
      server.refusal = null;
      await page.evaluate('{ const now = Date.now; Date.now = () => now() + 3600e3 }');
      await back(3000);
    });

    it('after the network failed and a proxy said so', async () => {
      await hurry();
      await page.goto(server.origin);
      server.instead = (response) => response.destroy();
      await asked('HEAD', 2);
      server.instead = (response) => response.writeHead(502).end();
      await asked('HEAD', 4);
      expect(await text('h1')).toBe('Under maintenance');
      server.instead = null;
      server.refusal = null;
      await back();
    });

    it.each<[string, PageServer['insteadOfHead']]>([
      ['no answer', (response) => response.destroy()],
      ['403', (response) => response.writeHead(403).end()],
      ['405', (response) => response.writeHead(405).end()],
      ['500', (response) => response.writeHead(500).end()],
      ['501', (response) => response.writeHead(501).end()],
    ])('where HEAD gets %s, without loading anew before', async (_, insteadOfHead) => {
      await hurry();
      server.insteadOfHead = insteadOfHead;
      await page.goto(server.origin);
      await page.evaluate('self.first = true');
      await asked('GET', 4);
      expect(await page.evaluate('self.first')).toBe(true);
      server.refusal = null;
      await back(20_000);
    });

    it('through a service worker that keeps what it gets, which takes nothing but GET', async () => {
      server.worker = `
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
      await page.goto(server.origin);
      await page.evaluate(`new Promise((resolve) => {
        navigator.serviceWorker.addEventListener('controllerchange', resolve);
        navigator.serviceWorker.register('/worker.js');
      })`);
      await hurry();
      server.refusal = {};
      await page.goto(server.origin);
      expect(await text('h1')).toBe('Under maintenance');
      await asked('HEAD', 2);
      server.refusal = null;
      await back(20_000);
      // The browser tells of each HEAD that the worker has failed.
      page.problems.length = 0;
    });

    it('after the application has answered with an error', async () => {
      await hurry();
      server.refusal = { endsAt: seconds(1) };
      await page.goto(server.origin);
      server.instead = (response) => send(response, 500, '<h1>Internal Server Error</h1>');
      await asked('HEAD', 3);
      expect(await text('h1')).toBe('Under maintenance');
      server.instead = null;
      server.refusal = null;
      await back(20_000);
    });

    it('where the page itself came with 200, without loading anew before', async () => {
      await hurry();
      server.refusal = { statusCode: 200 };
      await page.goto(server.origin);
      await page.evaluate('self.first = true');
      await asked('GET', 3);
      expect(await page.evaluate('self.first')).toBe(true);
      server.refusal = null;
      await back(20_000);
    });

    it('once only, when what comes is not a page', async () => {
      server.refusal = { endsAt: seconds(1) };
      await page.goto(server.origin);
      server.instead = (response) => response.writeHead(204).end();
      await asked('GET', 2);
      await sleep(2500);
      expect(server.count('GET')).toBe(2);
    });
  });

  describe('stays', () => {
    it('and shows the new end of a window that was extended', async () => {
      server.refusal = { endsAt: seconds(2) };
      await page.goto(server.origin);
      server.refusal = { endsAt: seconds(3600), message: 'It takes longer.' };
      await page.until('document.querySelector(".message").innerText === "It takes longer."');
      expect(await text('[role=timer]')).toBe('about 60 min');
      expect(await text('[role=status]')).toBe('The expected end has changed.');
      expect(server.requests.slice(0, 3)).toEqual(['GET /', 'HEAD /', 'GET /']);
    });

    it('with a proxy that refuses after the end', async () => {
      server.refusal = { endsAt: seconds(1) };
      await page.goto(server.origin);
      server.instead = (response) => send(response, 503, '<h1>No healthy upstream</h1>');
      await asked('HEAD', 2);
      expect(await text('h1')).toBe('Under maintenance');
      expect(await text('[role=timer]')).toBe('any moment now');
    });

    it('where reading is admitted anyway, until the reader goes on', async () => {
      server.refusal = { readOnly: true, endsAt: seconds(1) };
      await page.goto(server.origin);
      server.refusal = null;
      await page.until(
        'document.querySelector("[role=status]").innerText === "Changes should be accepted again by now."',
      );
      await page.evaluate('dispatchEvent(new Event("online"))');
      await sleep(300);
      expect(server.requests).toEqual(['GET /']);
      await page.evaluate('document.querySelector("a").click()');
      await back();
    });

    it('without asking more often than it has to', async () => {
      await page.beforeLoad(`{
        const wait = setTimeout;
        self.waits = [];
        setTimeout = (work, ms) => { waits.push(ms); return wait(work, ms); };
      }`);
      await page.goto(server.origin);
      server.refusal = { endsAt: seconds(7200) };
      const [first] = await page.evaluate<number[]>('waits');
      expect(first).toBeGreaterThanOrEqual(15_000);
      expect(first).toBeLessThanOrEqual(45_000);
    });
  });
});
