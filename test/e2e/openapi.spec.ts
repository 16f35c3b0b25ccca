import { execFileSync } from 'node:child_process';
import { Body, Controller, Get, Injectable, Post, type CanActivate } from '@nestjs/common';
import { ApiBearerAuth, DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { AdminOptions } from 'nestjs-maintenance';
import { ADAPTERS, start, type Running } from './application.js';

const TOKEN = 'a-token-that-is-long-enough';
const STATUSES = {
  get: { '/maintenance-mode': '200 401 429', '/maintenance-mode/instances': '200 401 429 502' },
  post: {
    '/maintenance-mode/on': '200 400 401 403 409 415 429 502',
    '/maintenance-mode/off': '200 400 401 403 409 415 429 502',
  },
};

@Controller('orders')
class OrdersController {
  @Get()
  list(): string[] {
    return [];
  }

  @Post()
  create(@Body() body: object): object {
    return body;
  }
}

@Injectable()
class OwnGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

type Operation = NonNullable<OpenAPIObject['paths'][string]['post']>;

describe.each(ADAPTERS)('the OpenAPI document of the application (%s)', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  const createDocument = async (admin: boolean | AdminOptions, openapi = '3.0.0'): Promise<OpenAPIObject> => {
    running = await start(adapter, {
      controllers: [OrdersController],
      options: { adminToken: TOKEN },
      extras: { admin, publicStatus: true },
    });
    const config = new DocumentBuilder().setTitle('Shop').setVersion('1').build();
    return SwaggerModule.createDocument(running.app, { ...config, openapi });
  };

  it.each([[true], [{ panel: true }], [{ openapi: false }]])(
    'has no endpoint of the module by default: %j',
    async (admin) => {
      const document = await createDocument(admin);
      expect(Object.keys(document.paths)).toEqual(['/orders']);
      expect(document.components?.securitySchemes).toBeUndefined();
    },
  );

  it.each(['3.0.0', '3.1.0'])('describes the admin endpoints with `openapi` as valid OpenAPI %s', async (version) => {
    const document = await createDocument({ openapi: true }, version);
    const { valid, errors } = await new Validator().validate({ ...document });
    expect([valid, errors]).toEqual([true, undefined]);
    expect(Object.keys(document.paths).sort()).toEqual(
      [...Object.keys(STATUSES.get), ...Object.keys(STATUSES.post), '/orders'].sort(),
    );
    for (const [method, paths] of Object.entries(STATUSES)) {
      for (const [path, statuses] of Object.entries(paths)) {
        const operation = document.paths[path]![method as 'get' | 'post'] as Operation;
        expect([path, Object.keys(operation.responses).join(' ')]).toEqual([path, statuses]);
        expect(operation.summary).toBeTruthy();
        expect(operation.security).toEqual(
          expect.arrayContaining([{ 'maintenance-bearer': [] }, { 'maintenance-token': [] }]),
        );
      }
    }
    expect(Object.keys(document.components!.securitySchemes!).sort()).toEqual([
      'maintenance-bearer',
      'maintenance-token',
    ]);
  });

  it('describes bodies and answers that are those of the endpoints', async () => {
    const document = await createDocument({ openapi: true });
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    const { requestBody, responses } = document.paths['/maintenance-mode/on']!.post as Operation;
    const body = getSchema(requestBody);
    const complete = {
      ...{ scope: 'orders', mode: 'read-only', endsAt: new Date(Date.now() + 3_600_000), message: 'Back soon' },
      ...{
        messages: { de: 'Gleich' },
        retryAfter: 5,
        allowIps: ['10.0.0.1'],
        allowMe: true,
        bypass: true,
        ifRevision: 0,
      },
    };
    expect(Object.keys(body.properties)).toEqual(expect.arrayContaining(Object.keys(complete)));
    const on = await running.call('/maintenance-mode/on', { method: 'POST', headers, body: JSON.stringify(complete) });
    expect([on.status, findUndescribed(on.json(), getSchema(responses['200']))]).toEqual([200, []]);
    const instances = await running.call('/maintenance-mode/instances', { headers });
    const listed = getSchema((document.paths['/maintenance-mode/instances']!.get as Operation).responses['200']);
    expect(listed.items!.required!.filter((name) => !(name in instances.json<object[]>()[0]!))).toEqual([]);
    const wrong = await running.call('/maintenance-mode/on', { method: 'POST', headers, body: '{"unknown":1}' });
    expect([wrong.status, findUndescribed(wrong.json(), getSchema(responses['400']))]).toEqual([400, []]);
  });

  it('describes sessions with the panel, and leaves out the page', async () => {
    const document = await createDocument({ openapi: true, panel: true, path: 'ops' });
    expect((await new Validator().validate({ ...document })).errors).toBeUndefined();
    expect(Object.keys(document.paths).sort()).toEqual(
      ['/ops', '/ops/instances', '/ops/off', '/ops/on', '/ops/session', '/ops/session/end', '/orders'].sort(),
    );
    expect(document.paths['/ops/session']!.post!.security).toEqual([]);
  });

  it('leaves the security of guards of the application to the application', async () => {
    const decorators = [ApiBearerAuth('staff') as ClassDecorator];
    const document = await createDocument({ openapi: true, guards: [OwnGuard], decorators });
    expect(document.paths['/maintenance-mode/on']!.post!.security).toEqual([{ staff: [] }]);
    expect(document.components?.securitySchemes).toBeUndefined();
  });
});

interface ObjectSchema {
  properties: Record<string, ObjectSchema>;
  items?: ObjectSchema;
  required?: string[];
}

function getSchema(described: unknown): ObjectSchema {
  return (described as { content: Record<string, { schema: ObjectSchema }> }).content['application/json']!.schema;
}

/** Finds the members of an answer that its schema lacks, and those that it requires and the answer lacks. */
function findUndescribed(value: unknown, schema: ObjectSchema, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => findUndescribed(item, schema.items!, `${path}[]`));
  if (typeof value !== 'object' || value === null || !schema.properties) return [];
  const missing = (schema.required ?? []).filter((name) => !(name in value));
  return [
    ...missing.map((name) => `${path}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, member]) => {
      const own = schema.properties[name];
      return own ? findUndescribed(member, own, `${path}.${name}`) : [`${path}.${name}`];
    }),
  ];
}

it('`admin.openapi` without @nestjs/swagger stops the application with a sentence', () => {
  const script = `
    const Module = require('node:module');
    const resolve = Module._resolveFilename;
    Module._resolveFilename = function (name, ...rest) {
      if (name !== '@nestjs/swagger') return resolve.call(this, name, ...rest);
      throw Object.assign(new Error("Cannot find module '@nestjs/swagger'"), { code: 'MODULE_NOT_FOUND' });
    };
    require('reflect-metadata');
    const { NestFactory } = require('@nestjs/core');
    const { MaintenanceModule } = require('nestjs-maintenance');
    const module = MaintenanceModule.forRoot({ adminToken: '${TOKEN}', admin: { openapi: true } });
    NestFactory.create(module, { logger: false, abortOnError: false }).catch(({ message }) => console.log(message));`;
  const stdout = execFileSync(process.execPath, ['-e', script], { cwd: __dirname, encoding: 'utf8' });
  expect(stdout).toContain('the package @nestjs/swagger is not installed: run `npm install @nestjs/swagger`');
});
