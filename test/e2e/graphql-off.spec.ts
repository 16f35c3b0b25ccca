import type { AddressInfo } from 'node:net';
import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ApolloDriverConfig } from '@nestjs/apollo';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MaintenanceModule, MaintenanceService } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { ADAPTERS, type Adapter } from './application.js';
import { call } from './client.js';
import { CatsResolver, createGraphqlModule } from './graphql/cats.js';
import { SubscriptionClient, CURRENT, sendHandshake, LEGACY } from './graphql/subscription-client.js';

declare const NEST_MAJOR: string;

/** Configurations of subscriptions, with the protocols that they serve. */
const CONFIGURATIONS: [string, Partial<ApolloDriverConfig>, string[]][] = [
  ['no subscriptions', {}, []],
  ['`installSubscriptionHandlers`', { installSubscriptionHandlers: true }, [NEST_MAJOR === '11' ? LEGACY : CURRENT]],
  ['graphql-ws', { subscriptions: { 'graphql-ws': true } }, [CURRENT]],
  ['graphql-ws with options', { subscriptions: { 'graphql-ws': { connectionInitWaitTimeout: 60_000 } } }, [CURRENT]],
];
if (NEST_MAJOR === '11') {
  // Version 13 of @nestjs/apollo is the last one that supports this protocol.
  const legacy = (options: object): Partial<ApolloDriverConfig> => ({ subscriptions: options });
  CONFIGURATIONS.push(
    ['subscriptions-transport-ws', legacy({ 'subscriptions-transport-ws': true }), [LEGACY]],
    ['both protocols', legacy({ 'graphql-ws': true, 'subscriptions-transport-ws': {} }), [CURRENT, LEGACY]],
  );
}

const JSON_BODY = { 'content-type': 'application/json' };
const post = (body: unknown) => ({ method: 'POST', headers: JSON_BODY, body: JSON.stringify(body) });
const REQUESTS: [string, object][] = [
  ['/graphql', post({ query: '{ cats }' })],
  ['/graphql', post({ query: 'mutation { adopt }' })],
  ['/graphql', post([{ query: '{ cats }' }, { query: '{ kitten { name mood } }' }])],
  ['/graphql', post({ query: '{ __typename __schema { description } }' })],
  ['/graphql', post({ query: '{ dogs }' })],
  ['/graphql', post({ query: '{' })],
  ['/graphql', post({})],
  ['/graphql', { method: 'POST', headers: JSON_BODY, body: '{' }],
  ['/graphql', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'query' }],
  [
    '/graphql',
    { ...post({ query: '{ cats }' }), headers: { ...JSON_BODY, accept: 'application/graphql-response+json' } },
  ],
  ['/graphql?query=%7Bcats%7D', { headers: { 'apollo-require-preflight': '1' } }],
  ['/graphql?query=%7Bcats%7D', {}],
  ['/graphql', { headers: { accept: 'text/html' } }],
  ['/graphql', { method: 'HEAD' }],
  ['/graphql', { method: 'OPTIONS' }],
  ['/graphql', { method: 'DELETE' }],
  ['/graphql/unknown', {}],
  ['/unknown', {}],
];

interface Application {
  app: INestApplication;
  port: number;
}

async function startGraphql(
  adapter: Adapter,
  options: Partial<ApolloDriverConfig>,
  hasModule: boolean,
): Promise<Application> {
  const maintenance = hasModule ? [MaintenanceModule.forRoot({ storage: new MemoryStateStorage() })] : [];

  @Module({ imports: [...maintenance, createGraphqlModule(options)], providers: [CatsResolver] })
  class AppModule {}

  const server = adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(AppModule, server as ExpressAdapter, { logger: false, abortOnError: false });
  await app.listen(0, '127.0.0.1');
  return { app, port: (app.getHttpServer().address() as AddressInfo).port };
}

/** Returns all responses, handshakes and messages that clients receive. */
async function observe({ port }: Application, protocols: string[]): Promise<object> {
  const replies = [];
  for (const [path, request] of REQUESTS) {
    const { status, headers, text } = await call(port, path, request);
    // The date differs between two responses of the same server.
    const { date: _date, ...rest } = headers;
    replies.push({ path, request, status, headers: rest, text: text.replaceAll(String(port), 'PORT') });
  }
  const offered = [[], [CURRENT], [LEGACY], [CURRENT, LEGACY], [LEGACY, CURRENT], ['unknown']];
  const handshakes = [];
  for (const list of protocols.length > 0 ? offered : []) handshakes.push([list, await sendHandshake(port, list)]);
  const conversations = [];
  for (const protocol of protocols) conversations.push(await recordMessages(port, protocol));
  return { replies, handshakes, conversations };
}

async function recordMessages(port: number, protocol: string): Promise<unknown> {
  const conversation = await SubscriptionClient.open(port, protocol);
  for (const query of ['{ cats }', 'mutation { adopt }', '{ dogs }', '{ __schema { description } }']) {
    conversation.start(query, query);
    await conversation.waitForEnd(query);
  }
  conversation.start('tick', 'subscription { tick }');
  await conversation.waitForEvents('tick', 3);
  conversation.close();
  const { messages } = conversation;
  return messages.slice(
    0,
    messages.findLastIndex(({ id }) => id === 'tick'),
  );
}

describe.each(ADAPTERS)('GraphQL while maintenance is off (%s)', (adapter) => {
  it.each(CONFIGURATIONS)('responds as without the module: %s', async (_name, options, protocols) => {
    const applications: Application[] = [];
    try {
      for (const hasModule of [false, true]) applications.push(await startGraphql(adapter, options, hasModule));
      const [without, withModule] = applications as [Application, Application];
      const expected = await observe(without, protocols);
      expect(await observe(withModule, protocols)).toEqual(expected);

      const maintenance = withModule.app.get(MaintenanceService, { strict: false });
      await maintenance.enable();
      expect(await call(withModule.port, ...(REQUESTS[0] as [string, object]))).toMatchObject({ status: 503 });
      await maintenance.disable();
      expect(await observe(withModule, protocols)).toEqual(expected);
    } finally {
      await Promise.all(applications.map(({ app }) => app.close()));
    }
  });
});
