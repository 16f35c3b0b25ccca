import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { context, metrics, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Controller, Get, type INestApplication, type Type } from '@nestjs/common';
import type * as NestjsPino from 'nestjs-pino';
import { register } from 'prom-client';
import { compileRecipes, runRecipes } from '../tools/run-recipes.js';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';

@Controller('orders')
class OrdersController {
  @Get(':id')
  order(): string {
    return 'order';
  }
}

declare const NEST_MAJOR: string;

const load: (name: string) => unknown = require;
const GUARDED = { exempt: { roles: ['staff'] } };

describe.each(ADAPTERS)('the recipes in docs/monitoring.md (%s)', (adapter) => {
  let running: Running;
  const startWith = async (setup: Setup): Promise<Running> => (running = await start(adapter, setup));
  afterEach(async () => {
    await running.close();
    register.clear();
  });

  it('for Prometheus can be scraped while a full window is active', async () => {
    type Recipe = Record<'MaintenanceMetrics' | 'RefusalCounter' | 'MetricsController', Type>;
    const recipe = runRecipes<Recipe>('monitoring', 'prom-client', require);
    const { MaintenanceMetrics, RefusalCounter, MetricsController } = recipe;
    const { call, maintenance } = await startWith({
      controllers: [MetricsController, OrdersController],
      providers: [MaintenanceMetrics, RefusalCounter],
    });
    expect((await call('/metrics')).text).not.toMatch(/^maintenance_(active|refused_total)\{/m);
    await maintenance.enable();
    for (const path of ['/orders/1', '/orders/2', '/unknown']) await call(path);
    const reply = await call('/metrics');
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toContain('text/plain');
    expect(reply.text).toMatch(/^maintenance_active\{scope="\*",mode="full"\} 1$/m);
    expect(reply.text).toMatch(/^maintenance_storage_healthy 1$/m);
    const labels = 'method="GET",transport="http",scope="*",mode="full",status="503"';
    const samples = reply.text.split('\n').filter((line) => line.startsWith('maintenance_refused_total{'));
    expect(samples.map(sortLabels).sort()).toEqual(
      [`{route="GET (no route)",${labels}} 1`, `{route="GET /orders/:id",${labels}} 2`]
        .map((sample) => sortLabels(`maintenance_refused_total${sample}`))
        .sort(),
    );
  });

  it.each([
    ['the middleware', {}],
    ['the guard', GUARDED],
  ])('for nestjs-pino log refusals of %s once, and not as errors', async (_, options) => {
    const { AccessLogModule } = runRecipes<{ AccessLogModule: Type }>('monitoring', 'nestjs-pino', ((name: string) =>
      name === 'nestjs-pino' ? loadPino() : load(name)) as NodeJS.Require);
    const { call, maintenance } = await startWith({
      imports: [AccessLogModule],
      controllers: [OrdersController],
      options,
    });
    lines.length = 0;
    await call('/orders/1');
    // nestjs-pino 5.2 logs no request on Fastify with Nest 12, whether this module is there or not.
    const served = adapter === 'fastify' && NEST_MAJOR === '12' ? [] : [{ level: 30, res: { statusCode: 200 } }];
    await until('the request is logged', () => lines.length === served.length);
    await maintenance.enable();
    await call('/orders/2');
    await call('/unknown');
    await maintenance.disable();
    await call('/orders/3');
    await until('the last request is logged', () => lines.length >= 2 + 2 * served.length);
    expect(lines).toMatchObject([
      ...served,
      { level: 30, msg: 'refused by maintenance', refused: { route: 'GET /orders/:id', status: 503 } },
      { level: 30, msg: 'refused by maintenance', refused: { route: 'GET (no route)', status: 503 } },
      ...served,
    ]);
  });

  it.each([
    ['the middleware', {}],
    ['the guard', GUARDED],
  ])('for OpenTelemetry count refusals of %s and mark the span of the request', async (_, options) => {
    const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 });
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const spans = new InMemorySpanExporter();
    const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).getTracer('test');
    runRecipes('monitoring', '@opentelemetry/api', require);
    const { call, maintenance } = await startWith({
      controllers: [OrdersController],
      options,
      // As the instrumentation of Node's HTTP server does.
      main: (app: INestApplication) => {
        const server = app.getHttpServer() as { emit: (event: string, ...args: unknown[]) => boolean };
        const emit = server.emit.bind(server);
        server.emit = (event, ...args) => {
          if (event !== 'request') return emit(event, ...args);
          const span = tracer.startSpan('request');
          (args[1] as NodeJS.EventEmitter).once('close', () => span.end());
          return context.with(trace.setSpan(context.active(), span), () => emit(event, ...args));
        };
      },
    });
    await maintenance.enable({ mode: 'full' });
    await call('/orders/1');
    await call('/unknown');
    await reader.forceFlush();
    const [metric] = measured.getMetrics().at(-1)!.scopeMetrics[0]!.metrics;
    expect(metric!.descriptor.name).toBe('maintenance.refused');
    expect(metric!.dataPoints.map(({ attributes, value }) => [attributes.route, attributes.status, value])).toEqual([
      ['GET /orders/:id', 503, 1],
      ['GET (no route)', 503, 1],
    ]);
    const marked = { 'maintenance.mode': 'full', 'maintenance.scope': '*' };
    expect(spans.getFinishedSpans().map(({ attributes }) => attributes)).toEqual([marked, marked]);
    await reader.shutdown();
    metrics.disable();
    context.disable();
  });
});

it('the recipe for Sentry reports errors, and no refusals', async () => {
  const received: string[] = [];
  const ingest = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => received.push(chunk.toString()));
    request.on('end', () => response.end('{}'));
  });
  await once(ingest.listen(0, '127.0.0.1'), 'listening');
  const dsn = `http://key@127.0.0.1:${(ingest.address() as AddressInfo).port}/1`;
  const script = `
    ${compileRecipes('monitoring', '@sentry/node').join('\n')}
    require('reflect-metadata');
    const { MaintenanceException } = require('nestjs-maintenance');
    const { captureException, flush } = require('@sentry/node');
    captureException(new MaintenanceException({ window: null, retryAfter: 1 }, { statusCode: 503, message: 'refused' }));
    captureException(new Error('a real error'));
    flush(5000).then(() => process.exit());`;
  const env = { ...process.env, SENTRY_DSN: dsn };
  await promisify(execFile)(process.execPath, ['-e', script], { cwd: __dirname, env });
  ingest.close();
  const events = received
    .join('')
    .split('\n')
    .filter((line) => line.includes('"exception"'));
  expect(events.join('\n')).toContain('a real error');
  expect(events.join('\n')).not.toContain('MaintenanceException');
});

/** The lines that nestjs-pino has logged: it keeps the stream of the first application of a process. */
const lines: Record<string, unknown>[] = [];
const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };

/** Loads nestjs-pino with a stream that collects the lines instead of writing them. */
function loadPino(): object {
  const pino = jest.requireActual<typeof NestjsPino>('nestjs-pino');
  const forRoot = ({ pinoHttp }: { pinoHttp: object }): unknown =>
    pino.LoggerModule.forRoot({ pinoHttp: { ...pinoHttp, stream } });
  return { ...pino, LoggerModule: { forRoot } };
}

function sortLabels(sample: string): string {
  return sample.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`);
}
