import type { INestApplication } from '@nestjs/common';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { start, type Running } from './application.js';
import { CatsController } from './controllers.js';
import type { Reply } from './client.js';

const PAGE = { accept: 'text/html,*/*;q=0.1' };
let startsAt: Date;
beforeEach(() => {
  startsAt = new Date();
});

const getInstance = (app: INestApplication): FastifyInstance => app.getHttpAdapter().getInstance() as FastifyInstance;

describe('Fastify hooks and refused requests', () => {
  const running: Running[] = [];
  const startActive = async (main?: (instance: FastifyInstance) => unknown): Promise<Running> => {
    const application = await start('fastify', {
      controllers: [CatsController],
      main: (app) => void main?.(getInstance(app)),
    });
    running.push(application);
    await application.maintenance.enable({ message: 'Back soon', startsAt });
    return application;
  };
  afterEach(() => Promise.all(running.splice(0).map((application) => application.close())));

  const getReplies = async ({ call }: Running): Promise<Partial<Reply>[]> => {
    const requests = [{}, { headers: PAGE }, { method: 'HEAD' }, { method: 'HEAD', headers: PAGE }, { method: 'POST' }];
    const replies = await Promise.all([...requests.map((request) => call('/cats', request)), call('/nowhere')]);
    return replies.map(({ status, headers: { date, ...headers }, text }) => ({
      status,
      headers: { ...headers, date: typeof date },
      text,
    }));
  };

  const hooks: [string, (instance: FastifyInstance) => unknown][] = [
    ['onSend', (instance) => instance.addHook('onSend', (_request, _reply, payload, done) => done(null, payload))],
    ['onResponse', (instance) => instance.addHook('onResponse', (_request, _reply, done) => done())],
    ['onRequest', (instance) => instance.addHook('onRequest', (_request, _reply, done) => done())],
    [
      'onSend, with an ETag of the reply',
      (instance) =>
        instance.addHook('onSend', (_request, reply, payload, done) => {
          void reply.header('ETag', '"1"');
          done(null, payload);
        }),
    ],
    [
      "onSend, with an ETag of Node's response",
      (instance) =>
        instance.addHook('onSend', (_request, reply, payload, done) => {
          reply.raw.setHeader('ETag', '"1"');
          done(null, payload);
        }),
    ],
  ];
  it.each(hooks)('do not change the response: %s', async (_hook, add) => {
    const [plain, hooked] = [await startActive(), await startActive(add)];
    const expected = await getReplies(plain);
    expect(expected.map(({ status }) => status)).toEqual(expected.map(() => 503));
    expect(expected[0]?.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'content-length': String(Buffer.byteLength(expected[0]?.text ?? '')),
      'cache-control': 'no-store',
      'retry-after': '3600',
      vary: 'Accept, Accept-Language',
    });
    // Later responses come from the cache and must be the same.
    for (const _again of [1, 2]) expect(await getReplies(hooked)).toEqual(expected);
    expect(await getReplies(plain)).toEqual(expected);
  });

  it('add the headers that onSend hooks set', async () => {
    const { call } = await startActive((instance) =>
      instance.addHook('onSend', (_request, reply, payload, done) => {
        void reply.header('Access-Control-Allow-Origin', '*').header('Vary', 'Origin');
        reply.raw.setHeader('X-Raw', 'yes');
        done(null, payload);
      }),
    );
    for (const path of ['/cats', '/nowhere'])
      for (const headers of [{}, PAGE, PAGE])
        expect(await call(path, { headers })).toMatchObject({
          status: 503,
          headers: { 'access-control-allow-origin': '*', 'x-raw': 'yes', vary: 'Origin, Accept, Accept-Language' },
        });
  });

  it('see status and headers of the refusal in onResponse hooks', async () => {
    const seen: unknown[] = [];
    const { call } = await startActive((instance) =>
      instance.addHook('onResponse', (_request, reply: FastifyReply, done) => {
        seen.push([reply.statusCode, String(reply.getHeader('content-length')), reply.getHeader('retry-after')]);
        done();
      }),
    );
    const replies = [
      await call('/cats'),
      await call('/cats', { headers: PAGE }),
      await call('/cats', { headers: PAGE }),
    ];
    expect(seen).toEqual(replies.map(({ headers }) => [503, headers['content-length'], '3600']));
  });

  it('are not needed for app.inject() without a listening server', async () => {
    const { app } = await startActive();
    for (const headers of [{}, PAGE, PAGE])
      expect(await getInstance(app).inject({ url: '/cats', headers })).toMatchObject({
        statusCode: 503,
        headers: { 'retry-after': '3600', vary: 'Accept, Accept-Language' },
      });
  });
});
