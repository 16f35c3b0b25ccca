import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { maintenance, start } from './start.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const FOLDERS = process.env.PATH.split(delimiter);
const executablePath = [
  process.env.CHROMIUM,
  ...NAMES.flatMap((name) => FOLDERS.map((folder) => join(folder, name))),
].find((path) => path && existsSync(path));
const inBrowser = { skip: executablePath || process.env.CI ? false : 'Chromium not found: set CHROMIUM to its path' };

let app;
let browser;
let page;
before(async () => {
  app = await start();
  if (inBrowser.skip) return;
  browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
  page = await browser.newPage();
  page.setDefaultTimeout(20_000);
});
after(async () => {
  await browser?.close();
  await maintenance('off', '--all');
  await app?.stop();
});

const seeText = (selector, text) => page.locator(selector, { hasText: text }).waitFor();

test('refuses the API and not the page', async () => {
  await maintenance('on', '--wait');
  assert.equal((await fetch(`${app.url}/api/notes`)).status, 503);
  const html = await (await fetch(app.url)).text();
  const [script] = /\/assets\/[^"]+\.js/.exec(html);
  assert.equal((await fetch(app.url + script)).status, 200);
  const status = await (await fetch(`${app.url}/api/maintenance-status`)).json();
  assert.equal(status.active, true);
  await maintenance('off');
});

test('shows the notes, and no banner', inBrowser, async () => {
  await page.goto(app.url);
  await seeText('li', 'Water the plants');
  assert.equal(await page.locator('#maintenance').isVisible(), false);
});

test('announces a planned window', inBrowser, async () => {
  await maintenance('on', '--at', new Date(Date.now() + 3_600_000).toISOString());
  await seeText('#maintenance', 'Maintenance at');
  await maintenance('off', '--all');
  await page.locator('#maintenance').waitFor({ state: 'hidden' });
});

test('shows the message, and keeps what was sent until maintenance is over', inBrowser, async () => {
  await maintenance('on', '--message', 'Back at four');
  await seeText('#maintenance', 'Back at four');
  await page.fill('#text', 'Feed the cat');
  await page.click('button');
  await seeText('#progress', 'Continues after maintenance');
  await maintenance('off');
  await seeText('li', 'Feed the cat');
  await page.locator('#maintenance').waitFor({ state: 'hidden' });
  assert.equal(await page.locator('li').count(), 2);
});
