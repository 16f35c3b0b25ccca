import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { findProgram } from '../tools/programs.js';

// A command's result and an event's parameters are whatever the DevTools protocol says; the callers know.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any;
type Listener = (params: Json) => void;
interface Pending {
  resolve: (result: Json) => void;
  reject: (error: Error) => void;
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-pipe',
];

/** Path of the browser: `CHROMIUM`, else the first that `PATH` has; `undefined` where none is installed. */
export function findChromium(): string | undefined {
  return findProgram(process.env.CHROMIUM, ['chromium', 'chromium-browser', 'google-chrome']);
}

/** A headless browser with an empty profile, driven over the DevTools protocol through two pipes: JSON, each ended by NUL. */
export class Chromium {
  private readonly pending = new Map<number, Pending>();
  private readonly listeners = new Map<string, Listener>();
  private lastId = 0;
  private unread = '';

  private constructor(
    private readonly process: ChildProcess,
    private readonly profile: string,
  ) {
    const output = this.process.stdio[4] as Readable;
    output.setEncoding('utf8').on('data', (text: string) => this.receive(text));
    (this.process.stdio[3] as Writable).on('error', () => undefined);
    this.process.once('exit', () => this.pending.forEach(({ reject }) => reject(new Error('chromium has exited'))));
  }

  static async start(executable: string): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'maintenance-page-'));
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const;
    const child = spawn(executable, [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], { stdio: [...stdio] });
    const browser = new Chromium(child, profile);
    await once(child, 'spawn');
    await browser.send('Browser.getVersion');
    return browser;
  }

  /** Opens a tab in front of the others. */
  async newPage(): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    return Page.open(this, targetId, sessionId);
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<Json> {
    const id = ++this.lastId;
    (this.process.stdio[3] as Writable).write(JSON.stringify({ id, method, params, sessionId }) + '\0');
    return new Promise((resolve, reject) => this.pending.set(id, { resolve, reject }));
  }

  /** Calls back for each event of that name in that session. */
  on(sessionId: string, event: string, listener: Listener): void {
    this.listeners.set(`${sessionId} ${event}`, listener);
  }

  async close(): Promise<void> {
    const exited = once(this.process, 'exit');
    this.send('Browser.close').catch(() => undefined);
    await exited;
    await rm(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  private receive(text: string): void {
    const messages = (this.unread + text).split('\0');
    this.unread = messages.pop() ?? '';
    for (const message of messages.map((json) => JSON.parse(json))) {
      const waiting = this.pending.get(message.id);
      this.pending.delete(message.id);
      if (message.error) waiting?.reject(new Error(message.error.message));
      else waiting?.resolve(message.result);
      this.listeners.get(`${message.sessionId} ${message.method}`)?.(message.params);
    }
  }
}

/** One tab. */
export class Page {
  /** Violations of the policy, exceptions and console messages, in the order in which they came. */
  readonly problems: string[] = [];
  private loaded: () => void = () => undefined;

  private constructor(
    private readonly browser: Chromium,
    private readonly targetId: string,
    private readonly sessionId: string,
  ) {}

  static async open(browser: Chromium, targetId: string, sessionId: string): Promise<Page> {
    const page = new Page(browser, targetId, sessionId);
    const on = (event: string, listener: Listener): void => browser.on(sessionId, event, listener);
    on('Page.loadEventFired', () => page.loaded());
    on('Runtime.exceptionThrown', ({ exceptionDetails }) => page.problems.push(JSON.stringify(exceptionDetails)));
    on('Runtime.consoleAPICalled', ({ type, args }) => page.problems.push(`${type}: ${JSON.stringify(args)}`));
    // The browser also reports each answer with an error status, which here is every answer.
    on(
      'Log.entryAdded',
      ({ entry }) => entry.source !== 'network' && page.problems.push(`${entry.source}: ${entry.text}`),
    );
    for (const domain of ['Page', 'Runtime', 'Log']) await page.send(`${domain}.enable`);
    return page;
  }

  send(method: string, params?: object): Promise<Json> {
    return this.browser.send(method, params, this.sessionId);
  }

  /** Loads an address and waits until it is there. */
  async goto(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => (this.loaded = resolve));
    await this.send('Page.navigate', { url });
    await loaded;
  }

  /** The value of an expression in the page, awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value as T;
  }

  /** Waits until an expression is true. Navigation in between is no error: the next document is asked. */
  async until(expression: string, timeout = 8000): Promise<void> {
    const deadline = Date.now() + timeout;
    while (!(await this.evaluate<boolean>(`Boolean(${expression})`).catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`not within ${timeout} ms: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Runs a script before those of each document that is loaded from now on. */
  async beforeLoad(source: string): Promise<void> {
    await this.send('Page.addScriptToEvaluateOnNewDocument', { source });
  }

  async resize(width: number, height: number): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 500 });
  }

  /** Media features such as `prefers-color-scheme`. */
  async media(features: Record<string, string>): Promise<void> {
    const list = Object.entries(features).map(([name, value]) => ({ name, value }));
    await this.send('Emulation.setEmulatedMedia', { features: list });
  }

  /** Brings the tab to the front, which hides the one that was there. */
  async activate(): Promise<void> {
    await this.browser.send('Target.activateTarget', { targetId: this.targetId });
  }

  async screenshot(path: string): Promise<void> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    await writeFile(path, Buffer.from(data as string, 'base64'));
  }

  async close(): Promise<void> {
    await this.browser.send('Target.closeTarget', { targetId: this.targetId });
  }
}
