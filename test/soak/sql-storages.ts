import { Client } from 'pg';
import type { Connection } from 'mysql2/promise';
import { findMysqlServer, MysqlServer } from '../storage/mysql-server.js';
import { findPostgresFolder, PostgresServer } from '../storage/postgres-server.js';
import { CALL_TIMEOUT_MS, createFreezeFault, createNetworkFaults, type FaultKind, type StorageKind } from './faults.js';
import { FaultyLine } from './faulty-line.js';

/**
 * How long it takes to notice that the listening connection went silent (a ping every 30 s, which waits 3 s for its
 * answer), plus the longest pause before the next attempt. Until then, instances find changes by reading.
 */
const POSTGRES_LISTENER_RECOVERY_MS = 36_000;
const TABLE = 'maintenance_state';

export const postgres: StorageKind = {
  name: 'Postgres',
  refreshInterval: 1_000,
  maxDelayMs: 100,
  polls: false,
  isAvailable: findPostgresFolder() !== undefined,
  open: async () => {
    const server = await PostgresServer.start();
    const line = await FaultyLine.to(server.port);
    const ask = (sql: string): Promise<unknown> => server.ask(sql, 'shop');
    const endConnections = (): Promise<unknown> =>
      ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'`);
    const setReadOnly = async (value: 'on' | 'off'): Promise<void> => {
      await ask(`ALTER ROLE shop SET default_transaction_read_only = ${value}`);
      // The setting is read when a session begins.
      await endConnections();
    };
    let lock: Client;
    return {
      url: server.getUrl(line.port),
      env: {},
      faults: [
        ...createNetworkFaults(line, POSTGRES_LISTENER_RECOVERY_MS),
        createFreezeFault(server),
        createRestartFault(server),
        {
          name: 'connections ended by the server',
          breaks: 'reads',
          begin: endConnections,
        },
        {
          name: 'table locked',
          breaks: 'reads',
          durationMs: [1_000, 5_000],
          hangMs: CALL_TIMEOUT_MS,
          begin: async () => {
            lock = new Client({ host: '127.0.0.1', port: server.port, user: 'postgres', database: 'shop' });
            await lock.connect();
            await lock.query(`BEGIN; LOCK TABLE ${TABLE} IN ACCESS EXCLUSIVE MODE`);
          },
          end: () => lock.end(),
        },
        createDropFault(ask),
        {
          name: 'password changed',
          breaks: 'reads',
          durationMs: [300, 3_000],
          begin: async () => {
            await ask(`ALTER ROLE shop PASSWORD 'other'`);
            await endConnections();
          },
          end: () => ask(`ALTER ROLE shop PASSWORD 'secret'`),
        },
        {
          name: 'server read-only',
          breaks: 'reads',
          durationMs: [1_000, 3_000],
          begin: () => setReadOnly('on'),
          end: () => setReadOnly('off'),
        },
      ],
      close: async () => {
        await line.close();
        await server.stop();
      },
    };
  },
};

export const mysql: StorageKind = {
  name: 'MariaDB',
  refreshInterval: 500,
  maxDelayMs: 550,
  polls: true,
  isAvailable: findMysqlServer() !== undefined,
  open: async () => {
    const server = await MysqlServer.start();
    const line = await FaultyLine.to(server.port);
    const { user, password } = MysqlServer.USER;
    const ask = (sql: string): Promise<unknown> => server.ask(sql);
    const endConnections = (): Promise<unknown> => ask(`KILL USER ${user}`);
    let lock: Connection;
    return {
      url: Object.assign(new URL(server.url), { port: String(line.port) }).href,
      env: {},
      faults: [
        // A write without an answer is followed by a read, which may find the connection silent as well.
        ...createNetworkFaults(line, 2 * CALL_TIMEOUT_MS),
        createFreezeFault(server),
        createRestartFault(server),
        {
          name: 'connections ended by the server',
          breaks: 'reads',
          begin: endConnections,
        },
        {
          name: 'table locked',
          breaks: 'reads',
          durationMs: [1_000, 5_000],
          hangMs: CALL_TIMEOUT_MS,
          begin: async () => {
            lock = await server.connect();
            await lock.query(`LOCK TABLES ${MysqlServer.DATABASE}.${TABLE} WRITE`);
          },
          end: () => lock.end(),
        },
        createDropFault((sql) => ask(sql.replace(TABLE, `${MysqlServer.DATABASE}.${TABLE}`))),
        {
          name: 'password changed',
          breaks: 'reads',
          durationMs: [300, 3_000],
          begin: async () => {
            await ask(`SET PASSWORD FOR '${user}'@'%' = PASSWORD('other')`);
            await endConnections();
          },
          end: () => ask(`SET PASSWORD FOR '${user}'@'%' = PASSWORD('${password}')`),
        },
        {
          name: 'server read-only',
          breaks: 'writes',
          durationMs: [1_000, 3_000],
          begin: () => ask('SET GLOBAL read_only = 1'),
          end: () => ask('SET GLOBAL read_only = 0'),
        },
      ],
      close: async () => {
        await line.close();
        await server.stop();
      },
    };
  },
};

/** The server keeps confirmed writes when it is killed. */
function createRestartFault(server: PostgresServer | MysqlServer): FaultKind {
  return {
    name: 'server killed and restarted',
    breaks: 'reads',
    durationMs: [300, 1_500],
    begin: () => server.kill(),
    end: () => server.restart(),
  };
}

function createDropFault(ask: (sql: string) => Promise<unknown>): FaultKind {
  return { name: 'table dropped', breaks: 'reads', losesData: true, begin: () => ask(`DROP TABLE ${TABLE}`) };
}
