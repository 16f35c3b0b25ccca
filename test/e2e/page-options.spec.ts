import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { PageContext, ResponseOptions } from 'nestjs-maintenance';
import { ADAPTERS, start, type Running } from './application.js';
import type { Reply } from './client.js';
import { CatsController } from './controllers.js';

const HTML = { accept: 'text/html', 'accept-language': 'de' };
const folder = mkdtempSync(join(tmpdir(), 'page-'));
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="9"/></svg>';
const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(40)]);

function write(name: string, content: string | Buffer): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

describe.each(ADAPTERS)('the options of the page (%s)', (adapter) => {
  let running: Running | undefined;
  afterEach(async () => {
    await running?.close();
    running = undefined;
    jest.restoreAllMocks();
  });

  const startActive = async (response: ResponseOptions): Promise<void> => {
    running = await start(adapter, { controllers: [CatsController], options: { response } });
    await running.maintenance.enable({ message: 'Bis <gleich>' });
  };
  const ask = (headers: Record<string, string> = HTML): Promise<Reply> => running!.call('/cats', { headers });

  it('show name, logo, color and links, under a policy that admits them', async () => {
    const logo = write('logo.svg', SVG);
    await startActive({
      page: {
        name: 'Acme & Co',
        logo,
        accent: 'hsl(0 100% 50%)',
        statusUrl: 'https://status.acme.example',
        supportUrl: 'tel:+123',
      },
    });
    const { text, headers } = await ask();
    expect(text).toContain('<title>Wartungsarbeiten – Acme &amp; Co</title>');
    const data = Buffer.from(SVG).toString('base64').replaceAll('=', '&#x3D;');
    expect(text).toContain(`<img src="data:image/svg+xml;base64,${data}" alt="Acme &amp; Co">`);
    expect(text).toContain(':root{--accent:#ff0000;--on-accent:#000000;}</style>');
    expect(text).toContain('<a href="https://status.acme.example">Dienststatus</a>');
    expect(text).toContain('<a href="tel:+123">Support kontaktieren</a>');
    const { createHash } = await import('node:crypto');
    const style = /<style>([^]*?)<\/style>/.exec(text)![1]!;
    const hash = createHash('sha256').update(style).digest('base64');
    expect(headers['content-security-policy']).toContain(`style-src 'sha256-${hash}'`);
    expect(headers['content-security-policy']).toContain('img-src data:');
  });

  it.each([
    ['a PNG', () => write('logo.bin', PNG), 'data:image/png;base64,'],
    ['a data URL', () => 'data:image/webp;base64,UklGRg==', 'data:image/webp;base64,UklGRg'],
  ])('take %s as the logo', async (_name, create, expected) => {
    await startActive({ page: { logo: create() } });
    expect((await ask()).text).toContain(`<img src="${expected}`);
  });

  it.each<[string, () => ResponseOptions, RegExp]>([
    ['a missing logo', () => ({ page: { logo: 'no/such.png' } }), /response\.page\.logo.*no\/such\.png.*ENOENT/],
    [
      'a logo that is too large',
      () => ({ page: { logo: write('large.png', Buffer.concat([PNG, Buffer.alloc(70_000)])) } }),
      /response\.page\.logo.*70048 bytes.*at most 65536 bytes/,
    ],
    [
      'a data URL that is too large',
      () => ({ page: { logo: `data:image/png;base64,${'A'.repeat(90_000)}` } }),
      /response\.page\.logo.*at most 65536 bytes/,
    ],
    ['a device as the logo', () => ({ page: { logo: '/dev/null' } }), /response\.page\.logo.*it is not a file/],
    ['a logo that is no image', () => ({ page: { logo: write('logo.png', 'hello') } }), /is not an AVIF, GIF/],
    ['a data URL of text', () => ({ page: { logo: 'data:text/html,<b>' } }), /response\.page\.logo.*data URL/],
    ['an unknown color', () => ({ page: { accent: 'red;}' } }), /`response\.page\.accent` must be an opaque color/],
    ['a script as a link', () => ({ page: { statusUrl: 'javascript:alert(1)' } }), /`response\.page\.statusUrl` must/],
    ['an empty name', () => ({ page: { name: '' } }), /`response\.page\.name` must be a string that is not empty/],
    ['an unknown option', () => ({ page: { color: '#fff' } as never }), /unknown option `response\.page\.color`/],
    [
      'a language that is none',
      () => ({ page: { languages: { de_DE: {} } } }),
      /`response\.page\.languages\.de_DE` must be named by a language tag/,
    ],
    [
      'an unknown text',
      () => ({ page: { languages: { de: { tittle: 'x' } } } as never }),
      /`response\.page\.languages\.de\.tittle` must be named as one of title, message/,
    ],
    [
      'a text that is none',
      () => ({ page: { languages: { de: { title: 5 } } } as never }),
      /`response\.page\.languages\.de\.title` must be a string/,
    ],
    [
      'a template beside render',
      () => ({ template: write('page.hbs', ''), render: () => '' }),
      /`response\.render` and the option `response\.template` both make the page/,
    ],
  ])('stop the application at boot for %s', async (_name, create, message) => {
    await expect(start(adapter, { options: { response: create() } })).rejects.toThrow(message);
  });

  it('come from the environment, which an error names', async () => {
    process.env.MAINTENANCE_PAGE_NAME = 'Acme';
    process.env.MAINTENANCE_PAGE_STATUS_URL = 'https://status.acme.example/';
    process.env.MAINTENANCE_PAGE_SUPPORT_URL = 'mailto:help@acme.example';
    try {
      await startActive({});
      expect((await ask()).text).toMatch(/– Acme<\/title>[^]*status\.acme\.example\/"[^]*mailto:help@acme\.example"/);
      process.env.MAINTENANCE_PAGE_SUPPORT_URL = 'ftp://acme.example';
      await expect(start(adapter)).rejects.toThrow(/environment variable MAINTENANCE_PAGE_SUPPORT_URL, must be/);
    } finally {
      for (const name of ['NAME', 'STATUS_URL', 'SUPPORT_URL']) delete process.env[`MAINTENANCE_PAGE_${name}`];
    }
  });

  it('render the page by the application, with context and request', async () => {
    const contexts: PageContext[] = [];
    await startActive({
      page: { name: 'Acme' },
      context: () => ({ shop: 'north', message: 'never' }),
      render: async (context, request: { url: string }) => {
        contexts.push(context);
        return `<!doctype html><html lang="${context.lang}"><p>${request.url} ${String(context.shop)}</p>`;
      },
    });
    const page = await ask();
    expect(page.text).toBe('<!doctype html><html lang="de"><p>/cats north</p>');
    expect(page).toMatchObject({
      status: 503,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'content-language': 'de',
        'cache-control': 'no-store',
        'retry-after': '3600',
        vary: 'Accept, Accept-Language',
      },
    });
    expect(page.headers).not.toHaveProperty('content-security-policy');
    expect(contexts[0]).toMatchObject({
      lang: 'de',
      dir: 'ltr',
      title: 'Wartungsarbeiten',
      message: 'Bis <gleich>',
      name: 'Acme',
      mode: 'full',
      readOnly: false,
      statusCode: 503,
    });
    expect(contexts[0]?.texts.tryAgain).toBe('Erneut versuchen');
    expect((await ask({ accept: 'application/json' })).json()).toMatchObject({ shop: 'north', status: 503 });
    expect(contexts).toHaveLength(1);
  });

  it.each<[string, ResponseOptions['render'], RegExp]>([
    [
      'throws',
      () => {
        throw new Error('no view');
      },
      /`response\.render` failed.*no view/,
    ],
    ['rejects', () => Promise.reject(new Error('no view')), /`response\.render` failed.*no view/],
    ['returns no string', (() => null) as never, /`response\.render` failed.*must return a string, not null/],
  ])('send the built-in page if render %s', async (_name, render, message) => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    await startActive({ render });
    for (let round = 0; round < 3; round++) {
      const page = await ask();
      expect(page).toMatchObject({ status: 503, headers: { 'content-language': 'de' } });
      expect(page.text).toContain('<h1>Wartungsarbeiten</h1>');
      expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    }
    expect(logged.mock.calls).toEqual([[expect.stringMatching(message)]]);
  });

  it('send the built-in page if render takes longer than 2 seconds', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    await startActive({ render: () => new Promise<string>(() => undefined) });
    const startedAt = performance.now();
    expect((await ask()).text).toContain('<h1>Wartungsarbeiten</h1>');
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
    expect(logged.mock.calls).toEqual([[expect.stringContaining('no answer within 2 s')]]);
  });

  it('give a template the texts of the language, and Content-Language by its html element', async () => {
    const template = write('own.hbs', '<html dir="{{dir}}" lang="{{lang}}"><h1>{{name}}</h1>{{texts.tryAgain}}');
    await startActive({ template, page: { name: 'Acme' } });
    expect(await ask()).toMatchObject({
      text: '<html dir="ltr" lang="de"><h1>Acme</h1>Erneut versuchen',
      headers: { 'content-language': 'de' },
    });
    const arabic = await ask({ ...HTML, 'accept-language': 'ar' });
    expect(arabic).toMatchObject({
      text: '<html dir="rtl" lang="ar"><h1>Acme</h1>إعادة المحاولة',
      headers: { 'content-language': 'ar' },
    });
    await running!.close();
    await startActive({ template: write('english.hbs', '<h1>Closed</h1>') });
    expect((await ask()).headers).not.toHaveProperty('content-language');
  });
});
