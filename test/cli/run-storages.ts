import { existsSync, linkSync, mkdirSync, renameSync, rmdirSync, symlinkSync, unlinkSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findPostgresFolder, PostgresServer } from '../storage/postgres-server.js';
import { findRedisServer, RedisServer } from '../storage/redis-server.js';
import { LightServer, S3Front, S3RVER_KEYS } from '../storage/s3-front.js';
import { getS3Environment } from '../fleet/storage-backends.js';
import { TcpGate } from '../tools/tcp-gate.js';
import { folderWith } from './program.js';

/** A storage that a test can slow down and take away from the command, but not from the application. */
export interface RunStorage {
  /** Value of `--storage`. */
  url: string;
  /** The URL for the application and the test. */
  directUrl: string;
  env: Record<string, string>;
  /** Delays each write until {@link release}. */
  hold(): void;
  release(): void;
  /** Makes each call fail until {@link restore}. */
  takeAway(): void;
  restore(): void;
  close(): Promise<void>;
}

export interface RunStorageKind {
  name: string;
  isAvailable: boolean;
  open(): Promise<RunStorage>;
}

export const FILE: RunStorageKind = {
  name: 'a file',
  isAvailable: true,
  open: () => {
    const path = join(folderWith(), 'state.json');
    const aside = `${path}.aside`;
    let renewal: NodeJS.Timeout | undefined;
    const url = `file:${path}`;
    const release = (): void => {
      clearInterval(renewal);
      if (existsSync(`${path}.lock`)) rmdirSync(`${path}.lock`);
    };
    return Promise.resolve({
      url,
      directUrl: url,
      env: {},
      // The lock of another writer, which it renews.
      hold: () => {
        mkdirSync(`${path}.lock`);
        renewal = setInterval(() => utimesSync(`${path}.lock`, new Date(), new Date()), 100);
      },
      release,
      // A folder in the place of the file can be neither read nor replaced. The file is never missing in between, which
      // would mean that nothing is stored.
      takeAway: () => {
        if (existsSync(path)) linkSync(path, aside);
        symlinkSync(dirname(path), `${path}.folder`);
        renameSync(`${path}.folder`, path);
      },
      restore: () => {
        if (existsSync(aside)) renameSync(aside, path);
        else unlinkSync(path);
      },
      close: () => Promise.resolve(release()),
    });
  },
};

/** Puts a gate before a server, through which only the command connects. */
async function openBehindGate(
  server: { port: number; url: string; stop: () => Promise<unknown> },
  getUrl: (port: number) => string,
): Promise<RunStorage> {
  const gate = await TcpGate.to(server.port);
  return {
    url: getUrl(gate.port),
    directUrl: server.url,
    env: {},
    ...control(gate),
    close: async () => {
      await gate.close();
      await server.stop();
    },
  };
}

export const REDIS: RunStorageKind = {
  name: 'Redis',
  isAvailable: findRedisServer() !== undefined,
  open: async () => openBehindGate(await RedisServer.start(), (port) => `redis://127.0.0.1:${port}/0`),
};

export const POSTGRES: RunStorageKind = {
  name: 'Postgres',
  isAvailable: findPostgresFolder() !== undefined,
  open: async () => {
    const server = await PostgresServer.start();
    return openBehindGate(server, (port) => server.getUrl(port));
  },
};

const BUCKET = 'bucket';

export const S3: RunStorageKind = {
  name: 'S3',
  isAvailable: true,
  open: async () => {
    const server = await LightServer.start(BUCKET);
    const front = await S3Front.start(server, BUCKET);
    const gate = await TcpGate.to(Number(new URL(front.url).port));
    const toUrl = (port: number | string): string =>
      `s3://${BUCKET}/run.json?endpoint=http://127.0.0.1:${port}&region=us-east-1`;
    return {
      url: toUrl(gate.port),
      directUrl: toUrl(new URL(front.url).port),
      env: getS3Environment(S3RVER_KEYS.accessKeyId, S3RVER_KEYS.secretAccessKey),
      ...control(gate),
      close: async () => {
        await gate.close();
        await front.stop();
        await server.stop();
      },
    };
  },
};

function control(gate: TcpGate): Pick<RunStorage, 'hold' | 'release' | 'takeAway' | 'restore'> {
  return {
    hold: () => gate.hold(),
    release: () => gate.release(),
    takeAway: () => gate.cut(),
    restore: () => gate.restore(),
  };
}
