import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getS3Environment, s3Url } from '../fleet/storage-backends.js';
import { findRedisServer, RedisServer } from '../storage/redis-server.js';
import { LightServer, S3Front, S3RVER_KEYS, type Fault as S3Fault } from '../storage/s3-front.js';
import { FaultyLine } from './faulty-line.js';
import type { Random } from './random.js';

/** Something that can go wrong. */
export interface FaultKind {
  name: string;
  breaks: 'reads' | 'writes';
  /** The storage has lost what it had, until the next write. */
  forgets?: boolean;
  /** Milliseconds for which it lasts, least and most; missing: it is over at once. */
  lasts?: [least: number, most: number];
  /** Milliseconds for which a call or a connection from before may go on hanging when it is over. Default: 0. */
  hangs?: number;
  /** Nobody may write meanwhile: it moves what is stored. */
  isDelicate?: boolean;
  begin: (random: Random) => unknown;
  end?: () => unknown;
}

/** A storage, and what can be done to it. */
export interface Ground {
  url: string;
  env: Record<string, string>;
  faults: FaultKind[];
  close(): Promise<void>;
}

export interface KindOfGround {
  name: string;
  /** Milliseconds between two reads. */
  refreshInterval: number;
  /** Milliseconds within which a change is seen everywhere: where nobody is told, the next read and a little for its answer. */
  bound: number;
  polls: boolean;
  isThere: boolean;
  open(): Promise<Ground>;
}

/** What a storage waits for an answer, in milliseconds. */
const CALL_TIMEOUT = 3_000;
/** After which a connection that only listens is given up, and the longest pause before the next, in milliseconds. */
const LISTENER_SILENCE = 7_000;
const BUCKET = 'bucket';

const redis: KindOfGround = {
  name: 'Redis',
  refreshInterval: 1_000,
  bound: 100,
  polls: false,
  isThere: findRedisServer() !== undefined,
  open: async () => {
    // What it has confirmed it keeps when it is killed, unless it is to lose it.
    const server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
    const line = await FaultyLine.to(server.port);
    return {
      url: `redis://127.0.0.1:${line.port}/0`,
      env: {},
      faults: [
        ...faultsOf(line, LISTENER_SILENCE),
        frozen(server),
        {
          name: 'server killed and restarted',
          breaks: 'reads',
          lasts: [300, 1_500],
          begin: () => server.kill(),
          end: () => server.restart(),
        },
        {
          name: 'server killed and restarted empty',
          breaks: 'reads',
          forgets: true,
          lasts: [300, 1_500],
          begin: async () => {
            await server.kill();
            await rm(join(server.folder, 'appendonlydir'), { recursive: true });
          },
          end: () => server.restart(),
        },
        {
          name: 'memory full',
          breaks: 'writes',
          lasts: [1_000, 3_000],
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

const s3: KindOfGround = {
  name: 'S3',
  refreshInterval: 500,
  bound: 550,
  polls: true,
  isThere: true,
  open: async () => {
    const server = await LightServer.start(BUCKET);
    const front = await S3Front.start(server, BUCKET);
    const line = await FaultyLine.to(Number(new URL(front.url).port));
    const answered = (name: string, breaks: 'reads' | 'writes', fault: S3Fault): FaultKind => ({
      name,
      breaks,
      lasts: [1_000, 3_000],
      begin: () => (front.intercept = ({ method }) => (breaks === 'reads' || method === 'PUT' ? fault : undefined)),
      end: () => front.reset(),
    });
    return {
      url: s3Url(BUCKET, `http://127.0.0.1:${line.port}`),
      env: getS3Environment(S3RVER_KEYS.accessKeyId, S3RVER_KEYS.secretAccessKey),
      faults: [
        // Each connection that was kept alive is dead, and found so by the call that takes it.
        ...faultsOf(line, 4 * CALL_TIMEOUT),
        frozen(server),
        answered('server busy', 'reads', { status: 503, body: '<Error><Code>SlowDown</Code></Error>' }),
        answered('disk full', 'writes', { status: 507, body: '<Error><Code>InsufficientStorage</Code></Error>' }),
      ],
      close: async () => {
        await line.close();
        await front.stop();
        await server.stop();
      },
    };
  },
};

const file: KindOfGround = {
  name: 'a file',
  refreshInterval: 1_000,
  bound: 100,
  polls: false,
  isThere: true,
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soak-'));
    const disk = join(folder, 'disk');
    await mkdir(disk);
    const isSmall = mountSmallDisk(disk);
    // The path leads over a link, which can be turned elsewhere in one moment.
    const room = join(folder, 'room');
    const path = join(room, 'state.json');
    let rooms = 0;
    const newRoom = async (): Promise<string> => {
      const made = join(disk, String(rooms++));
      await mkdir(made);
      return made;
    };
    const turnTo = async (target: string): Promise<void> => {
      await symlink(target, `${room}.new`);
      await rename(`${room}.new`, room);
    };
    let current = await newRoom();
    await turnTo(current);
    const replaceBy = async (text: string): Promise<void> => {
      await writeFile(join(current, 'other'), text);
      await rename(join(current, 'other'), join(current, 'state.json'));
    };
    const filler = join(disk, 'filler');
    const full: FaultKind = {
      name: 'disk full',
      breaks: 'writes',
      lasts: [1_000, 3_000],
      begin: async () => {
        const { bavail, bsize } = await statfs(disk);
        // Others take some of it meanwhile.
        await writeFile(filler, Buffer.alloc(bavail * bsize)).catch(() => undefined);
      },
      end: () => rm(filler),
    };
    return {
      url: `file:${path}`,
      env: {},
      faults: [
        ...(isSmall ? [full] : []),
        {
          name: 'folder unreachable',
          breaks: 'reads',
          lasts: [300, 3_000],
          begin: async () => {
            await writeFile(`${room}.new`, '');
            await rename(`${room}.new`, room);
          },
          end: () => turnTo(current),
        },
        { name: 'garbage', breaks: 'reads', forgets: true, begin: () => replaceBy('garbage') },
        {
          name: 'half a file',
          breaks: 'reads',
          forgets: true,
          begin: async () => {
            const text = await readFile(path, 'utf8');
            await replaceBy(text.slice(0, text.length / 2));
          },
        },
        {
          // It holds what it held: reads may not show it at all.
          name: 'replaced by a copy',
          breaks: 'writes',
          isDelicate: true,
          begin: async () => replaceBy(await readFile(path, 'utf8')),
        },
        {
          name: 'folder replaced by a copy',
          breaks: 'reads',
          isDelicate: true,
          begin: async () => {
            const text = await readFile(path, 'utf8');
            const old = current;
            current = await newRoom();
            await replaceBy(text);
            await turnTo(current);
            // An instance may just be writing its report there.
            await rm(old, { recursive: true, maxRetries: 10 });
          },
        },
      ],
      close: async () => {
        if (isSmall) execFileSync('umount', [disk]);
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};

export const GROUNDS = [redis, s3, file];

/** @param silence - milliseconds after which nobody uses a connection any more that went silent */
function faultsOf(line: FaultyLine, silence: number): FaultKind[] {
  let storm: NodeJS.Timeout | undefined;
  const end = (): Promise<void> => line.heal();
  const hangs = CALL_TIMEOUT;
  return [
    {
      name: 'slow line',
      breaks: 'reads',
      lasts: [1_000, 3_000],
      hangs,
      begin: (random) => line.delay(random.between(100, 500)),
      end,
    },
    {
      name: 'line slower than the time-outs',
      breaks: 'reads',
      lasts: [2_000, 5_000],
      hangs,
      begin: (random) => line.delay(random.between(2_000, 4_000)),
      end,
    },
    {
      name: 'nothing passes',
      breaks: 'reads',
      lasts: [1_000, 5_000],
      hangs,
      begin: () => line.delay(Infinity),
      end,
    },
    { name: 'open connections go silent', breaks: 'reads', hangs: silence, begin: () => line.silence() },
    { name: 'cut once', breaks: 'reads', begin: () => line.cut() },
    { name: 'reset once', breaks: 'reads', begin: () => line.reset() },
    {
      name: 'cut again and again',
      breaks: 'reads',
      lasts: [500, 3_000],
      begin: (random) => (storm = setInterval(() => line.cut(), random.between(20, 200))),
      end: () => clearInterval(storm),
    },
    {
      name: 'answers truncated',
      breaks: 'reads',
      lasts: [500, 3_000],
      begin: (random) => line.truncate(Math.floor(random.between(0, 200))),
      end,
    },
    { name: 'connections refused', breaks: 'reads', lasts: [300, 3_000], begin: () => line.refuse(), end },
  ];
}

function frozen(server: RedisServer | LightServer): FaultKind {
  return {
    name: 'server frozen',
    breaks: 'reads',
    lasts: [1_000, 5_000],
    hangs: CALL_TIMEOUT,
    begin: () => server.signal('SIGSTOP'),
    end: () => server.signal('SIGCONT'),
  };
}

/** Whether it could: that takes root. Where nothing may be left out, it must. */
function mountSmallDisk(folder: string): boolean {
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], {
    encoding: 'utf8',
  });
  if (status === 0) return true;
  const reason = `a small disk could not be mounted (${(error?.message ?? stderr).trim()})`;
  if (process.env.CI === 'true') throw new Error(reason);
  process.stderr.write(`left out: full disk; ${reason}, run as root\n`);
  return false;
}
