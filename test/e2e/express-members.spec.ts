import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Body, Controller, Get, Req } from '@nestjs/common';
import { start, type Running } from './application.js';
import { call } from './client.js';

@Controller()
class MembersController {
  @Get('given')
  given(@Req() request: object, @Body() body: object): object {
    const { originalUrl, params } = request as Record<string, unknown>;
    return { body, originalUrl, params };
  }
}

describe('the members of requests on Express', () => {
  let running: Running;
  /** The names in the order in which the members were created. */
  let names: { request: string[]; response: string[] };
  beforeEach(async () => {
    running = await start('express', {
      controllers: [MembersController],
      main: (app) =>
        void app.use((request: object, response: object, next: () => void) => {
          names = { request: Object.keys(request), response: Object.keys(response) };
          next();
        }),
    });
  });
  afterEach(() => running.close());

  it('are created before Express replaces the prototypes, since V8 shares no classes of requests otherwise', async () => {
    await running.call('/given');
    // Express sets `res` just before it replaces the prototypes.
    const early = names.request.slice(0, names.request.indexOf('res'));
    expect(early).toEqual(
      expect.arrayContaining(['next', 'baseUrl', 'originalUrl', 'params', 'route', 'body'] as const),
    );
    expect(names.response).toEqual(expect.arrayContaining(['statusCode', 'statusMessage', 'locals']));
  });

  it('keep the values of a server around the application', async () => {
    const handle = running.app.getHttpAdapter().getInstance() as RequestListener;
    const outer = createServer((request, response) => {
      Object.assign(request as IncomingMessage & { body?: object }, { body: { from: 'outer' } });
      response.statusMessage = 'Given';
      handle(request, response);
    });
    await new Promise<void>((resolve) => void outer.listen(0, '127.0.0.1', resolve));
    try {
      const reply = await call((outer.address() as AddressInfo).port, '/given?a=1');
      expect(reply.json()).toEqual({ body: { from: 'outer' }, originalUrl: '/given?a=1', params: {} });
      expect(reply.statusMessage).toBe('Given');
    } finally {
      outer.close();
    }
  });
});
