import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoggerService } from '@nestjs/common';
import { Clock, type MaintenanceModuleOptions } from 'nestjs-maintenance';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running } from './application.js';
import { CatsController } from './controllers.js';

const HTML = { accept: 'text/html' };
const UNSAFE = 'gone\r\n\u001b[31m[Nest] ERROR\u2028\u202eeverything\u009b0m';
// eslint-disable-next-line no-control-regex -- these are what must not get there
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

type Url = { url: string };

/** What a client can make the application throw. */
function failFor(request: Url): never {
  throw new Error(`no such user: ${decodeURIComponent(request.url)}`);
}

function writeTemplate(source: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'template-')), 'page.hbs');
  writeFileSync(file, source);
  return file;
}

const broken = (): object => ({
  shop: {
    toString: () => {
      throw new Error(UNSAFE);
    },
  },
});

const KINDS: [option: string, options: MaintenanceModuleOptions, headers: Record<string, string>][] = [
  ['exempt.user', { exempt: { roles: ['admin'], user: failFor } }, {}],
  ['exempt.when', { exempt: { when: (context) => failFor(context.switchToHttp().getRequest<Url>()) } }, {}],
  ['scopesOf', { scopesOf: (context) => failFor(context.switchToHttp().getRequest<Url>()) }, {}],
  ['response.context', { response: { context: failFor } }, {}],
  ['response.type', { response: { type: failFor } }, {}],
  ['maintenance page', { response: { template: writeTemplate('{{shop}}'), context: broken } }, HTML],
];

describe.each(ADAPTERS)('the log on %s', (adapter) => {
  let running: Running;
  let lines: string[];
  let now: jest.SpyInstance<number>;
  const note = (line: unknown): void => void lines.push(String(line));
  const logger: LoggerService = { log: note, warn: note, error: note };

  const startWith = async (options: MaintenanceModuleOptions): Promise<void> => {
    lines = [];
    running = await start(adapter, { controllers: [CatsController], create: { logger }, options });
    now = jest.spyOn(running.app.get(Clock, { strict: false }), 'now');
  };
  afterEach(() => running.close());

  it.each(KINDS)('has one line a minute about %s, with the number of the others', async (option, options, headers) => {
    await startWith(options);
    // The window on a scope is there for `scopesOf`, which is not asked where one on everything refuses.
    await running.maintenance.enable(option === 'scopesOf' ? { scope: 'shop' } : {});
    const began = Date.now();
    now.mockReturnValue(began);
    lines.length = 0;
    const refuse = async (times: number): Promise<void> => {
      for (let count = 0; count < times; count++) {
        const path = `/cats/${encodeURIComponent(`${UNSAFE} ${count}`).replace(/%5B/g, '[').replace(/%2F/g, '')}`;
        expect((await running.call(path, { headers })).status).toBe(503);
      }
    };
    const failures = (): string[] => lines.filter((line) => line.includes(option));

    await refuse(12);
    expect(failures()).toHaveLength(1);
    now.mockReturnValue(began + 59_999);
    await refuse(1);
    expect(failures()).toHaveLength(1);
    now.mockReturnValue(began + 60_000);
    await refuse(5);
    expect(failures()).toHaveLength(2);
    expect(failures()[1]).toMatch(/ \(and 12 more since .+Z\)$/);
    expect(lines.filter((line) => CONTROL.test(line))).toEqual([]);
    expect(lines.join()).toContain('\\u001b[31m');
  });

  it('shows what operators and storages wrote, and obeys nothing in it', async () => {
    await startWith({});
    lines.length = 0;
    await running.maintenance.enable({ scope: `shop ${UNSAFE}`, createdBy: `root ${UNSAFE}`, message: UNSAFE });
    expect(lines.join()).toMatch(/shop gone\\u000d\\n.*root gone\\u000d\\n/);

    writeFileSync(running.stateFile, JSON.stringify({ format: UNSAFE, [UNSAFE]: UNSAFE }));
    await expect(running.maintenance.refresh()).resolves.toBeDefined();
    await until('the log tells of the storage', () => lines.some((line) => line.includes('fails')));
    expect(running.maintenance.status().storage.error).not.toMatch(CONTROL);
    expect(lines.filter((line) => CONTROL.test(line))).toEqual([]);
  });
});
