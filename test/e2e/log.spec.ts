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
// eslint-disable-next-line no-control-regex -- the log must not contain these characters
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

type Url = { url: string };

/** Throws an error whose message contains text of the client. */
function throwWithUrl(request: Url): never {
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

const FAILURES: [option: string, options: MaintenanceModuleOptions, headers: Record<string, string>][] = [
  ['exempt.user', { exempt: { roles: ['admin'], user: throwWithUrl } }, {}],
  ['exempt.when', { exempt: { when: (context) => throwWithUrl(context.switchToHttp().getRequest<Url>()) } }, {}],
  ['scopesOf', { scopesOf: (context) => throwWithUrl(context.switchToHttp().getRequest<Url>()) }, {}],
  ['response.context', { response: { context: throwWithUrl } }, {}],
  ['response.type', { response: { type: throwWithUrl } }, {}],
  ['maintenance page', { response: { template: writeTemplate('{{shop}}'), context: broken } }, HTML],
];

describe.each(ADAPTERS)('the log (%s)', (adapter) => {
  let running: Running;
  let lines: string[];
  let now: jest.SpyInstance<number>;
  const record = (line: unknown): void => void lines.push(String(line));
  const logger: LoggerService = { log: record, warn: record, error: record };

  const startWith = async (options: MaintenanceModuleOptions): Promise<void> => {
    lines = [];
    running = await start(adapter, { controllers: [CatsController], create: { logger }, options });
    now = jest.spyOn(running.app.get(Clock, { strict: false }), 'now');
  };
  afterEach(() => running.close());

  it.each(FAILURES)(
    'reports failures of %s once a minute with the number of suppressed lines',
    async (option, options, headers) => {
      await startWith(options);
      // `scopesOf` is not called during a window on all scopes.
      await running.maintenance.enable(option === 'scopesOf' ? { scope: 'shop' } : {});
      const startMs = Date.now();
      now.mockReturnValue(startMs);
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
      now.mockReturnValue(startMs + 59_999);
      await refuse(1);
      expect(failures()).toHaveLength(1);
      now.mockReturnValue(startMs + 60_000);
      await refuse(5);
      expect(failures()).toHaveLength(2);
      expect(failures()[1]).toMatch(/ \(and 12 more since .+Z\)$/);
      expect(lines.filter((line) => CONTROL.test(line))).toEqual([]);
      expect(lines.join()).toContain('\\u001b[31m');
    },
  );

  it('escapes control characters in texts of operators and storages', async () => {
    await startWith({});
    lines.length = 0;
    await running.maintenance.enable({ scope: `shop ${UNSAFE}`, createdBy: `root ${UNSAFE}`, message: UNSAFE });
    expect(lines.join()).toMatch(/shop gone\\u000d\\n.*root gone\\u000d\\n/);

    writeFileSync(running.stateFile, JSON.stringify({ format: UNSAFE, [UNSAFE]: UNSAFE }));
    await expect(running.maintenance.refresh()).resolves.toBeDefined();
    await until('the log reports the storage failure', () => lines.some((line) => line.includes('fails')));
    expect(running.maintenance.status().storage.error).not.toMatch(CONTROL);
    expect(lines.filter((line) => CONTROL.test(line))).toEqual([]);
  });
});
