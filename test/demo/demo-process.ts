import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = join(__dirname, '../../apps/demo/dist/main.js');
const TOKEN = 'demo-token-known-to-all';

/** The built demo in a separate process on a free port. */
export class DemoProcess {
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;
  private url = '';
  private output = '';

  constructor(environment: NodeJS.ProcessEnv) {
    const ours = Object.entries(process.env).filter(([name]) => !name.startsWith('MAINTENANCE_'));
    const env = { ...Object.fromEntries(ours), PORT: '0', HOST: '', ...environment };
    this.child = spawn(process.execPath, [MAIN], { env });
    this.closed = once(this.child, 'close');
  }

  /** Waits for the line with the URL; resolves with the exit code if the process ends before. */
  async start(): Promise<number | null> {
    const found = new Promise<void>((resolve) => {
      for (const input of [this.child.stdout!, this.child.stderr!]) {
        createInterface({ input }).on('line', (line) => {
          this.output += `${line}\n`;
          this.url ||= /^The shop is open: (\S+)\/ /.exec(line)?.[1] ?? '';
          if (this.url) resolve();
        });
      }
    });
    await Promise.race([found, this.closed]);
    return this.child.exitCode;
  }

  async stop(): Promise<void> {
    this.child.kill();
    await this.closed;
  }

  /** Returns everything that the process has printed. */
  get printed(): string {
    return this.output;
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, { redirect: 'manual', ...init });
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const type = { 'content-type': 'application/json' };
    return this.fetch(path, { method: 'POST', headers: { ...type, ...headers }, body: JSON.stringify(body) });
  }

  /** Requests a page as a browser does. */
  async page(path: string, init: RequestInit = {}): Promise<{ status: number; html: string }> {
    const response = await this.fetch(path, { ...init, headers: { accept: 'text/html', ...init.headers } });
    expect(response.headers.get('content-type')).toContain('text/html');
    return { status: response.status, html: await response.text() };
  }

  async turn(where: 'on' | 'off', body: object = {}): Promise<void> {
    const response = await this.post(`/maintenance-mode/${where}`, body, { authorization: `Bearer ${TOKEN}` });
    expect(response.status).toBe(200);
  }
}
