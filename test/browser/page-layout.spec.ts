import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { describeWithChromium } from './chromium.js';
import { getText, PageFixture } from './page-fixture.js';

const PICTURE_SIZE = { width: 1200, height: 750 };
/** `UPDATE_PICTURES=1 npx jest --selectProjects process --testPathPatterns page-layout` writes the pictures. */
const updatesPictures = Boolean(process.env.UPDATE_PICTURES);

const seconds = (count: number): number => Date.now() + count * 1000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Returns the contrast of each text (WCAG 2.2, success criterion 1.4.3); fails where axe rejects or skips any. */
async function measureContrast(page: Page): Promise<number[]> {
  const results = await new AxeBuilder({ page }).withRules('color-contrast').analyze();
  expect(results.violations).toEqual([]);
  expect(results.incomplete).toEqual([]);
  return results.passes.flatMap(({ nodes }) => nodes.map(({ any }) => any[0]!.data.contrastRatio as number));
}

describeWithChromium('the built-in page', () => {
  const fixture = new PageFixture();

  describe('layout', () => {
    const longMessage = `First line.\nSecond line with ${'a-very-long-address.'.repeat(12)}`;

    it.each([1280, 375, 320])('fits a screen of %i pixels', async (width) => {
      fixture.server.page = { languages: { en: { title: 'Wartungsarbeitenankündigung' } }, name: 'Shop '.repeat(20) };
      fixture.server.refusal = { message: longMessage, endsAt: seconds(7000) };
      const page = await fixture.open({ viewport: { width, height: 640 }, isMobile: width < 500 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(await page.evaluate(() => innerWidth)).toBe(width);
      expect(await getText(page, '.message')).toMatch(/^First line\.\nSecond/);
    });

    it('shows a ring that is never empty, and that does not shrink when a window starts', async () => {
      const measureArc = async (page: Page): Promise<number> =>
        Number((await page.locator('.arc').getAttribute('stroke-dasharray'))!.split(' ')[0]);
      const withoutEnd = await measureArc(await fixture.open());
      fixture.server.refusal = { startsAt: Date.now(), endsAt: seconds(7000) };
      const page = await fixture.open();
      await page.locator('[role=timer]', { hasText: /./ }).waitFor();
      expect(await measureArc(page)).toBe(withoutEnd);
      expect(withoutEnd).toBeGreaterThan(0);
    });

    it('requests nothing besides itself', async () => {
      await fixture.open();
      await sleep(300);
      expect(fixture.server.requests).toEqual(['GET /']);
    });
  });

  describe('accessibility', () => {
    it.each(['light', 'dark'] as const)('has enough contrast in %s', async (colorScheme) => {
      fixture.server.refusal = { endsAt: seconds(7000), readOnly: true };
      const page = await fixture.open({ colorScheme });
      const ratios = await measureContrast(page);
      expect(ratios.length).toBeGreaterThanOrEqual(7);
      expect(Math.min(...ratios)).toBeGreaterThanOrEqual(4.5);
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const [red] = background.match(/\d+/g) ?? [];
      expect(Number(red) < 128).toBe(colorScheme === 'dark');
    });

    it.each(['without an end', 'with an end', 'read-only'])('violates no rule of axe %s', async (kind) => {
      fixture.server.refusal = {
        ...(kind !== 'without an end' && { endsAt: seconds(300) }),
        readOnly: kind === 'read-only',
      };
      const page = await fixture.open();
      const { violations, incomplete } = await new AxeBuilder({ page }).analyze();
      expect(violations).toEqual([]);
      expect(incomplete).toEqual([]);
    });

    it('does not animate under prefers-reduced-motion', async () => {
      const page = await fixture.open({ reducedMotion: 'reduce' });
      const duration = await page.locator('.arc').evaluate((arc) => getComputedStyle(arc).transitionDuration);
      expect(duration).toBe('0s');
    });

    it('shows its ring in forced colors', async () => {
      const page = await fixture.open({ forcedColors: 'active' });
      const ink = await page.evaluate(() => getComputedStyle(document.body).color);
      expect(await page.locator('.arc').evaluate((arc) => getComputedStyle(arc).stroke)).toBe(ink);
    });
  });

  // Fonts differ from one machine to the next, so the pixels of the pictures are not compared.
  describe('picture of the README', () => {
    it.each(['light', 'dark'] as const)('exists in %s, with its size', async (colorScheme) => {
      const path = join(__dirname, `../../docs/images/page-${colorScheme}.png`);
      if (updatesPictures) {
        const { server } = fixture;
        server.now = () => Date.parse('2027-03-07T02:15:00Z');
        server.refusal = {
          message: 'We are upgrading our database. Your orders are safe.',
          startsAt: Date.parse('2027-03-07T02:00:00Z'),
          endsAt: Date.parse('2027-03-07T03:00:00Z'),
        };
        const page = await fixture.open({
          viewport: PICTURE_SIZE,
          colorScheme,
          locale: 'en-US',
          timezoneId: 'Europe/London',
          reducedMotion: 'reduce',
        });
        await page.getByText('45 minutes').waitFor();
        mkdirSync(dirname(path), { recursive: true });
        await page.screenshot({ path });
      }
      const png = readFileSync(path);
      // The first chunk of a PNG begins with its width and height.
      expect({ width: png.readUInt32BE(16), height: png.readUInt32BE(20) }).toEqual(PICTURE_SIZE);
    });
  });

  describe('time', () => {
    it.each([
      ['Europe/Rome', '2027-07-01T12:30:00Z', /Thursday.*July 1.*2:30\sPM.*(CEST|GMT\+2)/],
      ['America/New_York', '2027-07-01T03:30:00Z', /Wednesday.*June 30.*11:30\sPM.*EDT/],
    ])('shows the end in the time zone of the reader in %s', async (timezoneId, endsAt, expected) => {
      fixture.server.refusal = { endsAt: Date.parse(endsAt) };
      const page = await fixture.open({ timezoneId, locale: 'en-US' });
      expect(await getText(page, 'time')).toMatch(expected);
      expect(await page.locator('time').getAttribute('datetime')).toBe(new Date(endsAt).toISOString());
    });

    it('counts down without announcing each second', async () => {
      fixture.server.refusal = { startsAt: seconds(-300), endsAt: seconds(300) };
      const page = await fixture.open();
      expect(await getText(page, '[role=timer]')).toMatch(/^(5:00|4:5\d)$/);
      await page.waitForFunction(() => document.querySelector<HTMLElement>('[role=timer]')!.innerText <= '4:58');
      const arc = await page.locator('.arc').getAttribute('stroke-dasharray');
      expect(Number(arc!.split(' ')[0])).toBeCloseTo(0.5, 1);
      expect(await getText(page, '[role=status]')).toBe('');
    });

    it.each([
      [5 * 3600, '5 hours'],
      [100 * 60, '1 hour, 40 minutes'],
      [45 * 60, '45 minutes'],
      [5 * 86400, '5 days'],
    ])('shows %i seconds in words', async (secondsLeft, expected) => {
      fixture.server.refusal = { endsAt: seconds(secondsLeft) };
      const page = await fixture.open();
      expect(await getText(page, '[role=timer]')).toBe(expected);
    });

    it('ignores a wrong clock, and a Retry-After other than the end', async () => {
      fixture.server.refusal = { endsAt: seconds(1200), retryAfter: 60 };
      const page = await fixture.newPage();
      await page.addInitScript('const now = Date.now; Date.now = () => now() + 5 * 3600e3;');
      await page.goto(fixture.server.origin);
      expect(await getText(page, '[role=timer]')).toBe('20 minutes');
    });

    it('promises no end where none is known', async () => {
      const page = await fixture.open();
      expect(await page.locator('dl').count()).toBe(0);
      expect(await getText(page, '.hint')).toMatch(/comes back by itself/);
    });
  });
});
