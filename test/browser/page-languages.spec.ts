import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import type { PageRendererOptions } from '../../libs/maintenance/src/page/page-renderer.js';
import { BUILT_IN_LANGUAGES } from '../../libs/maintenance/src/page/page-texts.js';
import { describeWithChromium } from './chromium.js';
import { getText, PageFixture } from './page-fixture.js';

/** `SCREENSHOTS=<folder>` writes a picture of each variant, to be looked at. */
const folder = process.env.SCREENSHOTS;

const LANGUAGES = [
  ['de', 'de-DE', 'ltr', 'Bitte haben Sie etwas Geduld. Ihre Bestellungen sind sicher.'],
  ['ar', 'ar-EG', 'rtl', 'نعمل على ترقية قاعدة بياناتنا. طلباتك في أمان.'],
  ['ja', 'ja-JP', 'ltr', 'データベースを更新しています。ご注文の内容は保存されています。'],
  ['hi', 'hi-IN', 'ltr', 'हम अपने डेटाबेस को बेहतर बना रहे हैं। आपके ऑर्डर सुरक्षित हैं।'],
  ['pt', 'pt-BR', 'ltr', 'Estamos atualizando o banco de dados. Seus pedidos estão seguros.'],
  ['zh-Hans', 'zh-CN', 'ltr', '我们正在升级数据库，您的订单不会受到影响。'],
] as const;
const SCREENS = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 800 } } as const;

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 48"><rect width="48" height="48" rx="12" fill="#c2410c"/>\
<path d="M14 33 24 13l10 20z" fill="#fff"/><rect x="62" y="17" width="98" height="14" rx="7" fill="#c2410c"/></svg>`;
const WITH_LOGO: PageRendererOptions['page'] = {
  name: 'Acme',
  logo: `data:image/svg+xml;base64,${Buffer.from(LOGO).toString('base64')}`,
  accent: '#c2410c',
  statusUrl: 'https://status.acme.example',
  supportUrl: 'mailto:help@acme.example',
};

/** Returns the Intl formats that the page must show, as the browser knows them. */
function formatInBrowser(page: Page, locale: string, endsAt: number): Promise<{ time: string; left: string }> {
  return page.evaluate(
    ([language, end]) => ({
      time: new Intl.DateTimeFormat(language, {
        weekday: 'long',
        day: 'numeric',
        month: 'long',
        hour: 'numeric',
        minute: '2-digit',
        timeZoneName: 'short',
      }).format(end),
      left: new Intl.NumberFormat(language, { style: 'unit', unit: 'minute', unitDisplay: 'long' }).format(45),
    }),
    [locale, endsAt] as const,
  );
}

describeWithChromium('the built-in page', () => {
  const fixture = new PageFixture();
  beforeEach(() => {
    fixture.server.now = () => Date.parse('2027-03-07T02:15:00Z');
  });

  describe.each(LANGUAGES)('in %s', (lang, locale, direction, message) => {
    it.each(['without', 'with'] as const)('fits phones and desktops, light and dark, %s a logo', async (logo) => {
      const endsAt = Date.parse('2027-03-07T03:00:00Z');
      fixture.server.page = logo === 'with' ? WITH_LOGO : {};
      fixture.server.refusal = { message, startsAt: Date.parse('2027-03-07T02:00:00Z'), endsAt };
      for (const [screen, viewport] of Object.entries(SCREENS)) {
        for (const colorScheme of ['light', 'dark'] as const) {
          const page = await fixture.open({
            viewport,
            colorScheme,
            locale,
            timezoneId: 'Asia/Kolkata',
            reducedMotion: 'reduce',
          });
          const expected = await formatInBrowser(page, locale, endsAt);
          expect(await getText(page, 'time')).toBe(expected.time);
          expect(await getText(page, '[role=timer]')).toBe(expected.left);
          expect(await page.evaluate(() => [document.documentElement.lang, document.dir])).toEqual([lang, direction]);
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
          const { violations, incomplete } = await new AxeBuilder({ page }).analyze();
          expect({ violations, incomplete }).toEqual({ violations: [], incomplete: [] });
          if (folder === undefined) continue;
          mkdirSync(folder, { recursive: true });
          await page.screenshot({ path: join(folder, `${lang}-${screen}-${colorScheme}-${logo}-logo.png`) });
        }
      }
    });
  });

  it.each(BUILT_IN_LANGUAGES)('in %s counts down by Intl', async (lang) => {
    const endsAt = Date.parse('2027-03-07T04:16:00Z');
    for (const readOnly of [false, true]) {
      fixture.server.refusal = { endsAt, readOnly };
      const page = await fixture.open({ locale: lang, timezoneId: 'UTC' });
      const left = await page.evaluate((language) => {
        const format = (value: number, unit: string): string =>
          new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
        const parts = [format(2, 'hour'), format(1, 'minute')];
        return new Intl.ListFormat(language, { type: 'unit', style: 'short' }).format(parts);
      }, lang);
      expect(await getText(page, '[role=timer]')).toBe(left);
      expect(await page.evaluate(() => document.documentElement.lang)).toBe(lang);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    }
  });

  it('writes dates as the variant of the language that the reader has chosen', async () => {
    fixture.server.refusal = { endsAt: Date.parse('2027-03-07T15:00:00Z') };
    const times: Record<string, string> = {};
    for (const locale of ['en-US', 'en-GB', 'de-AT', 'sw-KE']) {
      times[locale] = await getText(await fixture.open({ locale, timezoneId: 'UTC' }), 'time');
    }
    expect(times['en-US']).toMatch(/March 7.*3:00\sPM/);
    expect(times['en-GB']).toMatch(/7 March.*15:00/);
    expect(times['de-AT']).toMatch(/7\. März.*15:00/);
    // The page has no Swahili: dates in it are in the language of the page.
    expect(times['sw-KE']).toMatch(/March 7/);
  });

  it.each(['#ffffff', '#000000', '#777777', '#ff0000', '#ffe600', '#3b82f6'])(
    'has enough contrast with the accent %s',
    async (accent) => {
      fixture.server.page = { ...WITH_LOGO, accent };
      fixture.server.refusal = { readOnly: true };
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await fixture.open({ colorScheme });
        const { violations, incomplete } = await new AxeBuilder({ page }).withRules('color-contrast').analyze();
        expect({ violations, incomplete }).toEqual({ violations: [], incomplete: [] });
      }
    },
  );
});
