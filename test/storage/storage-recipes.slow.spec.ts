// Runs the recipes of docs/storage-recipes.md for which there is a server.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CreateTableCommand, DeleteItemCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import type { StateStorage } from '../../libs/maintenance/src/index.js';
import { describeStateStorage } from '../../libs/maintenance/src/testing/describe-state-storage.js';
import { describeWithPostgres, PostgresServer } from './postgres-server.js';

const ROOT = resolve(__dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/storage-recipes.md'), 'utf8');
const [TABLE] = /CREATE TABLE [^`]+/.exec(PAGE)!;

/** The code blocks as files of an application, with the library's sources for the package. */
const folder = mkdtempSync(join(tmpdir(), 'storage-recipes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
for (const [, file, code] of PAGE.matchAll(/^```ts\n\/\/ (\S+)\n([^]*?)^```$/gm)) {
  const resolved = code!.replace(/(?<= from ')([^'.][^']*)(?=';)/g, (name) =>
    name === 'nestjs-maintenance' ? join(ROOT, 'libs/maintenance/src/index.ts') : find(name),
  );
  writeFileSync(join(folder, file!), resolved);
}

/** Finds a package as a file of this repository does. Some are named by recipes that do not run here. */
function find(name: string): string {
  try {
    return require.resolve(name);
  } catch {
    return name;
  }
}

type Recipe = new (client: unknown, location: string) => StateStorage;
const { DrizzleStateStorage } = jest.requireActual<{ DrizzleStateStorage: Recipe }>(
  join(folder, 'drizzle-state-storage.ts'),
);
const { TypeOrmStateStorage, MaintenanceRow } = jest.requireActual<{
  TypeOrmStateStorage: Recipe;
  MaintenanceRow: never;
}>(join(folder, 'typeorm-state-storage.ts'));

const { DynamoStateStorage } = jest.requireActual<{ DynamoStateStorage: Recipe }>(
  join(folder, 'dynamo-state-storage.ts'),
);

describeWithPostgres('Storage recipes', () => {
  let server: PostgresServer;
  let pool: Pool;
  let dataSource: DataSource;

  beforeAll(async () => {
    server = await PostgresServer.start();
    pool = new Pool({ connectionString: server.url });
    await pool.query(TABLE);
    dataSource = await new DataSource({ type: 'postgres', url: server.url, entities: [MaintenanceRow] }).initialize();
  }, 60_000);
  afterAll(async () => {
    await dataSource?.destroy();
    await pool?.end();
    await server?.stop();
  });

  const put = async (text: string): Promise<void> => {
    await pool.query('INSERT INTO maintenance VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET state = $1', [text]);
  };

  describeStateStorage('DrizzleStateStorage', async () => {
    await pool.query('DELETE FROM maintenance');
    const open = (): StateStorage => new DrizzleStateStorage(drizzle({ client: pool }), 'a test');
    return { storage: open(), another: open, put };
  });

  describeStateStorage('TypeOrmStateStorage', async () => {
    await pool.query('DELETE FROM maintenance');
    const open = (): StateStorage => new TypeOrmStateStorage(dataSource, 'a test');
    return { storage: open(), another: open, put };
  });
});

describe('Storage recipes for DynamoDB', () => {
  const TableName = 'maintenance';
  const server = jest.requireActual<(options: object) => Server>('dynalite')({ createTableMs: 0 });
  let client: DynamoDBClient;

  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
    client = new DynamoDBClient({ endpoint, region: 'eu-central-1', credentials });
    await client.send(
      new CreateTableCommand({
        TableName,
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        BillingMode: 'PAY_PER_REQUEST',
      }),
    );
  });
  afterAll(() => {
    client.destroy();
    server.close();
  });

  describeStateStorage('DynamoStateStorage', async () => {
    await client.send(new DeleteItemCommand({ TableName, Key: { id: { S: 'shop' } } }));
    const open = (): StateStorage => new DynamoStateStorage(client, TableName);
    const put = async (state: string): Promise<void> => {
      await client.send(new PutItemCommand({ TableName, Item: { id: { S: 'shop' }, state: { S: state } } }));
    };
    return { storage: open(), another: open, put };
  });
});
