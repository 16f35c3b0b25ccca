import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { register } from 'prom-client';
import ts from 'typescript';
import { ADAPTERS, start } from './application.js';

/** Compiles and loads the classes in the code blocks of the guide. */
function loadRecipe(): Record<'MaintenanceMetrics' | 'MetricsController', Type> {
  const guide = readFileSync(resolve(__dirname, '../../docs/monitoring.md'), 'utf8');
  const blocks = [...guide.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code!);
  const exports = {};
  for (const block of blocks.filter((code) => code.includes('prom-client'))) {
    const { outputText } = ts.transpileModule(block, {
      compilerOptions: {
        module: ts.ModuleKind.CommonJS,
        target: ts.ScriptTarget.ES2022,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
      },
    });
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    new Function('require', 'exports', outputText)(require, exports);
  }
  return exports as Record<'MaintenanceMetrics' | 'MetricsController', Type>;
}

describe.each(ADAPTERS)('the metrics in docs/monitoring.md (%s)', (adapter) => {
  afterEach(() => register.clear());

  it('can be scraped while a full window is active', async () => {
    const { MaintenanceMetrics, MetricsController } = loadRecipe();
    const running = await start(adapter, { controllers: [MetricsController], providers: [MaintenanceMetrics] });
    expect((await running.call('/metrics')).text).not.toMatch(/^maintenance_active\{/m);
    await running.maintenance.enable();
    const reply = await running.call('/metrics');
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toContain('text/plain');
    expect(reply.text).toMatch(/^maintenance_active\{scope="\*",mode="full"\} 1$/m);
    expect(reply.text).toMatch(/^maintenance_storage_healthy 1$/m);
    await running.close();
  });
});
