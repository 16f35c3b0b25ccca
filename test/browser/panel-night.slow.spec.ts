import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { Instance } from '../fleet/instance.js';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { describeWithChromium } from './chromium.js';
import {
  ADMIN_TOKEN,
  clickButton,
  clickLink,
  expectAccessible,
  getTitle,
  PanelFixture,
  signIn,
} from './panel-fixture.js';

const INSTANCES = 3;
const PICTURE = join(__dirname, '../../docs/images/panel.png');
const PICTURE_SIZE = { width: 960, height: 980 };
const updatesPictures = Boolean(process.env.UPDATE_PICTURES);

describeWithRedis('a night with three processes on Redis', () => {
  describeWithChromium('operated in the panel', () => {
    const fixture = new PanelFixture();
    let redis: RedisServer;
    let instances: Instance[];

    beforeAll(async () => {
      redis = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
      const options = {
        storage: redis.url,
        refreshInterval: 200,
        adminToken: ADMIN_TOKEN,
        application: 'shop',
        announce: { before: 3_600_000 },
      };
      const [first, ...others] = await Promise.all(
        (['express', 'fastify', 'express'] as const).map((adapter) =>
          Instance.start({ options, adapter, panel: true }),
        ),
      );
      instances = [first!, ...others];
    }, 60_000);
    afterAll(async () => {
      await Promise.all(instances.map((instance) => instance.stop()));
      await redis.stop();
    });

    it('plans, announces, drains under load, hands over, meets a conflict and a stopped storage, and turns off', async () => {
      const [one, two, three] = instances as [Instance, Instance, Instance];
      const ada = await openAs('ada', one);

      // Plan for half an hour from now: announced at once.
      await clickLink(ada, 'Plan');
      await clickButton(ada, 'Plan a window');
      const start = new Date(Date.now() + 1_800_000);
      await ada.getByLabel('Time zone of: Date and time of the start').selectOption('utc');
      await ada.getByLabel('Date and time of the start', { exact: true }).fill(start.toISOString().slice(0, 16));
      await ada.getByLabel('1 h after the start').check();
      await ada.getByLabel('Message to clients').fill('We move tonight');
      await clickButton(ada, 'Review');
      await clickButton(ada, 'Plan it');
      await getTitle(ada, 'Planned windows').waitFor();
      await ada.getByText('We move tonight').waitFor();
      await until('every instance knows the plan', async () => (await countPlanned()) === INSTANCES);

      // Turn on while calls are in flight on two instances.
      const load = keepAsking(three);
      const blocked = [...(await one.block(2)), ...(await two.block(1))];
      await clickLink(ada, 'Now');
      await clickButton(ada, 'Turn on');
      await ada.getByLabel('Message to clients').fill('We are moving');
      await clickButton(ada, 'Review');
      await clickButton(ada, 'Turn on now');
      await getTitle(ada, 'Draining').waitFor();
      await ada.getByText('Waiting for 3 calls in flight').waitFor();
      expect(await ada.getByText('GET /blocked').count()).toBe(2);
      expect(await ada.getByText('In flight', { exact: true }).count()).toBeGreaterThanOrEqual(2);
      await expectAccessible(ada, 'draining', [320, 1280]);
      if (updatesPictures) await takePicture(ada);
      await ada.reload();
      await getTitle(ada, 'Draining').waitFor();

      // Another operator takes over on another instance, and sees the same.
      const bob = await openAs('bob', two);
      await clickLink(bob, 'See the drain');
      await getTitle(bob, 'Draining').waitFor();
      await one.release();
      await bob.getByText('Waiting for 1 call in flight').waitFor();
      await two.release();
      await getTitle(bob, 'Drained').waitFor();
      await getTitle(ada, 'Drained').waitFor();
      await bob.getByText('All 3 instances apply this state.').waitFor();
      expect((await Promise.all(blocked)).map(({ status }) => status)).toEqual([200, 200, 200]);
      await expectAccessible(bob, 'drained', [1280]);

      // Both change the window.
      for (const [page, message] of [
        [ada, 'Ten more minutes'],
        [bob, 'Twenty more minutes'],
      ] as const) {
        await clickLink(page, 'Now');
        await clickButton(page, 'Change everything');
        await page.getByLabel('Message to clients').fill(message);
        await clickButton(page, 'Review');
        await getTitle(page, 'Review').waitFor();
      }
      await clickButton(ada, 'Change now');
      await getTitle(ada, /^Drain/).waitFor();
      await bob.getByRole('heading', { name: /Changed by ada .*: changed everything/ }).waitFor();
      await bob.getByText('message: “We are moving” → “Ten more minutes”').waitFor();
      await clickButton(bob, 'Continue with the new state');
      await clickButton(bob, 'Change now');
      await getTitle(bob, /^Drain/).waitFor();
      await clickLink(bob, 'Now');
      await bob.getByText('Twenty more minutes').waitFor();

      // Redis stops, and comes back with the state.
      await redis.kill();
      await bob.getByText('The last known state applies.').waitFor();
      expect(await bob.getByRole('link', { name: 'Turn off', exact: true }).count()).toBe(0);
      expect((await one.get('/')).status).toBe(503);
      await redis.restart();
      await bob.getByRole('link', { name: 'Turn off', exact: true }).waitFor({ timeout: 40_000 });

      await clickLink(bob, 'Turn off');
      await bob.getByText('Twenty more minutes').waitFor();
      await bob.getByText('A planned window starts within the hour').waitFor();
      await clickButton(bob, 'Turn off now');
      await getTitle(bob, 'Maintenance is off').waitFor();
      await clickLink(ada, 'Now');
      await getTitle(ada, 'Maintenance is off').waitFor();
      await ada.getByText('Turned off by bob').waitFor();
      await until('every instance admits calls', async () => {
        const answers = await Promise.all(instances.map((instance) => instance.get('/')));
        return answers.every(({ status }) => status === 200);
      });
      expect(new Set(await load.stop())).toEqual(new Set([200, 503]));
    }, 120_000);

    it('has a picture in the docs, with its size', () => {
      const png = readFileSync(PICTURE);
      expect({ width: png.readUInt32BE(16), height: png.readUInt32BE(20) }).toEqual(PICTURE_SIZE);
    });

    async function openAs(name: string, instance: Instance): Promise<Page> {
      const page = await fixture.open(instance.origin);
      await signIn(page, ADMIN_TOKEN, name);
      await getTitle(page, /^Maintenance is/).waitFor();
      return page;
    }

    async function countPlanned(): Promise<number> {
      const all = await Promise.all(instances.map((instance) => instance.ask('status')));
      return all.filter(({ windows }) => windows.planned.length === 1).length;
    }
  });
});

async function takePicture(page: Page): Promise<void> {
  await page.setViewportSize(PICTURE_SIZE);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.screenshot({ path: PICTURE });
  await page.setViewportSize({ width: 1280, height: 900 });
}

/** Asks an instance all the time; returns the statuses. */
function keepAsking(instance: Instance): { stop: () => Promise<number[]> } {
  const statuses: number[] = [];
  let isOver = false;
  const done = (async () => {
    while (!isOver) statuses.push((await instance.get('/')).status);
  })();
  return {
    stop: async () => {
      isOver = true;
      await done;
      return statuses;
    },
  };
}
