import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { Controller, Get, Post } from '@nestjs/common';
import getPort from 'get-port';
import { describeWithChromium, launchChromium } from '../browser/chromium.js';
import { ADAPTERS, start, type Adapter, type Running } from '../e2e/application.js';
import { call, type Call, type Reply } from '../e2e/client.js';
import { until } from '../tools/waiting.js';
import { findProxy, getDocumentedConfiguration, Proxy, type ProxyName } from './proxy.js';

const TOKEN = 'a-token-of-sixteen-chars';
const PROXIES: ProxyName[] = ['nginx', 'caddy', 'haproxy'];
const BIN = resolve(__dirname, '../../libs/maintenance/bin/nestjs-maintenance.cjs');
const PAGE = execFileSync(process.execPath, [BIN, 'page'], { encoding: 'utf8' });
const installed = PROXIES.filter((name) => findProxy(name) !== undefined);

const REQUESTS: [string, string, Call][] = [
  ['the page', '/browse', { headers: { accept: 'text/html' } }],
  ['the problem document', '/browse', { headers: { accept: 'application/json' } }],
  ['HEAD', '/browse', { method: 'HEAD', headers: { accept: 'text/html' } }],
  ['POST', '/orders', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"teapots":1}' }],
];
/** A request of a client that has the URL in its cache. */
const CONDITIONAL: Call = {
  headers: { 'if-modified-since': 'Sun, 01 Dec 2030 02:00:00 GMT', 'if-none-match': '*', range: 'bytes=0-3' },
};

@Controller()
class ShopController {
  @Get('browse')
  browse(): string {
    return 'open';
  }
  @Post('orders')
  order(): string {
    return 'ordered';
  }
  @Get('livez')
  live(): string {
    return 'ok';
  }
}

let instances: Running[] = [];
/** Numbers of requests that the instances received, without health checks. */
let received: number[];
let proxy: Proxy | undefined;

afterEach(async () => {
  await proxy?.stop();
  proxy = undefined;
  for (const instance of instances) if (instance.app.getHttpServer().listening) await stop(instance);
  instances = [];
});

async function startBehind(name: ProxyName, adapter: Adapter, configuration: string): Promise<void> {
  const setup = { options: { adminToken: TOKEN }, extras: { admin: true }, controllers: [ShopController] };
  instances = [await start(adapter, setup), await start(adapter, setup)];
  received = [0, 0];
  instances.forEach(({ app }, index) =>
    app.getHttpServer().on('request', ({ url }: { url: string }) => (received[index]! += url === '/livez' ? 0 : 1)),
  );
  const ports = instances.map(({ port }) => port);
  proxy = await Proxy.start(name, configuration, ports, PAGE);
}

async function enable(): Promise<void> {
  const startsAt = new Date(Date.now() - 1000);
  for (const { maintenance } of instances) {
    await maintenance.enable({ startsAt, message: 'Back at four', retryAfter: 1234 });
  }
}

/** Closes the port and all connections at once, as when the process is killed. */
async function stop({ app, close }: Running): Promise<void> {
  const closed = close();
  app.getHttpServer().closeAllConnections();
  await closed;
}

function send(path: string, options?: Call): Promise<Reply> {
  return call(proxy!.port, path, options);
}

function expectPage({ status, headers, text }: Reply, method = 'GET'): void {
  expect([status, headers['retry-after'], headers['cache-control']]).toEqual([503, '60', 'no-store']);
  expect(headers['content-type']).toMatch(/^text\/html/);
  expect(text).toBe(method === 'HEAD' ? '' : PAGE);
}

it.each(PROXIES)('finds %s in CI', (name) => {
  if (process.env.CI === 'true') expect(installed).toContain(name);
});

for (const name of installed) {
  describe.each(ADAPTERS)(`the configuration of ${name} in docs/in-front.md (%s)`, (adapter) => {
    beforeEach(() => startBehind(name, adapter, getDocumentedConfiguration(name)));

    it.each(REQUESTS)('passes a refusal of the application unchanged: %s', async (_request, path, options) => {
      await enable();
      const direct = await instances[0]!.call(path, options);
      expect(direct).toMatchObject({ status: 503, headers: { 'retry-after': '1234', 'cache-control': 'no-store' } });
      const passed = await send(path, options);
      // The proxy may add headers of its own, and decides about the connection.
      const { connection: _connection, 'keep-alive': _keepAlive, date: _date, ...headers } = direct.headers;
      expect(passed).toMatchObject({ status: 503, headers });
      expect(passed.text).toBe(direct.text);
    });

    it('neither retries a refusal nor removes the instance', async () => {
      await enable();
      received.fill(0);
      for (let sent = 0; sent < 8; sent++) {
        const [, path, options] = REQUESTS[sent % REQUESTS.length]!;
        expect((await send(path, options)).status).toBe(503);
      }
      expect(received[0]! + received[1]!).toBe(8);
      expect(Math.min(...received)).toBeGreaterThan(0);
      expect((await send('/livez')).status).toBe(200);
      const authorized = { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } };
      // Each instance has a state of its own here, and gets one of two requests.
      await until('both instances are off', async () => {
        expect((await send('/maintenance-mode/off', authorized)).status).toBe(200);
        return instances.every(({ maintenance }) => !maintenance.status().active);
      });
      expect((await send('/browse')).text).toBe('open');
    });

    it('asks the other instance if one is down', async () => {
      await enable();
      await stop(instances[0]!);
      for (let sent = 0; sent < 4; sent++) {
        expect(await send('/browse')).toMatchObject({ status: 503, headers: { 'retry-after': '1234' } });
      }
    });

    it('sends the page while no instance is up', async () => {
      await enable();
      for (const instance of instances) await stop(instance);
      for (const [, path, options] of REQUESTS) expectPage(await send(path, options), options.method);
      expectPage(await send('/browse', CONDITIONAL));
    });
  });

  it(`passes requests again when an instance is back, with the configuration of ${name}`, async () => {
    const port = await getPort();
    proxy = await Proxy.start(name, getDocumentedConfiguration(name), [port, port], PAGE);
    expectPage(await send('/'));
    const revived = createServer((_request, response) => response.end('back')).listen(port, '127.0.0.1');
    await once(revived, 'listening');
    await until('it is back', async () => (await send('/')).text === 'back');
    revived.close();
  });
}

describe('the notes in docs/in-front.md', () => {
  const itWith = (name: ProxyName): jest.It => (installed.includes(name) ? it : it.skip);

  /** Starts a changed configuration, and refuses requests until the page of the proxy comes instead. */
  async function expectReplaced(name: ProxyName, ...changes: [string, string][]): Promise<void> {
    let configuration = getDocumentedConfiguration(name);
    for (const [text, replacement] of changes) {
      expect(configuration).toContain(text);
      configuration = configuration.replace(text, replacement);
    }
    await startBehind(name, 'express', configuration);
    await enable();
    await until('the page of the proxy comes', async () => (await send('/browse')).text === PAGE);
  }

  itWith('nginx')('nginx replaces the page of the application if 503 is intercepted', async () => {
    await expectReplaced('nginx', ['error_page 502', 'error_page 502 503'], ['errors off', 'errors on']);
  });

  itWith('caddy')('Caddy removes instances that refuse with unhealthy_status 503', async () => {
    await expectReplaced('caddy', ['fail_duration 2s', 'fail_duration 2s\n unhealthy_status 503']);
  });

  itWith('caddy')('Caddy sends an empty 503 to a client with a cache if conditions are not removed', async () => {
    const port = await getPort();
    const configuration = getDocumentedConfiguration('caddy').replace(/request_header .*/g, '');
    proxy = await Proxy.start('caddy', configuration, [port, port], PAGE);
    expect(await send('/', CONDITIONAL)).toMatchObject({ status: 503, text: '' });
  });

  itWith('haproxy')('HAProxy removes instances that refuse its health checks', async () => {
    await expectReplaced('haproxy', ['httpchk GET /livez', 'httpchk GET /browse']);
  });

  itWith('haproxy')('HAProxy asks the next instance with retry-on 503', async () => {
    const configuration = getDocumentedConfiguration('haproxy');
    await startBehind('haproxy', 'express', configuration.replace('option redispatch 1', '$&\n  retry-on 503'));
    await enable();
    received.fill(0);
    await send('/browse');
    expect(received[0]! + received[1]!).toBeGreaterThan(1);
  });

  itWith('haproxy')('HAProxy does not start with a page of more than 16 KiB', async () => {
    const started = Proxy.start('haproxy', getDocumentedConfiguration('haproxy'), [1, 1], 'x'.repeat(16_385));
    await expect(started).rejects.toThrow(/exceeds the buffer size/);
  });

  itWith('nginx')('nginx alone sends the page for Traefik', async () => {
    proxy = await Proxy.start('nginx', getDocumentedConfiguration('nginx', 1), [], PAGE);
    for (const [, path, options] of REQUESTS) expectPage(await send(path, options), options.method);
    expectPage(await send('/', CONDITIONAL));
  });
});

describeWithChromium('the page in front, in a browser', () => {
  (installed.includes('nginx') ? it : it.skip)('is replaced by the application when an instance is back', async () => {
    const port = await getPort();
    proxy = await Proxy.start('nginx', getDocumentedConfiguration('nginx'), [port, port], PAGE);
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      // Makes the timers run 20 times as fast: the page waits up to a minute between its requests.
      await page.addInitScript('const slow = setTimeout; setTimeout = (work, ms) => slow(work, ms / 20);');
      await page.goto(`http://127.0.0.1:${proxy.port}/orders/5`);
      expect(await page.locator('h1').textContent()).toBe('Down for maintenance');
      const back = createServer((_request, response) =>
        response.setHeader('content-type', 'text/html').end('<h1 id="shop">Open</h1>'),
      ).listen(port, '127.0.0.1');
      await page.locator('#shop').waitFor();
      expect(new URL(page.url()).pathname).toBe('/orders/5');
      back.close();
      back.closeAllConnections();
    } finally {
      await browser.close();
    }
  });
});
