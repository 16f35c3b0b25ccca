#!/usr/bin/env node
// The engine of `prisma migrate`, compiled to WebAssembly by Prisma, in place of the program that the command downloads
// from a host of its own, which not every network reaches. The command sends it requests as JSON, one a line.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';

// `schema-engine ... cli can-connect-to-database` asks for an exit code.
if (process.argv.includes('cli')) process.exit(0);

const file = new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm'));
const { instance } = await WebAssembly.instantiate(readFileSync(file), { './schema_engine_bg.js': bindings });
bindings.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

const schema = fileURLToPath(new URL('../prisma/schema.prisma', import.meta.url));
const engine = await bindings.SchemaEngine.new(
  { datamodels: [[schema, readFileSync(schema, 'utf8')]] },
  () => {},
  bindMigrationAwareSqlAdapterFactory(new PrismaPg({ connectionString: process.env.DATABASE_URL })),
);
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  const answer = await engine[method](params).then(
    (result) => ({ result: result ?? null }),
    (error) => ({ error: { code: 1, message: error.message } }),
  );
  console.log(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
}
process.exit();
