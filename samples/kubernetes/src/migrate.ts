import { Client } from 'pg';

/** Takes the place of the migrations of your ORM. */
const client = new Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
try {
  await client.query(`
    BEGIN;
    CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, item text NOT NULL);
    ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text;
    COMMIT;
  `);
} finally {
  await client.end();
}
