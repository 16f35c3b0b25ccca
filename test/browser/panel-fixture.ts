import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { launchChromium } from './chromium.js';

export const ADMIN_TOKEN = 'admin-token-of-the-panel';
export const VIEWER_TOKEN = 'viewer-token-of-the-panel';

/** The folder for pictures of all screens, to look at: nothing compares them. */
const { PANEL_SCREENSHOTS } = process.env;
const WAIT_TIMEOUT_MS = 10_000;
const MIN_TARGET_PX = 48;

/** One browser for the tests of a `describe`. A test fails if a page has caused problems. */
export class PanelFixture {
  /** Violations of the policy, exceptions and errors in the console. */
  readonly problems: string[] = [];
  #browser!: Browser;
  #contexts: BrowserContext[] = [];

  /** Registers the hooks of Jest. */
  constructor() {
    if (PANEL_SCREENSHOTS) mkdirSync(PANEL_SCREENSHOTS, { recursive: true });
    beforeAll(async () => {
      this.#browser = await launchChromium();
    });
    afterAll(() => this.#browser?.close());
    afterEach(async () => {
      for (const context of this.#contexts.splice(0)) await context.close();
      expect(this.problems.splice(0)).toEqual([]);
    });
  }

  /** Opens the panel in a context of its own. */
  async open(origin: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      viewport: { width: 1280, height: 900 },
      timezoneId: 'Europe/Rome',
      ...options,
    });
    this.#contexts.push(context);
    context.setDefaultTimeout(WAIT_TIMEOUT_MS);
    context.on('weberror', (error) => this.problems.push(String(error.error())));
    context.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type()) || message.text().startsWith('Failed to load resource:'))
        return;
      this.problems.push(`${message.type()}: ${message.text()}`);
    });
    const page = await context.newPage();
    await page.goto(`${origin}/maintenance-mode/panel`);
    return page;
  }

  /** Opens the panel and signs in. */
  async openSignedIn(origin: string, token = ADMIN_TOKEN, options?: BrowserContextOptions): Promise<Page> {
    const page = await this.open(origin, options);
    await signIn(page, token);
    await getTitle(page, /^Maintenance is/).waitFor();
    return page;
  }
}

export async function signIn(page: Page, token: string, name = ''): Promise<void> {
  await page.getByLabel('Token').fill(token);
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Returns the heading of the screen. */
export function getTitle(page: Page, name: string | RegExp): Locator {
  return page.getByRole('heading', { level: 1, name });
}

export function clickButton(page: Page, name: string | RegExp): Promise<void> {
  return page.getByRole('button', { name, exact: true }).click();
}

export function clickLink(page: Page, name: string | RegExp): Promise<void> {
  return page.getByRole('link', { name, exact: true }).click();
}

const SIZES = [320, 375, 1280];
const SCHEMES = ['light', 'dark'] as const;

/** Expects that a screen can be used by everyone, at each width, light and dark. */
export async function expectAccessible(page: Page, name: string, sizes = SIZES): Promise<void> {
  for (const width of sizes) {
    await page.setViewportSize({ width, height: width < 500 ? 700 : 900 });
    const { overflow, smallTargets } = await page.evaluate(measure, MIN_TARGET_PX);
    expect([name, width, overflow, smallTargets]).toEqual([name, width, 0, []]);
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      if (PANEL_SCREENSHOTS) {
        const path = join(PANEL_SCREENSHOTS, `${name}-${width}-${colorScheme}.png`);
        await page.screenshot({ path, fullPage: true });
      }
      if (width === sizes[0]) expect([name, colorScheme, await findViolations(page)]).toEqual([name, colorScheme, []]);
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}

async function findViolations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  // Scripts, and so axe, can't run in the frame of the preview; test/browser/page-layout.spec.ts checks that page.
  return page.evaluate(async () => {
    const { run } = (globalThis as unknown as { axe: typeof axe }).axe;
    const { violations, incomplete } = await run(document, { iframes: false });
    return [...violations, ...incomplete]
      .filter(({ id }) => id !== 'frame-tested')
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

function measure(minTarget: number): { overflow: number; smallTargets: string[] } {
  const targets = [...document.querySelectorAll('.button, button, nav a, select, textarea, input, .choice')];
  const isSmall = (target: Element): boolean => {
    const { width, height } = (target.closest('.choice') ?? target).getBoundingClientRect();
    return width > 0 && (width < minTarget || height < minTarget);
  };
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    smallTargets: targets.filter(isSmall).map(({ outerHTML }) => outerHTML),
  };
}
