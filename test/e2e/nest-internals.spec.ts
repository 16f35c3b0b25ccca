import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { CACHE_MANAGER as CACHE_MANAGER_TOKEN } from '@nestjs/cache-manager';
import { Controller, Get, Header, Inject, Sse, UseGuards, type INestApplication, type Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Keyv } from 'keyv';
import * as Ioredis from 'ioredis';
import * as Ioredis5 from 'ioredis-5';
import { createClient, createCluster, createSentinel } from 'redis';
import * as internals from '../../libs/maintenance/src/nest-internals.js';
import { assertFound, assertMembers, assertMetadata, startApp } from '../tools/private-names.js';

declare const NEST_MAJOR: string;

class AnyService {}

@UseGuards(AnyService)
@Controller('cats')
class CatsController {
  @Inject(AnyService)
  readonly service!: AnyService;

  constructor(
    readonly first: AnyService,
    @Inject('token') readonly second: unknown,
  ) {}

  @Header('X-Name', 'value')
  @Get('all')
  all(): string {
    return 'all';
  }

  @Sse('events')
  events(): void {}
}

@Controller()
class PlainController {
  @Get('plain')
  plain(): string {
    return 'plain';
  }
}

describe('The private names of Nest', () => {
  it('include the metadata of controllers', () => {
    const { all, events } = CatsController.prototype;
    assertMetadata('@nestjs/common', internals.PATH_METADATA, CatsController, 'cats');
    assertMetadata('@nestjs/common', internals.PATH_METADATA, all, 'all');
    assertMetadata('@nestjs/common', internals.GUARDS_METADATA, CatsController);
    assertMetadata('@nestjs/common', internals.HEADERS_METADATA, all);
    assertMetadata('@nestjs/common', internals.SSE_METADATA, events, true);
    for (const key of internals.INJECTED_METADATA_KEYS) assertMetadata('@nestjs/common', key, CatsController);
  });

  it('include the metadata of OpenAPI documents', async () => {
    const { ApiExcludeController, ApiOperation } = await import('@nestjs/swagger');
    class HiddenController {
      method(): void {}
    }
    const { prototype } = HiddenController;
    ApiExcludeController()(HiddenController);
    ApiOperation({ summary: 'x' })(prototype, 'method', Object.getOwnPropertyDescriptor(prototype, 'method')!);
    assertMetadata('@nestjs/swagger', internals.API_EXCLUDE_CONTROLLER_METADATA, HiddenController);
    assertMetadata('@nestjs/swagger', internals.API_OPERATION_METADATA, prototype.method);
  });

  it('include the distance of a module', async () => {
    const { container } = await startApp(new ExpressAdapter()).then((running) => ({
      container: running.get(ModulesContainer),
    }));
    for (const module of container.values())
      assertMembers<internals.NestModuleInternals>('@nestjs/core', module, { distance: 'number' });
  });

  it('include the token of the cache', () => {
    const isSame = CACHE_MANAGER_TOKEN === internals.CACHE_MANAGER;
    assertFound(isSame, '@nestjs/cache-manager', `token \`${internals.CACHE_MANAGER}\``);
  });

  // Terminus is installed for Nest 12 only.
  (NEST_MAJOR === '11' ? it.skip : it)('include the traces of @HealthCheck()', async () => {
    const { HealthCheck, HealthCheckService } = await import('@nestjs/terminus');
    class Health {
      @HealthCheck()
      check(): void {}
    }
    const headers = Reflect.getMetadata(internals.HEADERS_METADATA, Health.prototype.check) as object[];
    const { name, value } = internals.HEALTH_CHECK_HEADER;
    const isFound = headers?.some(
      (header) => Reflect.get(header, 'name') === name && Reflect.get(header, 'value') === value,
    );
    assertFound(isFound, '@nestjs/terminus', `header \`${name}: ${value}\``);
    const isSame = HealthCheckService.name === internals.HEALTH_CHECK_SERVICE_NAME;
    assertFound(isSame, '@nestjs/terminus', `class \`${internals.HEALTH_CHECK_SERVICE_NAME}\``);
  });
});

describe('The private names of Express', () => {
  it('include the members of the adapter', async () => {
    const adapter = new ExpressAdapter();
    await startApp(adapter);
    type Hooks = 'setOnRequestHook' | 'onRequestHook' | 'onResponseHook';
    assertMembers<Omit<internals.ExpressAdapterInternals, Hooks>>('@nestjs/platform-express', adapter, {
      createMiddlewareFactory: 'function',
    });
    const hook = (_request: unknown, _response: unknown, done: () => void): void => done();
    adapter.setOnRequestHook(hook);
    adapter.setOnResponseHook(hook as never);
    assertMembers<Pick<internals.ExpressAdapterInternals, Hooks>>('@nestjs/platform-express', adapter, {
      setOnRequestHook: 'function',
      onRequestHook: 'function',
      onResponseHook: 'function',
    });
  });

  it('include the router', async () => {
    const running = await startApp(new ExpressAdapter(), { controllers: [PlainController] });
    await running.init();
    const express = running.getHttpAdapter().getInstance() as internals.ExpressApplicationInternals;
    const user = '@nestjs/platform-express';
    assertMembers<internals.ExpressApplicationInternals>(
      'express',
      express,
      { router: 'function', handle: 'function', enabled: 'function', request: 'object', locals: 'object' },
      user,
    );
    assertFound(Array.isArray(express.router.stack), 'express', '`router.stack`', user);
    const layer = express.router.stack.find(({ route }) => route?.path === '/plain');
    assertFound(layer !== undefined, 'express', '`route.path` in the router', user);
    assertMembers<internals.ExpressLayer>(
      'express',
      layer!,
      { handle: 'function', match: 'function', route: 'object' },
      user,
    );
    assertFound(
      Boolean(layer!.match('/plain')) && !layer!.match('/other'),
      'express',
      '`match(path)` of a layer',
      user,
    );
    assertFound(layer!.route!.methods.get === true, 'express', '`route.methods`', user);
    assertFound(typeof layer!.route!.stack[0]?.handle === 'function', 'express', '`route.stack[].handle`', user);
  });
});

describe('The private names of Fastify', () => {
  it('include the members of the adapter', async () => {
    const adapter = new FastifyAdapter();
    const running = await startApp(adapter);
    type Members = internals.FastifyAdapterInternals<unknown, unknown>;
    adapter.setOnResponseHook((_request: unknown, _reply: unknown, done: () => void) => done());
    assertMembers<Pick<Members, 'setOnRequestHook' | 'onResponseHook'>>('@nestjs/platform-fastify', adapter, {
      setOnRequestHook: 'function',
      onResponseHook: 'function',
    });
    if (NEST_MAJOR === '11') return;
    running.enableCors();
    (running as INestApplication & { useSecurityHeaders(): void }).useSecurityHeaders();
    await running.init();
    await adapter.getInstance<FastifyInstance>().ready();
    assertMembers<Pick<Members, 'corsHook' | 'securityHook'>>('@nestjs/platform-fastify', adapter, {
      corsHook: 'function',
      securityHook: 'function',
    });
  });

  it('include the symbols, and the hooks of @fastify/cors and @fastify/helmet', async () => {
    const adapter = new FastifyAdapter();
    const running = await startApp(adapter as never, { controllers: [PlainController] });
    const fastify = adapter.getInstance<FastifyInstance>();
    await fastify.register((await import('@fastify/cors')).default);
    await fastify.register((await import('@fastify/helmet')).default);
    let seen: FastifyRequest | undefined;
    fastify.addHook('preHandler', (request, _reply, done) => {
      seen = request;
      done();
    });
    await running.init();
    await fastify.ready();
    await fastify.inject('/plain');

    const user = '@nestjs/platform-fastify';
    const findSymbol = (target: object, name: string): symbol => {
      const found = Object.getOwnPropertySymbols(target).find(({ description }) => description === name);
      assertFound(found !== undefined, 'fastify', `symbol \`${name}\``, user);
      return found!;
    };
    const Request = Reflect.get(fastify, findSymbol(fastify, internals.FASTIFY_REQUEST_SYMBOL)) as Type;
    assertFound(
      seen instanceof Request,
      'fastify',
      `class of requests at \`${internals.FASTIFY_REQUEST_SYMBOL}\``,
      user,
    );
    const symbol = findSymbol(seen!, internals.FASTIFY_CONTEXT_SYMBOL);
    const context = Reflect.get(seen!, symbol) as internals.FastifyRouteContext<{ name: string }>;
    assertMembers<internals.FastifyRouteContext<unknown>>(
      'fastify',
      context,
      { onRequest: 'object', onSend: 'object', onResponse: 'object' },
      user,
    );
    const names = context.onRequest!.map(({ name }) => name);
    for (const name of internals.FASTIFY_HEADER_HOOK_NAMES)
      assertFound(
        names.includes(name),
        name.includes('elmet') ? '@fastify/helmet' : '@fastify/cors',
        `hook \`${name}\``,
      );
  });
});

describe('The private names of caches', () => {
  const user = '@nestjs/cache-manager';

  it('include the store of a Keyv, and the event before it disconnects', async () => {
    const keyv = new Keyv();
    assertMembers<internals.KeyvInternals>('keyv', keyv, { opts: 'object', on: 'function' });
    const { name } = (Reflect.get(keyv.opts, 'store') as object).constructor;
    assertFound(internals.IN_MEMORY_STORE_PATTERN.test(name), 'keyv', `in-memory \`opts.store\`, but a \`${name}\``);
    let isEmitted = false;
    keyv.on('disconnect', () => (isEmitted = true));
    const disconnected = keyv.disconnect();
    assertFound(isEmitted, 'keyv', 'event `disconnect` before it disconnects');
    await disconnected;
  });

  it('include the stores of a Cacheable', () => {
    const { Cacheable } = createRequire(require.resolve(user))('cacheable') as { Cacheable: new () => object };
    const cacheable = new Cacheable();
    assertMembers<Pick<internals.CacheableInternals, 'primary'>>('cacheable', cacheable, { primary: 'object' }, user);
    assertFound('secondary' in cacheable, 'cacheable', '`secondary`', user);
    const primary = Reflect.get(cacheable, 'primary') as object;
    assertMembers<internals.KeyvInternals>('cacheable', primary, { opts: 'object', on: 'function' }, user);
  });
});

describe('The private names of the AWS SDK', () => {
  it('include the option of a client that reads the profile again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nest-internals-'));
    const file = join(folder, 'credentials');
    const before = { ...process.env };
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) delete process.env[name];
    Object.assign(process.env, { AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: join(folder, 'config') });
    const readKey = async (key: string): Promise<string> => {
      await writeFile(file, `[default]\naws_access_key_id = ${key}\naws_secret_access_key = secret\n`);
      const client = new S3Client({ region: 'us-east-1', ...internals.S3_REREAD_PROFILE_OPTION });
      return (await client.config.credentials()).accessKeyId;
    };
    try {
      expect(await readKey('first')).toBe('first');
      const [option] = Object.keys(internals.S3_REREAD_PROFILE_OPTION);
      assertFound((await readKey('second')) === 'second', '@aws-sdk/client-s3', `option \`${option}\``);
    } finally {
      process.env = before;
      await rm(folder, { recursive: true });
    }
  });
});

describe('The private names of redis', () => {
  it('tell the three kinds of clients apart', () => {
    type Kinds = internals.RedisClientKind<unknown>;
    const cluster = createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] });
    type OfCluster = Pick<Kinds, '_options' | 'masters'>;
    assertMembers<OfCluster>('redis', cluster, { _options: 'object', masters: 'object' });
    const isListed = Array.isArray(Reflect.get(Reflect.get(cluster, '_options'), 'rootNodes'));
    assertFound(isListed, 'redis', '`_options.rootNodes` of a cluster');
    const sentinel = createSentinel({ name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] });
    type OfSentinels = Pick<Kinds, 'getSentinelNode' | 'identity'>;
    assertMembers<OfSentinels>('redis', sentinel, { getSentinelNode: 'function', identity: 'object' });
    assertFound(sentinel.identity.id.startsWith('127.0.0.1:1/'), 'redis', 'address in `identity.id` of sentinels');
    const client = createClient();
    const isPlain = !('masters' in client) && !('getSentinelNode' in client);
    assertFound(isPlain, 'redis', 'difference between a client and a cluster or sentinels');
  });
});

describe('The private names of ioredis', () => {
  it.each([
    ['ioredis', Ioredis],
    ['ioredis-5', Ioredis5 as unknown as typeof Ioredis],
  ])('lead to the servers of a client of %s', (name, { Redis, Cluster }) => {
    type Names = internals.IoredisInternals<unknown>;
    type OfBoth = Omit<Names, 'startupNodes' | 'nodes'>;
    const methods = { callBuffer: 'function', on: 'function', duplicate: 'function' } as const;
    const ofBoth = { ...methods, isCluster: 'boolean', subscribe: 'function', ping: 'function' } as const;
    assertMembers<OfBoth>(name, new Redis({ lazyConnect: true }), ofBoth);
    const cluster = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true });
    assertMembers<Names>(name, cluster, { ...ofBoth, startupNodes: 'object', nodes: 'function' });
  });
});
