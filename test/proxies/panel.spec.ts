import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { openEvents } from '../e2e/panel-client.js';
import { ADAPTERS, start, type Running } from '../e2e/application.js';
import { call } from '../e2e/client.js';
import { ADMIN_TOKEN, createPanelClient } from '../e2e/panel-client.js';
import { until } from '../tools/waiting.js';
import { findProxy, Proxy } from './proxy.js';

const GUIDE = readFileSync(resolve(__dirname, '../../docs/panel.md'), 'utf8');
const [, LOCATION = ''] = /^```nginx\n([^]*?)^```/m.exec(GUIDE)!;
const nginx = findProxy('nginx');

(nginx ? describe.each(ADAPTERS) : describe.skip.each(ADAPTERS))('the panel behind nginx (%s)', (adapter) => {
  let running: Running;
  let proxy: Proxy;
  beforeAll(async () => {
    running = await start(adapter, { options: { adminToken: ADMIN_TOKEN }, extras: { admin: { panel: true } } });
    const configuration = `server { listen 80; ${LOCATION.replace('http://app:3000', 'http://127.0.0.1:3000')} }`;
    proxy = await Proxy.start('nginx', configuration, [running.port, running.port], '');
  });
  afterAll(async () => {
    await proxy.stop();
    await running.close();
  });

  it('works under the path of the guide', async () => {
    const { port } = proxy;
    const panel = createPanelClient({ port, call: (path, request) => call(port, path, request) }, '/ops');
    const document = await call(port, '/ops/panel');
    expect(document.text).toContain('"base":"./"');
    const cookie = await panel.cookie();
    expect((await panel.withCookie(cookie, 'panel/state')).status).toBe(200);
    const stream = await openEvents(port, { cookie }, '/ops/panel/events');
    await until('the state has come', () => stream.events.length > 0);
    const own = {
      cookie,
      origin: `http://127.0.0.1:${port}`,
      host: `127.0.0.1:${port}`,
      'sec-fetch-site': 'same-origin',
    };
    expect((await panel.post('on', { message: 'Back soon' }, own)).status).toBe(200);
    await until('the change has come', () => JSON.stringify(stream.events.at(-1)).includes('Back soon'));
    stream.close();
    expect((await panel.post('off', {}, { ...own, origin: 'http://127.0.0.1' })).status).toBe(403);
    expect((await panel.withCookie(cookie, 'session/end', 'POST')).json()).toEqual({ everywhere: true });
    expect((await panel.withCookie(cookie, 'panel/state')).status).toBe(401);
  });
});
