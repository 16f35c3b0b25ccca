import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import type { Page } from 'playwright-core';
import { ADAPTERS, start, type Adapter, type Running, type Setup } from '../e2e/application.js';
import { describeWithChromium } from './chromium.js';
import {
  ADMIN_TOKEN,
  clickButton,
  clickLink,
  expectAccessible,
  getTitle,
  PanelFixture,
  signIn,
  VIEWER_TOKEN,
} from './panel-fixture.js';

/** A storage that fails on request. */
class FailingStorage extends MemoryStateStorage {
  isFailing = false;

  override async read(): ReturnType<MemoryStateStorage['read']> {
    if (this.isFailing) throw new Error('connection refused');
    return super.read();
  }

  override async write(...args: Parameters<MemoryStateStorage['write']>): Promise<string> {
    if (this.isFailing) throw new Error('connection refused');
    return super.write(...args);
  }
}

/** Buttons and links that change something. */
const CHANGES = /^(Turn|Change|Plan a|Edit|Cancel)/;

describeWithChromium.each(ADAPTERS)('states of the panel (%s)', (adapter: Adapter) => {
  const fixture = new PanelFixture();
  let running: Running;
  // Both adapters serve the same document: it is measured once.
  const check = async (page: Page, name: string): Promise<void> => {
    if (adapter === 'express') await expectAccessible(page, name);
  };
  const startWith = async (setup: Setup = {}): Promise<string> => {
    running = await start(adapter, {
      ...setup,
      options: {
        adminToken: ADMIN_TOKEN,
        viewerToken: VIEWER_TOKEN,
        application: 'shop',
        refreshInterval: 200,
        ...setup.options,
      },
      extras: { admin: { panel: true } },
    });
    return `http://127.0.0.1:${running.port}`;
  };
  afterEach(() => running.close());

  async function expectNoChange(page: Page): Promise<void> {
    expect(await page.locator('main').getByRole('button', { name: CHANGES }).count()).toBe(0);
    expect(await page.locator('main').getByRole('link', { name: CHANGES }).count()).toBe(0);
  }

  it.each([
    [true, 'Forced on by configuration'],
    [false, 'Forced off by configuration'],
  ])('tells where maintenance is forced to %s', async (enabled, title) => {
    const page = await fixture.openSignedIn(await startWith({ options: { enabled } }));
    await page.getByRole('heading', { name: title }).waitFor();
    await page.getByText(/^enabled decides on /).waitFor();
    await expectNoChange(page);
    await check(page, `forced-${enabled}`);
    await page.goto(`${page.url().split('#')[0]}#on`);
    await page.getByText('This can’t be done now').waitFor();
  });

  it('admits viewers, who may only look', async () => {
    const origin = await startWith();
    await running.maintenance.enable({ message: 'Back at four' });
    const page = await fixture.openSignedIn(origin, VIEWER_TOKEN);
    await page.getByRole('heading', { name: 'You may look, but not change' }).waitFor();
    await expectNoChange(page);
    await check(page, 'viewer');
  });

  it('has a sentence for a wrong token, and for too many tries', async () => {
    const page = await fixture.open(await startWith());
    await signIn(page, 'not-the-token-of-the-panel');
    await page.getByText('This token is wrong.').waitFor();
    await check(page, 'wrong-token');
    const isBlocked = (): Promise<boolean> => page.getByText('Too many tries').isVisible();
    for (let tries = 0; tries < 50 && !(await isBlocked()); tries++) {
      const answered = page.waitForResponse(/\/session$/);
      await signIn(page, 'not-the-token-of-the-panel');
      await answered;
      await page.waitForFunction(() => !document.querySelector('[aria-disabled=true]'));
    }
    await page.getByText('Too many tries').waitFor();
    await page.getByText(/Try again in \d+ (s|min)/).waitFor();
    expect(await page.getByRole('button', { name: 'Sign in' }).count()).toBe(0);
    await check(page, 'too-many-tries');
  });

  it('keeps what was typed when the connection is lost and when the session is over', async () => {
    const origin = await startWith();
    const page = await fixture.openSignedIn(origin);
    await clickButton(page, 'Turn on');
    await page.getByLabel('Message to clients').fill('Back at four');
    await page.context().setOffline(true);
    await page.getByRole('heading', { name: 'No connection to the application' }).waitFor();
    await check(page, 'offline');
    await page.context().setOffline(false);
    await page.getByRole('heading', { name: 'No connection to the application' }).waitFor({ state: 'detached' });

    await page.context().clearCookies();
    await clickButton(page, 'Review');
    await clickButton(page, 'Turn on now');
    await page.getByText('Your session is over.').waitFor();
    expect(running.maintenance.status().active).toBe(false);
    await check(page, 'session-over');
    await signIn(page, ADMIN_TOKEN);
    await getTitle(page, 'Review').waitFor();
    await page.locator('main').getByText('Back at four').first().waitFor();
    await clickButton(page, 'Turn on now');
    await getTitle(page, 'Drained').waitFor();
  });

  it('refuses to overwrite the change of another operator, and shows the difference', async () => {
    const origin = await startWith();
    const page = await fixture.open(origin);
    await page.route('**/panel/events', (route) => route.abort());
    await signIn(page, ADMIN_TOKEN);
    await clickButton(page, 'Turn on');
    await page.getByLabel('Message to clients').fill('Back at four');
    await clickButton(page, 'Review');
    await getTitle(page, 'Review').waitFor();
    // The server has to refuse the change: the panel must not learn of the other one before.
    const refused = page.waitForResponse(/\/on$/);
    await page.route('**/panel/state', async (route) => {
      await refused;
      await route.continue();
    });
    await running.maintenance.enable({ message: 'Mine', scope: 'payments', createdBy: 'root@host' });
    await clickButton(page, 'Turn on now');
    expect((await refused).status()).toBe(409);
    await page.getByRole('heading', { name: /Changed by root@host .*: turned on payments/ }).waitFor();
    await page.getByText('message: “Mine”').waitFor();
    expect(await page.getByRole('button', { name: 'Turn on now' }).count()).toBe(0);
    expect(running.maintenance.status().windows.active).toMatchObject([{ message: 'Mine' }]);
    await check(page, 'conflict');
    await clickButton(page, 'Continue with the new state');
    await clickButton(page, 'Turn on now');
    await getTitle(page, 'Drained').waitFor();
    expect(running.maintenance.status().windows.active).toMatchObject([
      { message: 'Mine' },
      { message: 'Back at four' },
    ]);
  });

  it('shows the last known state while the storage fails, and recovers', async () => {
    const storage = new FailingStorage();
    const page = await fixture.openSignedIn(await startWith({ options: { storage } }));
    await running.maintenance.enable();
    await getTitle(page, 'Maintenance is on: everything').waitFor();
    storage.isFailing = true;
    await page.getByText('The last known state applies.').waitFor();
    await page.getByText('connection refused').waitFor();
    await expectNoChange(page);
    await check(page, 'last-known');
    storage.isFailing = false;
    await page.getByRole('link', { name: 'Turn off', exact: true }).waitFor({ timeout: 40_000 });
  }, 60_000);

  it.each(['on', 'off'] as const)('tells the fallback (%s) where no state is known', async (onStorageFailure) => {
    const storage = new FailingStorage();
    storage.isFailing = true;
    const page = await fixture.openSignedIn(await startWith({ options: { storage, onStorageFailure } }));
    await page.getByText(`onStorageFailure is “${onStorageFailure}”`).waitFor();
    await expectNoChange(page);
    await check(page, `fallback-${onStorageFailure}`);
  });

  it('replaces a corrupt state', async () => {
    const origin = await startWith();
    await running.maintenance.enable();
    const page = await fixture.openSignedIn(origin);
    chmodSync(running.stateFile, 0o600);
    writeFileSync(running.stateFile, '{"format":1,');
    await page.getByRole('heading', { name: 'The stored state is corrupt' }).waitFor();
    await check(page, 'corrupt');
    await clickLink(page, 'Turn off');
    await clickButton(page, 'Turn off now');
    await getTitle(page, 'Maintenance is off').waitFor();
    await page.getByRole('heading', { name: 'The stored state is corrupt' }).waitFor({ state: 'detached' });
    expect(running.maintenance.status()).toMatchObject({ active: false, storage: { healthy: true } });
  });

  it('warns of a scope that no handler has', async () => {
    const origin = await startWith();
    await running.maintenance.enable({ scope: 'paymentz' });
    const page = await fixture.openSignedIn(origin);
    await page.getByRole('heading', { name: 'No handler has the scope paymentz' }).waitFor();
    await clickButton(page, 'Turn on another window');
    await page.getByLabel('Scope').selectOption('Another scope');
    await page.getByLabel('Name of the scope').fill('search');
    await clickButton(page, 'Review');
    await page.getByRole('heading', { name: 'No handler has the scope search' }).waitFor();
    await check(page, 'unknown-scope');
  });

  it('tells which program is stopped when its window is turned off, and which is not', async () => {
    const storage = new MemoryStateStorage();
    const origin = await startWith({ options: { storage } });
    await running.maintenance.enable();
    // As the command `run` writes it.
    const { state, version } = (await storage.read())!;
    const windows = state.windows.map((window) => ({ ...window, isOwned: true }));
    await storage.write({ ...state, revision: 2, windows }, version);
    const page = await fixture.openSignedIn(origin);
    await page.getByText('its command has succeeded, or it is turned off').waitFor();
    const [panel] = page.url().split('#');
    await page.goto(`${panel}#off`);
    await page.getByText('The command is not stopped: it may continue while calls are admitted.').waitFor();
    await check(page, 'window-of-run');
    await running.maintenance.disable();
    // A form that was open during a change asks to look at the change first.
    await page.goto(`${panel}#now`);
    let isTold = false;
    const work = running.maintenance.during(async (signal) => {
      const aborted = once(signal, 'abort');
      await page.goto(`${panel}#off`);
      await page.getByText('A running program has this window: it is told to stop its work.').waitFor();
      await clickButton(page, 'Turn off now');
      await aborted;
      isTold = true;
    });
    await work;
    expect(isTold).toBe(true);
  });

  it('keeps what its form does not show when a planned window is edited, and tells what it can not keep', async () => {
    const origin = await startWith();
    const kept = { messages: { de: 'Gleich zurück' }, retryAfter: 7 };
    const body = { startsAt: new Date(Date.now() + 3_600_000).toISOString(), bypass: true, ...kept };
    await running.call('/maintenance-mode/on', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const [before] = running.maintenance.status().windows.planned;
    const page = await fixture.openSignedIn(origin);
    await page.goto(`${page.url().split('#')[0]}#plan`);
    await clickButton(page, /^Edit/);
    await page.getByLabel('Message').fill('Back soon');
    await clickButton(page, 'Review');
    await page.getByText('Gleich zurück, as before').waitFor();
    await page.getByRole('heading', { name: 'Its bypass link stops working' }).waitFor();
    await check(page, 'edit-planned');
    await clickButton(page, 'Plan it');
    await getTitle(page, 'Planned windows').waitFor();
    const { planned } = running.maintenance.status().windows;
    expect(planned).toEqual([expect.objectContaining({ message: 'Back soon', ...kept })]);
    expect(planned[0]!.id).not.toBe(before!.id);
  });

  it('tells that the instances are unknown where the storage keeps no reports', async () => {
    const storage = Object.assign(new MemoryStateStorage(), { report: undefined, reports: undefined });
    const origin = await startWith({ options: { storage } });
    await running.maintenance.enable();
    const page = await fixture.openSignedIn(origin);
    await clickLink(page, 'See the drain');
    await getTitle(page, 'The drain is unknown').waitFor();
    await page.getByRole('heading', { name: 'The instances are unknown' }).waitFor();
    await check(page, 'no-reports');
  });

  it('asks for the state where a proxy cuts the stream of events', async () => {
    const origin = await startWith();
    const page = await fixture.open(origin);
    await page.route('**/panel/events', (route) => route.abort());
    await signIn(page, ADMIN_TOKEN);
    await page.getByText('Every 3 s').waitFor();
    await running.maintenance.enable();
    await getTitle(page, 'Maintenance is on: everything').waitFor();
  });
});
