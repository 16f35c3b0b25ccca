import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { launchChromium } from './chromium.js';
import { PageServer } from './page-server.js';

/** Milliseconds after which an element or a condition that is waited for counts as missing. */
const WAIT_TIMEOUT_MS = 8_000;

/** One browser for the tests of a `describe`, and for each test a new server and new browser contexts. */
export class PageFixture {
  server!: PageServer;
  /** Violations of the policy, exceptions and console messages, in the order in which they came. */
  readonly problems: string[] = [];
  #browser!: Browser;
  #contexts: BrowserContext[] = [];

  /** Registers the hooks of Jest; each test fails if its pages have caused problems. */
  constructor() {
    beforeAll(async () => {
      this.#browser = await launchChromium();
    });
    afterAll(() => this.#browser?.close());
    beforeEach(async () => {
      this.server = new PageServer();
      await this.server.start();
    });
    afterEach(async () => {
      for (const context of this.#contexts.splice(0)) await context.close();
      await this.server.stop();
      expect(this.problems.splice(0)).toEqual([]);
    });
  }

  /** Opens an empty page in a context of its own. */
  async newPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext(options);
    this.#contexts.push(context);
    this.watch(context);
    return context.newPage();
  }

  /** Opens the page of the server in a context of its own. */
  async open(options?: BrowserContextOptions): Promise<Page> {
    const page = await this.newPage(options);
    await page.goto(this.server.origin);
    return page;
  }

  /** Collects the problems of all pages of a context. */
  watch(context: BrowserContext): void {
    context.setDefaultTimeout(WAIT_TIMEOUT_MS);
    context.on('weberror', (error) => this.problems.push(String(error.error())));
    context.on('console', (message) => {
      // The browser reports each response with an error status, which here is every response.
      if (message.text().startsWith('Failed to load resource:')) return;
      this.problems.push(`${message.type()}: ${message.text()}`);
    });
  }
}

/** Returns the visible text of the one element that matches. */
export function getText(page: Page, selector: string): Promise<string> {
  return page.locator(selector).innerText();
}
