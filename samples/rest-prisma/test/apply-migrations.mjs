// Runs the SQL files of a folder of migrations, in place of `prisma migrate deploy`, which downloads its engine.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';

const [folder] = process.argv.slice(2);
const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
for (const { name } of names) {
  await client.query(readFileSync(join(folder, name, 'migration.sql'), 'utf8'));
  console.log(`applied ${name}`);
}
await client.end();
