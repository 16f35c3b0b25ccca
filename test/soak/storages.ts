import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getS3Environment, s3Url } from '../fleet/storage-backends.js';
import { findRedisServer, RedisServer } from '../storage/redis-server.js';
import { LightServer, S3Front, S3RVER_KEYS, type Fault as S3Fault } from '../storage/s3-front.js';
import { CALL_TIMEOUT_MS, createFreezeFault, createNetworkFaults, type FaultKind, type StorageKind } from './faults.js';
import { FaultyLine } from './faulty-line.js';
import { mysql, postgres } from './sql-storages.js';

/** How long it takes to give up a silent subscription, plus the longest pause before the next attempt. */
const SUBSCRIPTION_RECOVERY_MS = 7_000;
const BUCKET = 'bucket';

const redis: StorageKind = {
  name: 'Redis',
  refreshInterval: 1_000,
  maxDelayMs: 100,
  polls: false,
  isAvailable: findRedisServer() !== undefined,
  open: async () => {
    // Redis must keep confirmed writes when it is killed, except for the fault that empties it.
    const server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
    const line = await FaultyLine.to(server.port);
    return {
      url: `redis://127.0.0.1:${line.port}/0`,
      env: {},
      faults: [
        ...createNetworkFaults(line, SUBSCRIPTION_RECOVERY_MS),
        createFreezeFault(server),
        {
          name: 'server killed and restarted',
          breaks: 'reads',
          durationMs: [300, 1_500],
          begin: () => server.kill(),
          end: () => server.restart(),
        },
        {
          name: 'server killed and restarted empty',
          breaks: 'reads',
          losesData: true,
          durationMs: [300, 1_500],
          begin: async () => {
            await server.kill();
            await rm(join(server.folder, 'appendonlydir'), { recursive: true });
          },
          end: () => server.restart(),
        },
        {
          name: 'memory full',
          breaks: 'writes',
          durationMs: [1_000, 3_000],
          begin: () => server.ask('CONFIG', 'SET', 'maxmemory', '1'),
          end: () => server.ask('CONFIG', 'SET', 'maxmemory', '0'),
        },
      ],
      close: async () => {
        await line.close();
        await server.stop();
      },
    };
  },
};

const s3: StorageKind = {
  name: 'S3',
  refreshInterval: 500,
  maxDelayMs: 550,
  polls: true,
  isAvailable: true,
  open: async () => {
    const server = await LightServer.start(BUCKET);
    const front = await S3Front.start(server, BUCKET);
    const line = await FaultyLine.to(Number(new URL(front.url).port));
    const createAnswerFault = (name: string, breaks: 'reads' | 'writes', fault: S3Fault): FaultKind => ({
      name,
      breaks,
      durationMs: [1_000, 3_000],
      begin: () => (front.intercept = ({ method }) => (breaks === 'reads' || method === 'PUT' ? fault : undefined)),
      end: () => front.reset(),
    });
    return {
      url: s3Url(BUCKET, `http://127.0.0.1:${line.port}`),
      env: getS3Environment(S3RVER_KEYS.accessKeyId, S3RVER_KEYS.secretAccessKey),
      faults: [
        // Each pooled connection may be dead, and only the call that uses it finds out.
        ...createNetworkFaults(line, 4 * CALL_TIMEOUT_MS),
        createFreezeFault(server),
        createAnswerFault('server busy', 'reads', { status: 503, body: '<Error><Code>SlowDown</Code></Error>' }),
        createAnswerFault('disk full', 'writes', {
          status: 507,
          body: '<Error><Code>InsufficientStorage</Code></Error>',
        }),
      ],
      close: async () => {
        await line.close();
        await front.stop();
        await server.stop();
      },
    };
  },
};

const file: StorageKind = {
  name: 'a file',
  refreshInterval: 1_000,
  maxDelayMs: 100,
  polls: false,
  isAvailable: true,
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soak-'));
    const disk = join(folder, 'disk');
    await mkdir(disk);
    const isMounted = mountSmallDisk(disk);
    // The path contains a symbolic link, which can be replaced atomically.
    const link = join(folder, 'link');
    const path = join(link, 'state.json');
    let directories = 0;
    const createDirectory = async (): Promise<string> => {
      const directory = join(disk, String(directories++));
      await mkdir(directory);
      return directory;
    };
    const pointLinkTo = async (target: string): Promise<void> => {
      await symlink(target, `${link}.new`);
      await rename(`${link}.new`, link);
    };
    let current = await createDirectory();
    await pointLinkTo(current);
    const replaceContent = async (text: string): Promise<void> => {
      await writeFile(join(current, 'other'), text);
      await rename(join(current, 'other'), join(current, 'state.json'));
    };
    const filler = join(disk, 'filler');
    const full: FaultKind = {
      name: 'disk full',
      breaks: 'writes',
      durationMs: [1_000, 3_000],
      begin: async () => {
        const { bavail, bsize } = await statfs(disk);
        // Instances may use some of the free space in the meantime, so that the write fails.
        await writeFile(filler, Buffer.alloc(bavail * bsize)).catch(() => undefined);
      },
      end: () => rm(filler),
    };
    return {
      url: `file:${path}`,
      env: {},
      faults: [
        ...(isMounted ? [full] : []),
        {
          name: 'folder unreachable',
          breaks: 'reads',
          durationMs: [300, 3_000],
          begin: async () => {
            await writeFile(`${link}.new`, '');
            await rename(`${link}.new`, link);
          },
          end: () => pointLinkTo(current),
        },
        {
          name: 'file replaced by invalid content',
          breaks: 'reads',
          losesData: true,
          begin: () => replaceContent('garbage'),
        },
        {
          name: 'file cut in half',
          breaks: 'reads',
          losesData: true,
          begin: async () => {
            const text = await readFile(path, 'utf8');
            await replaceContent(text.slice(0, text.length / 2));
          },
        },
        {
          // The content stays the same, so reads must not show the fault at all.
          name: 'replaced by a copy',
          breaks: 'writes',
          excludesWrites: true,
          begin: async () => replaceContent(await readFile(path, 'utf8')),
        },
        {
          name: 'folder replaced by a copy',
          breaks: 'reads',
          excludesWrites: true,
          begin: async () => {
            const text = await readFile(path, 'utf8');
            const old = current;
            current = await createDirectory();
            await replaceContent(text);
            await pointLinkTo(current);
            // An instance may be writing its report there at this moment.
            await rm(old, { recursive: true, maxRetries: 10 });
          },
        },
      ],
      close: async () => {
        if (isMounted) execFileSync('umount', [disk]);
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};

export const STORAGES: readonly StorageKind[] = [redis, s3, file, postgres, mysql];

/** Mounts a tmpfs of 1 MiB. Returns whether that worked: it requires root. With CI set, a failure is an error. */
function mountSmallDisk(folder: string): boolean {
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], {
    encoding: 'utf8',
  });
  if (status === 0) return true;
  const reason = `a small disk could not be mounted (${(error?.message ?? stderr).trim()})`;
  if (process.env.CI === 'true') throw new Error(reason);
  process.stderr.write(`skipped: the "disk full" fault; ${reason}, run as root\n`);
  return false;
}
