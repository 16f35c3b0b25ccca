import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get } from '@nestjs/common';
import { MaintenanceScope, StateStorage } from 'nestjs-maintenance';
import type { Page } from 'playwright-core';
import { ADAPTERS, start, type Adapter, type Running } from '../e2e/application.js';
import { describeWithChromium } from './chromium.js';
import {
  ADMIN_TOKEN,
  clickButton,
  clickLink,
  expectAccessible,
  getTitle,
  PanelFixture,
  signIn,
} from './panel-fixture.js';

const MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

@Controller()
class ShopController {
  @MaintenanceScope('payments')
  @Get('pay')
  pay(): string {
    return 'paid';
  }
}

describeWithChromium.each(ADAPTERS)('screens of the panel (%s)', (adapter: Adapter) => {
  const fixture = new PanelFixture();
  let running: Running;
  // Both adapters serve the same document: it is measured once.
  const check = async (page: Page, name: string): Promise<void> => {
    if (adapter === 'express') await expectAccessible(page, name);
  };

  beforeEach(async () => {
    running = await start(adapter, {
      controllers: [ShopController],
      options: { adminToken: ADMIN_TOKEN, application: 'shop' },
      extras: { admin: { panel: true } },
    });
  });
  afterEach(() => running.close());
  const getOrigin = (): string => `http://127.0.0.1:${running.port}`;

  it('leads from the sign-in to a window, its drain, its change and its end', async () => {
    const page = await fixture.open(getOrigin());
    await getTitle(page, 'Sign in').waitFor();
    await check(page, 'sign-in');
    await signIn(page, ADMIN_TOKEN, 'ada');
    await getTitle(page, 'Maintenance is off').waitFor();
    await check(page, 'now-off');

    await clickButton(page, 'Turn on');
    await page.getByLabel('Scope').selectOption('payments');
    await page.getByLabel('Message to clients').fill('Back at four');
    await page.getByLabel('1 h from now').check();
    await clickButton(page, 'Add mine (127.0.0.1)');
    await page.getByLabel('Create a bypass link').check();
    await page.frameLocator('iframe').getByText('Back at four').waitFor();
    await check(page, 'on');
    await clickButton(page, 'JSON');
    expect(await page.locator('pre').innerText()).toContain('"detail": "Back at four"');
    await check(page, 'on-json');
    await clickButton(page, 'Review');
    await getTitle(page, 'Review').waitFor();
    await check(page, 'on-review');
    expect(running.maintenance.status().active).toBe(false);
    await clickButton(page, 'Turn on now');

    await getTitle(page, 'Drained').waitFor();
    expect(running.maintenance.status().windows.active).toMatchObject([
      { scope: 'payments', message: 'Back at four', allowIps: ['127.0.0.1'], createdBy: 'ada' },
    ]);
    await check(page, 'drain');
    const link = await page.locator('.secret').innerText();
    expect(link).toMatch(new RegExp(`^${getOrigin()}/\\?maintenance_bypass=[\\w-]+$`));
    await clickButton(page, 'I have it: hide it');
    expect(await page.content()).not.toContain(link.split('=')[1]);
    await page.reload();
    await getTitle(page, 'Drained').waitFor();

    await clickLink(page, 'Now');
    await getTitle(page, 'Maintenance is on: payments').waitFor();
    await check(page, 'now-on');
    await clickButton(page, 'Change payments');
    expect(await page.getByLabel('Message to clients').inputValue()).toBe('Back at four');
    await page.getByLabel('When it is turned off').check();
    await clickButton(page, 'Review');
    await clickButton(page, 'Change now');
    await getTitle(page, 'Drained').waitFor();
    expect(running.maintenance.status().windows.active).toMatchObject([{ message: 'Back at four', endsAt: null }]);

    await clickLink(page, 'Now');
    await clickLink(page, 'Turn off');
    await page.getByText('Payments: from').waitFor();
    await check(page, 'off');
    await clickButton(page, 'Turn off now');
    await getTitle(page, 'Maintenance is off').waitFor();
    expect(running.maintenance.status().active).toBe(false);

    await clickLink(page, 'Instances');
    await page.getByText('Applied').waitFor();
    await check(page, 'instances');
    await clickLink(page, 'History');
    await page.getByText('Turned off payments, by ada').waitFor();
    await page.getByText(/end: .* → until it is turned off/).waitFor();
    await check(page, 'history');
    await clickButton(page, 'Sign out');
    await page.getByText('You are signed out.').waitFor();
    expect((await page.context().cookies()).length).toBe(0);
  }, 120_000);

  it('plans, edits and cancels windows', async () => {
    await running.maintenance.enable({ startsAt: new Date(Date.now() + 1_800_000), scope: 'payments' });
    const page = await fixture.openSignedIn(getOrigin());
    await clickLink(page, 'Plan');
    await clickButton(page, 'Plan a window');
    await page.getByLabel('Repeats').selectOption('weekly');
    await page.getByLabel('Time zone').selectOption('UTC');
    await page.getByText('Every Sunday at 03:00 (UTC).').waitFor();
    await check(page, 'plan-form');
    await clickButton(page, 'Review');
    await page.getByText('Next occurrences').waitFor();
    await check(page, 'plan-review');
    await clickButton(page, 'Plan it');
    await getTitle(page, 'Planned windows').waitFor();
    await page.getByText('every Sunday at 03:00 (UTC), for 60 min').waitFor();
    expect(running.maintenance.status().windows.planned).toMatchObject([
      { scope: 'payments' },
      { scope: '*', recurrence: { cron: '0 3 * * 0', timeZone: 'UTC', duration: 3_600_000 } },
    ]);
    await check(page, 'plan');

    await clickButton(page, 'Edit payments');
    await page.getByLabel('Message to clients').fill('Sorry');
    await clickButton(page, 'Review');
    await clickButton(page, 'Plan it');
    await getTitle(page, 'Planned windows').waitFor();
    await page.getByText('Sorry').waitFor();
    expect(running.maintenance.status().windows.planned).toMatchObject([{ message: 'Sorry' }, { scope: '*' }]);

    await clickLink(page, 'Cancel payments');
    await check(page, 'cancel');
    await clickButton(page, 'Cancel this window');
    await getTitle(page, 'Planned windows').waitFor();
    expect(running.maintenance.status().windows.planned).toMatchObject([{ scope: '*' }]);
  }, 90_000);

  it('names a planned window that starts within the hour when the current one is turned off', async () => {
    await running.maintenance.enable({ message: 'now' });
    await running.maintenance.enable({ startsAt: new Date(Date.now() + 1_800_000), scope: 'payments' });
    const page = await fixture.openSignedIn(getOrigin());
    await clickLink(page, 'Turn off');
    await page.getByText('A planned window starts within the hour').waitFor();
    await page.getByText(/payments starts .* in 30 min/).waitFor();
  });

  it('shows markup in messages, scopes, authors and reports of instances as text', async () => {
    await running.maintenance.enable({ message: MARKUP, scope: MARKUP, createdBy: MARKUP });
    const storage = running.app.get<StateStorage>(StateStorage);
    const [report] = await running.maintenance.instances();
    const texts = { id: 'markup', host: MARKUP, application: MARKUP, appVersion: MARKUP, uncounted: [MARKUP] };
    await storage.report!({ ...report!, ...texts, longest: [{ name: MARKUP, count: 1, oldest: 1 }] });
    const page = await fixture.openSignedIn(getOrigin());
    for (const screen of ['Now', 'History', 'Instances', 'Plan']) {
      await clickLink(page, screen);
      if (screen !== 'Plan') await page.locator('main').getByText(MARKUP).first().waitFor();
    }
    await clickLink(page, 'Now');
    await clickButton(page, `Change ${MARKUP}`);
    await page.frameLocator('iframe').getByText(MARKUP).waitFor();
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await page.frameLocator('iframe').locator('img, script').count()).toBe(0);
    expect(await page.title()).toBe('Turn on – shop');
  });

  it('is neither framed nor operated by a page of another origin', async () => {
    const page = await fixture.openSignedIn(getOrigin());
    const attacker = createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.end(`<iframe src="${getOrigin()}/maintenance-mode/panel"></iframe>
        <form method="post" action="${getOrigin()}/maintenance-mode/on" target="answer"><button>Win</button></form>
        <iframe name="answer"></iframe>`);
    });
    await once(attacker.listen(0, 'localhost'), 'listening');
    try {
      const refused = page.waitForResponse((response) => response.url().endsWith('/maintenance-mode/on'));
      await page.goto(`http://localhost:${(attacker.address() as AddressInfo).port}/`);
      // Chromium may show its error in the frame only after the page around it has loaded.
      await page.frames()[1]!.waitForURL('chrome-error://chromewebdata/');
      await page.getByRole('button', { name: 'Win' }).click();
      expect((await refused).status()).toBe(403);
      expect(running.maintenance.status().active).toBe(false);
      // The browser names the policy that forbids the frame.
      expect(fixture.problems.splice(0)).toEqual([expect.stringContaining('frame-ancestors')]);
    } finally {
      attacker.close();
    }
  });

  it('can be used with the keyboard alone, and moves the focus to each screen', async () => {
    const page = await fixture.open(getOrigin());
    const getFocus = (): Promise<string> =>
      page.evaluate(() => document.activeElement?.id || (document.activeElement as HTMLElement)?.innerText);
    await getTitle(page, 'Sign in').waitFor();
    expect(await getFocus()).toBe('token');
    await page.keyboard.type(ADMIN_TOKEN);
    await page.keyboard.press('Enter');
    await getTitle(page, 'Maintenance is off').waitFor();
    await pressTab(page, 'Turn on');
    await page.keyboard.press('Enter');
    await getTitle(page, 'Turn on').waitFor();
    expect(await getFocus()).toBe('title');
    await pressTab(page, 'Review');
    await page.keyboard.press('Enter');
    await getTitle(page, 'Review').waitFor();
    expect(await getFocus()).toBe('title');
    await pressTab(page, 'Turn on now');
    await page.keyboard.press('Space');
    await getTitle(page, 'Drained').waitFor();
    expect(running.maintenance.status().active).toBe(true);
    await page.waitForFunction(() => document.getElementById('announcements')!.textContent !== '');
    await pressTab(page, 'To the state now');
    await page.keyboard.press('Enter');
    await getTitle(page, /is on/).waitFor();
    await pressTab(page, 'Turn off');
    await page.keyboard.press('Enter');
    await pressTab(page, 'Turn off now');
    await page.keyboard.press('Enter');
    await getTitle(page, 'Maintenance is off').waitFor();
    expect(running.maintenance.status().active).toBe(false);
  }, 60_000);
});

const MAX_TABS = 40;

/** Presses the tabulator until an element with this text has a visible focus. */
async function pressTab(page: Page, text: string): Promise<void> {
  for (let tabs = 0; tabs < MAX_TABS; tabs++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      return { text: element.innerText, hasOutline: getComputedStyle(element).outlineStyle !== 'none' };
    });
    if (focused.text === text) return expect(focused.hasOutline).toBe(true);
  }
  throw new Error(`The tabulator does not lead to "${text}".`);
}
