import { setTimeout as pause } from 'node:timers/promises';
import { ADAPTERS, start, type Running } from './application.js';
import { ADMIN_TOKEN, createPanelClient, openEvents, VIEWER_TOKEN } from './panel-client.js';

declare const NEST_MAJOR: string;

// One version of Nest is enough for all of them.
const GUESSES = NEST_MAJOR === '12' ? 10_000 : 1_000;
const PARALLEL = 25;

describe.each(ADAPTERS)('the panel under attack and over time (%s)', (adapter) => {
  let running: Running;
  beforeEach(async () => {
    const options = { adminToken: ADMIN_TOKEN, viewerToken: VIEWER_TOKEN };
    running = await start(adapter, { options, extras: { admin: { panel: true } } });
  });
  afterEach(() => running.close());

  it(`admits no one after ${GUESSES} guesses of the token, and the operator all the while`, async () => {
    const panel = createPanelClient(running);
    const url = `http://127.0.0.1:${running.port}/maintenance-mode`;
    const seen = new Map<number, number>();
    // Beginnings, ends and neighbours of the right token, at the sign-in and in the headers.
    const guess = async (index: number): Promise<void> => {
      const token = `${ADMIN_TOKEN.slice(0, index % ADMIN_TOKEN.length)}${index}`;
      const header: Record<string, string> =
        index % 3 === 1 ? { authorization: `Bearer ${token}` } : { 'maintenance-token': token };
      const signIn = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token }),
      };
      const response = await (index % 3 === 0 ? fetch(`${url}/session`, signIn) : fetch(url, { headers: header }));
      await response.arrayBuffer();
      seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
    };
    const guessAll = async (first: number): Promise<void> => {
      for (let index = first; index < GUESSES; index += PARALLEL) await guess(index);
    };
    const attackers = Array.from({ length: PARALLEL }, (_, first) => guessAll(first));
    let isOver = false;
    const attack = Promise.all(attackers).then(() => (isOver = true));
    let calls = 0;
    while (!isOver) {
      expect((await running.call('/maintenance-mode', panel.authorized())).status).toBe(200);
      calls++;
      await pause(50);
    }
    await attack;
    expect(calls).toBeGreaterThan(3);
    expect([...seen.keys()].sort()).toEqual([401, 429]);
    expect(seen.get(401)).toBeLessThanOrEqual(20);
    expect((await panel.post('on')).status).toBe(200);
  }, 120_000);

  it('sends readers no state again while nothing changes', async () => {
    const panel = createPanelClient(running);
    const stream = await openEvents(running.port, panel.authorized().headers!);
    // Several intervals in which the instances are read.
    await pause(4_000);
    stream.close();
    expect(stream.events.length).toBeGreaterThan(0);
    expect(stream.events.length).toBeLessThanOrEqual(2);
  });
});
