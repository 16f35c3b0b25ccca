import { Controller, Get, Inject, Module } from '@nestjs/common';
import { MaintenanceService, type EnableOptions, type PageOptions, type ResponseOptions } from 'nestjs-maintenance';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { CatsController } from './controllers.js';

const HTML = 'text/html';

describe.each(ADAPTERS)('the language of a refusal (%s)', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  const startActive = async (
    window: EnableOptions = {},
    response: ResponseOptions = {},
    setup: Setup = {},
  ): Promise<void> => {
    running = await start(adapter, { controllers: [CatsController], ...setup, options: { response } });
    await running.maintenance.enable(window);
  };
  const ask = (language: string | undefined, accept = 'application/json', path = '/cats') =>
    running.call(path, { headers: { accept, ...(language !== undefined && { 'accept-language': language }) } });

  it.each([
    ['de', 'de', 'ltr', 'Wartungsarbeiten'],
    ['de-AT,de;q=0.9,en;q=0.8', 'de', 'ltr', 'Wartungsarbeiten'],
    ['en-GB,en;q=0.5', 'en', 'ltr', 'Down for maintenance'],
    ['sw, tlh;q=0.9', 'en', 'ltr', 'Down for maintenance'],
    ['sw, fr;q=0.3, de;q=0.4', 'de', 'ltr', 'Wartungsarbeiten'],
    ['fr;q=0, de;q=0.1', 'de', 'ltr', 'Wartungsarbeiten'],
    ['*', 'en', 'ltr', 'Down for maintenance'],
    ['', 'en', 'ltr', 'Down for maintenance'],
    [undefined, 'en', 'ltr', 'Down for maintenance'],
    ['%,;;q=x,\u00e4', 'en', 'ltr', 'Down for maintenance'],
    ['ar-EG', 'ar', 'rtl', 'تحت الصيانة'],
    ['he', 'he', 'rtl', 'בתחזוקה'],
    ['iw', 'he', 'rtl', 'בתחזוקה'],
    ['pt-BR,pt;q=0.9', 'pt', 'ltr', 'Em manutenção'],
    ['zh-CN,zh;q=0.9', 'zh-Hans', 'ltr', '系统维护中'],
    ['zh-TW,zh;q=0.9', 'zh-Hant', 'ltr', '系統維護中'],
    ['zh', 'zh-Hans', 'ltr', '系统维护中'],
    ['nb-NO,nb;q=0.9', 'no', 'ltr', 'Vedlikehold pågår'],
    ['JA', 'ja', 'ltr', 'メンテナンス中です'],
  ])('of a page for %j is %s', async (header, lang, dir, title) => {
    await startActive();
    for (const path of ['/cats', '/nowhere']) {
      // The first is rendered for this request, the second comes from the cache.
      for (let round = 0; round < 2; round++) {
        const page = await ask(header, HTML, path);
        expect(page.status).toBe(503);
        expect(page.headers).toMatchObject({
          'content-language': lang,
          vary: 'Accept, Accept-Language',
          'content-length': String(Buffer.byteLength(page.text)),
        });
        expect(page.text).toContain(`<html lang="${lang}" dir="${dir}">`);
        expect(page.text).toContain(`<h1>${title}</h1>`);
      }
    }
  });

  it('of a problem document follows too, at the edge and at the guard', async () => {
    for (const extras of [{}, { mount: { edge: false } }]) {
      await startActive({}, {}, { extras });
      for (let round = 0; round < 2; round++) {
        const reply = await ask('de');
        expect(reply.headers).toMatchObject({
          'content-type': 'application/problem+json',
          'content-language': 'de',
          vary: 'Accept, Accept-Language',
        });
        const detail = 'Der Dienst wird gerade gewartet. Bitte versuchen Sie es später noch einmal.';
        expect(reply.json()).toMatchObject({
          title: 'Dienst nicht verfügbar',
          detail,
          message: detail,
          error: 'Service Unavailable',
          errorCode: 'MAINTENANCE',
          status: 503,
        });
      }
      expect((await ask('en')).json()).toMatchObject({ title: 'Service Unavailable', error: 'Service Unavailable' });
      await running.close();
    }
    await startActive({ mode: 'read-only' });
    const post = await running.call('/cats', { method: 'POST', headers: { 'accept-language': 'fr' } });
    expect(post.json<{ detail: string }>().detail).toMatch(/^Le service est en lecture seule/);
  });

  it('of the answer to HEAD is that of GET', async () => {
    await startActive();
    const head = await running.call('/cats', { method: 'HEAD', headers: { accept: HTML, 'accept-language': 'ja' } });
    const get = await ask('ja', HTML);
    expect(head.text).toBe('');
    expect(head.headers).toMatchObject({
      'content-language': 'ja',
      vary: 'Accept, Accept-Language',
      'content-length': get.headers['content-length'],
    });
  });

  it('of a message is that of the reader, where the window has one', async () => {
    const messages = { de: 'Gleich <zurück>', 'pt-BR': 'Já voltamos', sw: 'Tunarudi', fr: '' };
    await startActive({ message: 'Back soon', messages });
    expect(running.maintenance.status().windows.active[0]?.messages).toEqual({
      de: 'Gleich <zurück>',
      'pt-BR': 'Já voltamos',
      sw: 'Tunarudi',
    });
    for (const [language, detail, contentLanguage] of [
      ['de-CH', 'Gleich <zurück>', 'de'],
      ['pt-BR', 'Já voltamos', 'pt-BR'],
      ['pt', 'Já voltamos', 'pt-BR'],
      ['fr', 'Back soon', 'fr'],
      ['sw,en;q=0.5', 'Tunarudi', 'sw'],
      ['en,de;q=0.5', 'Back soon', 'en'],
      [undefined, 'Back soon', 'en'],
    ] as const) {
      const reply = await ask(language);
      expect([language, reply.json().detail, reply.headers['content-language']]).toEqual([
        language,
        detail,
        contentLanguage,
      ]);
    }
    expect((await ask('de', HTML)).text).toContain('<p class="message" dir="auto">Gleich &lt;zurück&gt;</p>');
    // The page has no Swahili, so the message names its own language.
    const mixed = await ask('sw', HTML);
    expect(mixed.headers['content-language']).toBe('en');
    expect(mixed.text).toContain('<html lang="en" dir="ltr">');
    expect(mixed.text).toContain('<p class="message" dir="auto" lang="sw">Tunarudi</p>');

    await running.maintenance.enable({ messages: { de: 'Es dauert länger' } });
    expect((await ask('de')).json().detail).toBe('Es dauert länger');
    expect((await ask('sw')).json().detail).toBe('Back soon');
    await running.maintenance.enable({ messages: null });
    expect((await ask('de')).json().detail).toBe('Back soon');
  });

  it('of readers who know none is the first of the languages of the application', async () => {
    const languages: PageOptions['languages'] = {
      'de-at': { title: 'Sind gleich wieder da', message: 'Servus' },
      eo: { title: 'Prizorgado' },
    };
    await startActive({}, { page: { languages } });
    expect((await ask('sw')).json()).toMatchObject({ detail: 'Servus', title: 'Dienst nicht verfügbar' });
    expect((await ask(undefined)).headers['content-language']).toBe('de-AT');
    const added = await ask('eo', HTML);
    expect(added.headers['content-language']).toBe('eo');
    // Missing texts are in English.
    expect(added.text).toMatch(/<h1>Prizorgado<\/h1>[^]*>Try again</);
    expect((await ask('de', HTML)).text).toContain('<h1>Wartungsarbeiten</h1>');
    expect((await ask('de-AT', HTML)).text).toMatch(/<h1>Sind gleich wieder da<\/h1>[^]*>Erneut versuchen</);
  });

  it('is read in a long header up to a limit', async () => {
    await startActive();
    expect((await ask(`de,${'xx;q=0.1,'.repeat(700)}`)).headers['content-language']).toBe('de');
    expect((await ask(`${'xx,'.repeat(700)}de`)).headers['content-language']).toBe('en');
  });

  it('is added to the Vary header of the application', async () => {
    await startActive({}, {}, { main: (app) => app.enableCors({ origin: ['https://shop.example'] }) });
    const reply = await running.call('/cats', { headers: { origin: 'https://shop.example' } });
    expect(reply.headers.vary).toBe('Origin, Accept, Accept-Language');
  });

  it('is decided for messages that the endpoint sets', async () => {
    const adminToken = 'a-token-of-16-characters';
    running = await start(adapter, { controllers: [CatsController], options: { adminToken }, extras: { admin: true } });
    const on = (body: object) =>
      running.call('/maintenance-mode/on', {
        method: 'POST',
        headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect((await on({ message: 'Back soon', messages: { 'zh-tw': '馬上回來' } })).status).toBe(200);
    expect((await ask('zh-Hant-TW')).json().detail).toBe('馬上回來');
    expect(await on({ messages: { 'de_DE!': 'x' } })).toMatchObject({
      status: 400,
      text: expect.stringContaining('is no language tag'),
    });
    expect((await on({ messages: { de: 5 } })).text).toContain('`messages.de` must be a string');
    expect((await on({ messages: ['de'] })).status).toBe(400);
  });

  it('does not change what handlers answer', async () => {
    @Controller('open')
    class OpenController {
      constructor(@Inject(MaintenanceService) private readonly maintenance: MaintenanceService) {}

      @Get()
      get(): boolean {
        return this.maintenance.isActive();
      }
    }
    @Module({ controllers: [OpenController] })
    class OpenModule {}
    running = await start(adapter, { imports: [OpenModule] });
    expect((await ask('de', 'application/json', '/open')).headers).not.toHaveProperty('content-language');
  });
});
