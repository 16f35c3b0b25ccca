import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { start, ADAPTERS, type Running } from '../e2e/application.js';
import { call } from '../e2e/client.js';
import { until } from '../tools/waiting.js';
import { findProxy, getDocumentedConfiguration, Proxy } from './proxy.js';

const nginx = findProxy('nginx');
/** The configuration of the guide, with all that could hold a stream back. */
const CONFIGURATION = getDocumentedConfiguration('nginx').replace(
  'location / {',
  `gzip on; gzip_min_length 0; gzip_proxied any; gzip_types text/event-stream application/json;
   location / { proxy_buffering on; proxy_buffers 8 32k; proxy_http_version 1.1;`,
);

(nginx ? describe.each(ADAPTERS) : describe.skip.each(ADAPTERS))('the public status behind nginx (%s)', (adapter) => {
  let running: Running;
  let proxy: Proxy;

  beforeAll(async () => {
    running = await start(adapter, { extras: { publicStatus: true } });
    proxy = await Proxy.start('nginx', CONFIGURATION, [running.port, running.port], '');
  });
  afterAll(async () => {
    await proxy?.stop();
    await running?.close();
  });

  it('arrives as a stream at once, although nginx buffers and compresses', async () => {
    const headers = { 'accept-encoding': 'gzip' };
    const options = { host: '127.0.0.1', port: proxy.port, path: '/maintenance-status/events', headers, agent: false };
    const [incoming] = (await once(request(options).end(), 'response')) as [IncomingMessage];
    let text = '';
    // nginx compresses the types that it is told to, whatever Cache-Control says.
    const events = incoming.headers['content-encoding'] === 'gzip' ? incoming.pipe(createGunzip()) : incoming;
    events.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await until('the status arrives', () => text.includes('"active":false'));
    await running.maintenance.enable();
    await until('the change arrives', () => text.includes('"active":true'));
    expect(incoming.headers['content-encoding']).toBe('gzip');
    incoming.destroy();
  });

  it('is compressed as JSON', async () => {
    const reply = await call(proxy.port, '/maintenance-status', { headers: { 'accept-encoding': 'gzip' } });
    expect(reply).toMatchObject({ status: 200, headers: { 'content-encoding': 'gzip' } });
  });
});
