import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoggerService } from '@nestjs/common';
import type { MaintenanceModuleOptions } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { shortenTimers } from './short-timers.js';
import { CatsController } from './controllers.js';

const HTML = { accept: 'text/html' };
const never = (): Promise<never> => new Promise(() => undefined);

function writeTemplate(source: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'template-')), 'page.hbs');
  writeFileSync(file, source);
  return file;
}

describe.each(ADAPTERS)('callbacks of the application during a refusal (%s)', (adapter) => {
  let running: Running;
  let errors: string[];
  const logger: LoggerService = {
    log: () => undefined,
    warn: () => undefined,
    error: (line) => void errors.push(String(line)),
  };
  const startActive = async (options: MaintenanceModuleOptions, setup: Setup = {}): Promise<Running['call']> => {
    errors = [];
    running = await start(adapter, { controllers: [CatsController], create: { logger }, ...setup, options });
    await running.maintenance.enable({ message: 'Back soon' });
    return running.call;
  };
  afterEach(async () => {
    jest.restoreAllMocks();
    await running.close();
  });

  describe.each([true, false])('mount.edge: %s', (edge) => {
    const setup = { extras: { mount: { edge } } };

    it.each<[string, MaintenanceModuleOptions]>([
      ['response.context', { response: { context: never } }],
      ['response.type', { response: { type: never as never } }],
      ['exempt.user', { exempt: { roles: ['admin'], user: never } }],
      ['exempt.when', { exempt: { when: never } }],
    ])('responds with 503 after 5 s if `%s` never settles', async (option, options) => {
      const call = await startActive({ ...options, storage: new MemoryStateStorage() }, setup);
      const delays = shortenTimers(running.app);
      const replies = await Promise.all([call('/cats'), call('/cats'), call('/cats', { headers: HTML })]);
      expect(replies.map(({ status }) => status)).toEqual([503, 503, 503]);
      expect(replies[0]?.json()).toMatchObject({ status: 503, message: 'Back soon' });
      expect(replies[2]?.headers['content-type']).toMatch(/html/);
      expect(delays).toContain(5_000);
      expect(errors).toEqual([expect.stringContaining(`\`${option}\``)]);
      expect(errors[0]).toContain('no answer within 5 s');
    });

    it('calls `response.context` once per request', async () => {
      let calls = 0;
      const call = await startActive({ response: { context: () => ({ calls: ++calls }) } }, setup);
      expect((await call('/cats')).json()).toMatchObject({ calls: 1 });
      expect((await call('/cats')).json()).toMatchObject({ calls: 2 });
    });

    it.each<[string, unknown]>([
      ['a string', 'text'],
      ['an array', ['a']],
      ['an instance of Date', new Date()],
      ['an instance of Map', new Map([['a', 1]])],
      ['an object with a prototype', Object.create({ toJSON: () => 'replaced' })],
      ['a function', () => 'replaced'],
      ['a number', 7],
      ['null', null],
      ['undefined', undefined],
    ])('ignores the result of `response.context` and logs one error if it returns %s', async (kind, given) => {
      const context = (): never => given as never;
      const call = await startActive({ response: { context, template: writeTemplate('{{title}}|{{0}}') } }, setup);
      for (let round = 0; round < 3; round++) {
        const body = (await call('/cats')).json();
        expect(body).toMatchObject({ status: 503, message: 'Back soon', mode: 'full' });
        expect(Object.keys(body)).not.toContain('0');
        expect((await call('/cats', { headers: HTML })).text).toBe('Down for maintenance|');
      }
      expect(errors).toEqual([expect.stringMatching(/`response\.context` returned .* must return a plain object/)]);
      if (kind !== 'an object with a prototype') expect(errors[0]).toContain(`returned ${kind},`);
    });

    it('does not let `response.context` override built-in members', async () => {
      const hostile = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"a":1}}') as object;
      const context = (): object => ({
        ...hostile,
        ...Object.fromEntries(Object.entries(hostile)),
        toJSON: () => ({ replaced: true }),
        status: 200,
        statusCode: 200,
        title: 'All is well',
        message: 'never',
        retryAfter: 0,
        endsAt: 'never',
        mode: 'never',
        scope: 'never',
        secondsLeft: 'never',
        shop: 'Cats',
        nested: { toJSON: () => 'as JSON' },
      });
      const template = writeTemplate(
        '{{title}}|{{message}}|{{statusCode}}|{{mode}}|{{secondsLeft}}|{{endsAt}}|{{shop}}',
      );
      const call = await startActive({ response: { context, template } }, setup);
      const reply = await call('/cats');
      expect(reply.json()).toMatchObject({
        status: 503,
        statusCode: 503,
        title: 'Service Unavailable',
        message: 'Back soon',
        retryAfter: 3600,
        endsAt: null,
        mode: 'full',
        scope: '*',
        shop: 'Cats',
        nested: 'as JSON',
      });
      expect(reply.text).not.toMatch(/__proto__|polluted|replaced|toJSON/);
      expect(reply.status).toBe(503);
      expect((await call('/cats', { headers: HTML })).text).toBe('Down for maintenance|Back soon|503|full|||Cats');
      expect(errors).toEqual([]);
    });
  });
});

describe.each(ADAPTERS)('shutdown (%s)', (adapter) => {
  it.each<[string, (storage: MemoryStateStorage) => void]>([
    ['close()', (storage) => void Object.assign(storage, { close: never })],
    ['the end of watch()', (storage) => void Object.assign(storage, { watch: () => Promise.resolve(never) })],
  ])('completes although %s of the storage never settles', async (_, override) => {
    const storage = new MemoryStateStorage();
    override(storage);
    const { app, close } = await start(adapter, { options: { storage } });
    shortenTimers(app);
    // Nest 11 rethrows errors of shutdown hooks, Nest 12 does not.
    await close().catch((error: unknown) => expect(String(error)).toContain('no answer within 5 s'));
    jest.restoreAllMocks();
  });
});
