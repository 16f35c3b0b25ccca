import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join, relative } from 'node:path';
import type { InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { describeStateStorage } from '../../testing/describe-state-storage.js';
import { FileStateStorage } from './file-state-storage.js';
import type { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';

const NOBODY_UID = 65534;
const OTHER_OWNER = { uid: 12345, gid: 23456 };

const root = process.getuid?.() === 0;
if (!root) process.stderr.write('The tests of owners are skipped: only root may give files away.\n');
const itAsRoot = root ? it : it.skip;

let folder: string;
let path: string;
let storage: FileStateStorage;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-state-storage-'));
  await chmod(folder, 0o755);
  path = join(folder, 'state.json');
  storage = new FileStateStorage(path);
});

afterEach(async () => {
  jest.restoreAllMocks();
  await chmod(folder, 0o755);
  await rm(folder, { recursive: true, force: true });
});

function createState(revision: number): MaintenanceState {
  return { format: 1, lineage: 'spec', revision, windows: [], history: [] };
}

function createReport(id: string, seenAt = new Date()): InstanceReport {
  const iso = seenAt.toISOString();
  return { id, host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0, seenAt: iso };
}

async function captureStorageError(work: Promise<unknown>): Promise<MaintenanceStorageError> {
  const error: unknown = await work.then(
    (value) => Promise.reject(new Error(`it succeeded with ${JSON.stringify(value)}`)),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'MaintenanceStorageError' });
  return error as MaintenanceStorageError;
}

async function until(what: string, condition: () => boolean | Promise<boolean>, patience = 25_000): Promise<void> {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${patience} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/**
 * Lets the monotonic clock of this process advance with each look at it, and not otherwise.
 *
 * @param step - in milliseconds
 * @param onLook - called with the time
 * @returns a function that returns the time
 */
function simulateTime(step: number, onLook: (now: number) => void = () => undefined): () => number {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => {
    now += step;
    onLook(now);
    return now;
  });
  return () => now;
}

/** Runs `work` with the rights of a user to whom permissions apply. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (!root) return work();
  process.setegid!(NOBODY_UID);
  process.seteuid!(NOBODY_UID);
  try {
    return await work();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}

/** Lists everything below `start` with the attributes that a write would change. */
async function traces(start: string): Promise<string[]> {
  const entries = await readdir(start, { recursive: true });
  const all = await Promise.all(
    ['', ...entries.sort()].map(async (entry) => {
      const { mtimeMs, ctimeMs, ino, mode, size } = await lstat(join(start, entry));
      return [entry, mtimeMs, ctimeMs, ino, mode, size].join(' ');
    }),
  );
  return all;
}

/** Suspends the next fsync: resolves `reached` when it begins and continues after `letGo`. */
function holdFlush(): { reached: Promise<void>; letGo: () => void } {
  let letGo!: () => void;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  let reach!: () => void;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const flush = fs.fsync;
  jest.spyOn(fs, 'fsync').mockImplementationOnce((fd, done) => {
    reach();
    void gate.then(() => flush(fd, done));
  });
  return { reached, letGo };
}

describeStateStorage('FileStateStorage', async () => {
  const place = await mkdtemp(join(tmpdir(), 'file-state-storage-kit-'));
  const file = join(place, 'state.json');
  const reportTtl = 200;
  return {
    storage: new FileStateStorage(file, { reportTtl }),
    another: () => new FileStateStorage(file, { reportTtl }),
    put: (text) => writeFile(file, text),
    reportTtl,
    cleanup: () => rm(place, { recursive: true, force: true }),
  };
});

describe('FileStateStorage', () => {
  it('has the absolute path as location', () => {
    expect(new FileStateStorage(relative(process.cwd(), path)).location).toBe(path);
    expect(storage.kind).toBe('file');
  });

  describe('read', () => {
    it('returns null if the file or the folder is missing', async () => {
      await expect(storage.read()).resolves.toBeNull();
      await expect(new FileStateStorage(join(folder, 'a', 'b', 'state.json')).read()).resolves.toBeNull();
      await symlink('nowhere.json', join(folder, 'link.json'));
      await expect(new FileStateStorage(join(folder, 'link.json')).read()).resolves.toBeNull();
    });

    it('creates no files', async () => {
      const missing = new FileStateStorage(join(folder, 'missing', 'state.json'));
      await storage.write(createState(1), null);
      await storage.report(createReport('old', new Date(0)));
      await writeFile(join(folder, 'broken.json'), 'broken');
      const broken = new FileStateStorage(join(folder, 'broken.json'));
      const before = await traces(folder);
      await storage.read();
      await storage.reports();
      await missing.read();
      await missing.reports();
      await (
        await missing.watch(() => undefined)
      )();
      await captureStorageError(broken.read());
      await (
        await storage.watch(() => undefined)
      )();
      expect(await traces(folder)).toEqual(before);
    });

    it('reads from a read-only folder', async () => {
      await storage.write(createState(1), null);
      await chmod(path, 0o444);
      await chmod(folder, 0o555);
      await expect(asNobody(() => storage.read())).resolves.toMatchObject({ state: createState(1) });
    });

    it('reports invalid content with its path, the reason and the next step', async () => {
      await writeFile(path, '{"format":1}');
      const error = await captureStorageError(storage.read());
      expect(error).toMatchObject({ code: 'corrupt', version: expect.any(String) });
      expect(error.message).toContain(`${path} does not contain a valid maintenance state: lineage`);
      expect(error.message).toContain('`on` or `off` replaces it');
    });

    it('reports an empty file as corrupt', async () => {
      await writeFile(path, '');
      const error = await captureStorageError(storage.read());
      expect(error.code).toBe('corrupt');
      expect(error.message).toContain('it is empty');
    });

    it('reports invalid UTF-8 as corrupt', async () => {
      await writeFile(path, Buffer.from([0xff, 0xfe, 0x31, 0x00, 0xc3, 0x28]));
      const error = await captureStorageError(storage.read());
      expect(error.code).toBe('corrupt');
      await expect(storage.write(createState(1), error.version!)).resolves.toEqual(expect.any(String));
    });

    it('accepts a byte order mark', async () => {
      await writeFile(path, '\ufeff1\r\n');
      await expect(storage.read()).resolves.toMatchObject({ state: { windows: [{ scope: '*' }] } });
    });

    it('reports a huge file as corrupt without reading it, with a version that changes with the file', async () => {
      await writeFile(path, '');
      await truncate(path, 8 * 1024 ** 3);
      const first = await captureStorageError(storage.read());
      expect(first).toMatchObject({ code: 'corrupt', message: expect.stringContaining('larger than 1048576 bytes') });
      expect((await captureStorageError(storage.read())).version).toBe(first.version);
      await utimes(path, 1, 1);
      const second = await captureStorageError(storage.read());
      expect(second.version).not.toBe(first.version);
      expect((await captureStorageError(storage.write(createState(1), first.version!))).code).toBe('conflict');
      await storage.write(createState(1), second.version!);
      await expect(storage.read()).resolves.toMatchObject({ state: createState(1) });
    });

    it('rejects as denied if the user may not read, with the path and the user', async () => {
      await writeFile(path, '1');
      await chmod(path, 0o200);
      const error = await asNobody(() => captureStorageError(storage.read()));
      expect(error.code).toBe('denied');
      expect(error.message).toMatch(`may not read ${path} (owner ${userInfo().username}, mode 200)`);
      expect(error.message).toMatch(/^EACCES: the user "uid \d+"/);
    });

    it('rejects as unavailable if the path cannot be a file', async () => {
      await mkdir(path);
      const directory = await captureStorageError(storage.read());
      expect(directory).toMatchObject({
        code: 'unavailable',
        message: `EISDIR: ${path} is a folder. Specify a file in it.`,
      });
      expect((await captureStorageError(storage.write(createState(1), null))).message).toBe(directory.message);

      await writeFile(join(folder, 'file'), '');
      const below = new FileStateStorage(join(folder, 'file', 'state.json'));
      expect(await captureStorageError(below.read())).toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/^ENOTDIR: a component of/),
      });
      expect(await captureStorageError(below.write(createState(1), null))).toMatchObject({ code: 'unavailable' });

      await symlink('loop', join(folder, 'loop'));
      if (process.platform === 'linux') {
        const dead = new FileStateStorage('/proc/nowhere/state.json');
        expect(await captureStorageError(dead.write(createState(1), null))).toMatchObject({ code: 'unavailable' });
      }

      const loop = new FileStateStorage(join(folder, 'loop'));
      expect(await captureStorageError(loop.read())).toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/^ELOOP/),
      });
      expect(await captureStorageError(loop.write(createState(1), null))).toMatchObject({ code: 'unavailable' });
    });

    it('does not hang on a file that is not regular', async () => {
      const server = createServer().listen(path);
      await once(server, 'listening');
      expect(await captureStorageError(storage.read())).toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(path),
      });
      server.close();
      await once(server, 'close');
      expect(await captureStorageError(new FileStateStorage('/dev/null').read())).toMatchObject({
        code: 'unavailable',
      });
    });
  });

  describe('write', () => {
    it('creates only the state file', async () => {
      const version = await storage.write(createState(1), null);
      await storage.write(createState(2), version);
      await expect(readdir(folder)).resolves.toEqual(['state.json']);
      expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(createState(2));
    });

    it('replaces the file instead of changing it in place', async () => {
      const version = await storage.write(createState(1), null);
      const old = await open(path, 'r');
      await storage.write(createState(2), version);
      expect(JSON.parse(await old.readFile('utf8'))).toEqual(createState(1));
      await old.close();
    });

    it('creates the file with owner-only permissions for any umask', async () => {
      const umask = process.umask(0);
      try {
        await storage.write(createState(1), null);
      } finally {
        process.umask(umask);
      }
      expect((await stat(path)).mode & 0o7777).toBe(0o600);
    });

    it('preserves the mode of the file', async () => {
      await writeFile(path, '0');
      await chmod(path, 0o664);
      await storage.write(createState(1), (await storage.read())!.version);
      expect((await stat(path)).mode & 0o7777).toBe(0o664);
    });

    itAsRoot('keeps the owner of the file', async () => {
      await writeFile(path, '0');
      await chown(path, OTHER_OWNER.uid, OTHER_OWNER.gid);
      await storage.write(createState(1), (await storage.read())!.version);
      expect(await stat(path)).toMatchObject(OTHER_OWNER);
    });

    itAsRoot("gives what root makes to the folder's owner: the file and the reports", async () => {
      await chown(folder, OTHER_OWNER.uid, OTHER_OWNER.gid);
      await storage.write(createState(1), null);
      await storage.report(createReport('a'));
      const made = ['state.json', '.state.json.instances', '.state.json.instances/a'];
      for (const entry of made) expect(await stat(join(folder, entry))).toMatchObject(OTHER_OWNER);
      expect((await stat(path)).mode & 0o7777).toBe(0o600);
    });

    itAsRoot("replaces root's file in the folder of another user, who then owns it", async () => {
      await chown(folder, NOBODY_UID, NOBODY_UID);
      await writeFile(path, '1', { mode: 0o644 });
      const content = await storage.read();
      await asNobody(() => storage.write(createState(1), content!.version));
      expect(await stat(path)).toMatchObject({ uid: NOBODY_UID });
      await expect(storage.read()).resolves.toMatchObject({ state: createState(1) });
    });

    it('follows symbolic links and keeps them', async () => {
      await mkdir(join(folder, 'data'));
      await mkdir(join(folder, 'deep', 'er'), { recursive: true });
      await symlink('../data/real.json', join(folder, 'deep', 'link.json'));
      await symlink('deep/link.json', path);
      const version = await storage.write(createState(1), null);
      await storage.write(createState(2), version);
      await expect(readlink(path)).resolves.toBe('deep/link.json');
      await expect(readlink(join(folder, 'deep', 'link.json'))).resolves.toBe('../data/real.json');
      await expect(readdir(join(folder, 'data'))).resolves.toEqual(['real.json']);
      await expect(storage.read()).resolves.toMatchObject({ state: createState(2) });
    });

    it('locks out writers that use different symbolic links', async () => {
      await symlink('.', join(folder, 'here'));
      const other = new FileStateStorage(join(folder, 'here', 'state.json'));
      const results = await Promise.allSettled([
        storage.write(createState(1), null),
        other.write(createState(2), null),
      ]);
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    });

    it('creates no folder and names the missing one', async () => {
      const deep = new FileStateStorage(join(folder, 'a', 'b', 'state.json'));
      const message = `ENOENT: the folder ${join(folder, 'a', 'b')} does not exist. Create it, or correct the path.`;
      expect(await captureStorageError(deep.write(createState(1), null))).toMatchObject({
        code: 'unavailable',
        message,
      });
      expect(await captureStorageError(deep.report(createReport('a')))).toMatchObject({ code: 'unavailable', message });
      await expect(deep.read()).resolves.toBeNull();
      await expect(deep.reports()).resolves.toEqual([]);
      await expect(readdir(folder)).resolves.toEqual([]);
    });

    it('rejects as denied in a read-only folder, with path, reason and user, and changes nothing', async () => {
      await writeFile(path, '1', { mode: 0o644 });
      await chmod(folder, 0o555);
      const before = await traces(folder);
      const error = await asNobody(async () => {
        const content = await storage.read();
        return captureStorageError(storage.write(createState(1), content!.version));
      });
      expect(error.code).toBe('denied');
      expect(error.message).toMatch(
        new RegExp(`^EACCES: the user "uid \\d+" may not write to ${folder} \\(owner \\S.*, mode 555\\)\\.`),
      );
      expect(await traces(folder)).toEqual(before);
      const report = await asNobody(() => captureStorageError(storage.report(createReport('a'))));
      expect(report).toMatchObject({
        code: 'denied',
        message: expect.stringContaining(join(folder, '.state.json.instances')),
      });
    });

    it.each(['writeFile', 'fsync'] as const)(
      'keeps the old content and no temporary files if %s finds a full disk',
      async (method) => {
        const version = await storage.write(createState(1), null);
        const handle = await open(path, 'r');
        const prototype = Object.getPrototypeOf(handle) as typeof handle;
        await handle.close();
        const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        if (method === 'fsync') jest.spyOn(fs, method).mockImplementationOnce((_fd, done) => done(full));
        else {
          jest.spyOn(prototype, method).mockImplementationOnce(async function (this: typeof handle) {
            await this.write('{"form');
            throw full;
          });
        }
        const error = await captureStorageError(storage.write(createState(2), version));
        expect(error).toMatchObject({
          code: 'unavailable',
          message: expect.stringMatching(/^ENOSPC: there is no space left/),
        });
        await expect(readdir(folder)).resolves.toEqual(['state.json']);
        await expect(storage.read()).resolves.toEqual({ state: createState(1), version });
        await expect(storage.write(createState(2), version)).resolves.toEqual(expect.any(String));
      },
    );

    describe('backup of replaced foreign content', () => {
      const keptFiles = async (): Promise<string[]> =>
        (await readdir(folder)).filter((name) => /^state\.json\.corrupt-\d{8}T\d{9}Z$/.test(name));

      it.each([
        ['a state that was cut off', '{"format":1,"lin'],
        ['the file of another program', '{ "name": "shop" }'],
        ['more than a state may have', 'x'.repeat(1024 * 1024 + 1)],
      ])('keeps %s next to the state file with its mode', async (_title, text) => {
        await writeFile(path, text);
        await chmod(path, 0o640);
        const { version } = await captureStorageError(storage.read());
        await storage.write(createState(1), version!);
        const kept = await keptFiles();
        expect(kept).toHaveLength(1);
        await expect(readFile(join(folder, kept[0]!), 'utf8')).resolves.toBe(text);
        expect((await stat(join(folder, kept[0]!))).mode & 0o7777).toBe(0o640);
        await expect(storage.read()).resolves.toMatchObject({ state: createState(1) });
        expect((await readdir(folder)).sort()).toEqual(['state.json', ...kept]);
      });

      it('keeps a backup for each replacement', async () => {
        for (const text of ['{"for', '{"form', '{"forma']) {
          await writeFile(path, text);
          await storage.write(createState(1), (await captureStorageError(storage.read())).version!);
        }
        const contents = await Promise.all((await keptFiles()).map((name) => readFile(join(folder, name), 'utf8')));
        expect(contents.sort()).toEqual(['{"for', '{"form', '{"forma']);
      });

      it.each(['', ' \n', '\0\0\0', '1', '0\n'])('keeps no backup of %j', async (text) => {
        await writeFile(path, text);
        const found = await storage.read().catch((error: MaintenanceStorageError) => error);
        await storage.write(createState(1), found!.version!);
        await expect(readdir(folder)).resolves.toEqual(['state.json']);
      });

      it('keeps no backup if the write is rejected', async () => {
        await writeFile(path, 'x');
        expect((await captureStorageError(storage.write(createState(1), 'another'))).code).toBe('conflict');
        await expect(readdir(folder)).resolves.toEqual(['state.json']);
      });
    });

    it('rejects a state that it could not read back', async () => {
      const huge = { ...createState(1), notes: 'x'.repeat(1024 * 1024) };
      expect(await captureStorageError(storage.write(huge, null))).toMatchObject({
        message: expect.stringContaining('bytes'),
      });
      await expect(storage.read()).resolves.toBeNull();
    });

    it('removes temporary files of killed writers and no others', async () => {
      const left = `state.json.${randomUUID()}.tmp`;
      const kept = [
        'state.json.1',
        'state.json.tmp',
        'state.json.bak.tmp',
        `state.json.${randomUUID()}`,
        `state.json.${randomUUID()}.tmp.bak`,
        `other.json.${randomUUID()}.tmp`,
        `${randomUUID()}.tmp`,
      ];
      for (const name of [left, ...kept]) await writeFile(join(folder, name), '{"form');
      await storage.write(createState(1), null);
      expect((await readdir(folder)).sort()).toEqual([...kept, 'state.json'].sort());
    });

    it('takes over the lock of a killed writer within seconds', async () => {
      await mkdir(`${path}.lock`);
      simulateTime(200);
      await storage.write(createState(1), null);
      // After 5 seconds it would have written without the lock, and left it.
      await expect(readdir(folder)).resolves.toEqual(['state.json']);
    });

    it('writes after 5 seconds without the lock of a process that hangs', async () => {
      await mkdir(`${path}.lock`);
      // The other process renews its lock, but never releases it.
      const getTime = simulateTime(200, (now) => fs.utimesSync(`${path}.lock`, now, now));
      const writes = [1, 2, 3].map((revision) => storage.write(createState(revision), null));
      const results = await Promise.allSettled(writes);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
      expect(getTime()).toBeGreaterThanOrEqual(5000);
      expect(getTime()).toBeLessThan(7000);
      expect((await readdir(folder)).sort()).toEqual(['state.json', 'state.json.lock']);
    });

    it('loses no update of writers that all ignore the lock', async () => {
      await mkdir(`${path}.lock`);
      simulateTime(6000);
      const increment = async (): Promise<void> => {
        for (;;) {
          const content = await storage.read();
          const next = createState((content?.state.revision ?? 0) + 1);
          const write = new FileStateStorage(path).write(next, content?.version ?? null);
          if (
            await write.then(
              () => true,
              () => false,
            )
          )
            return;
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
        }
      };
      await Promise.all(Array.from({ length: 5 }, increment));
      await expect(storage.read()).resolves.toMatchObject({ state: { revision: 5 } });
    });

    it('does not wait for the lock if the version is already outdated', async () => {
      const version = await storage.write(createState(1), null);
      await mkdir(`${path}.lock`);
      // No time passes: the wait for the lock has no other end.
      simulateTime(0);
      const write = captureStorageError(storage.write(createState(2), version));
      await writeFile(path, '1');
      expect((await write).code).toBe('conflict');
    });

    it('writes nothing if it was suspended and another process took the lock and wrote', async () => {
      const version = await storage.write(createState(1), null);
      const { reached, letGo } = holdFlush();
      const frozen = captureStorageError(storage.write(createState(2), version));
      await reached;
      await rmdir(`${path}.lock`); // as a process does that finds it stale
      const other = await new FileStateStorage(path).write(createState(3), version);
      letGo();
      expect((await frozen).code).toBe('conflict');
      await expect(storage.read()).resolves.toEqual({ state: createState(3), version: other });
      await expect(readdir(folder)).resolves.toEqual(['state.json']);
    });

    it('writes nothing at the same time as a writer without the lock', async () => {
      const version = await storage.write(createState(1), null);
      const { reached, letGo } = holdFlush();
      const frozen = captureStorageError(storage.write(createState(2), version));
      await reached;
      // Another writer has checked for temporary files before ours existed, and now creates its own.
      await writeFile(`${path}.${randomUUID()}.tmp`, '');
      letGo();
      expect((await frozen).code).toBe('conflict');
      await expect(storage.read()).resolves.toEqual({ state: createState(1), version });
    });

    it('does not overwrite a manual edit made during the write', async () => {
      const version = await storage.write(createState(1), null);
      const { reached, letGo } = holdFlush();
      const write = captureStorageError(storage.write(createState(2), version));
      await reached;
      await writeFile(path, '1');
      letGo();
      expect((await write).code).toBe('conflict');
      await expect(readFile(path, 'utf8')).resolves.toBe('1');
    });

    it('writes again after a failed write', async () => {
      const writes = [storage.write(createState(1), 'wrong'), storage.write(createState(1), null)];
      const [first, second] = await Promise.allSettled(writes);
      expect(first!.status).toBe('rejected');
      expect(second!.status).toBe('fulfilled');
    });
  });

  describe('watch', () => {
    async function expectCall(watched: FileStateStorage, change: () => Promise<unknown>): Promise<void> {
      let calls = 0;
      const end = await watched.watch(() => calls++);
      await change();
      await until('the watch has called back', () => calls > 0);
      await end();
    }

    it('calls back for a write, a removal and a manual edit', async () => {
      const other = new FileStateStorage(path);
      await expectCall(storage, () => other.write(createState(1), null));
      await expectCall(storage, () => writeFile(path, '1'));
      await expectCall(storage, () => rm(path));
    });

    it('calls back for writes through a symbolic link', async () => {
      await mkdir(join(folder, 'data'));
      await symlink('data/real.json', path);
      const behind = new FileStateStorage(join(folder, 'data', 'real.json'));
      await expectCall(storage, () => behind.write(createState(1), null));
    });

    it('does not call back for other files', async () => {
      const calls: string[] = [];
      const end = await storage.watch(() => calls.push('state'));
      const endOther = await new FileStateStorage(join(folder, 'other.json')).watch(() => calls.push('other'));
      await writeFile(join(folder, 'state.json.bak'), '1');
      await storage.report(createReport('a'));
      await writeFile(join(folder, 'other.json'), '1');
      await until('the other watch has called back', () => calls.includes('other'));
      expect(calls).not.toContain('state');
      await end();
      await endOther();
    });

    it('does nothing if the folder is missing', async () => {
      const missing = new FileStateStorage(join(folder, 'missing', 'state.json'));
      const end = await missing.watch(() => undefined);
      await expect(end()).resolves.toBeUndefined();
    });

    it('survives the removal of the folder', async () => {
      const place = join(folder, 'place');
      await mkdir(place);
      const watched = new FileStateStorage(join(place, 'state.json'));
      await watched.write(createState(1), null);
      let calls = 0;
      const end = await watched.watch(() => calls++);
      await rm(place, { recursive: true });
      await until('the watch has called back', () => calls > 0);
      await expect(watched.read()).resolves.toBeNull();
      await expect(end()).resolves.toBeUndefined();
    });
  });

  describe('report and reports', () => {
    const reports = (): string => join(folder, '.state.json.instances');

    it('returns no reports if the folder is missing', async () => {
      await expect(storage.reports()).resolves.toEqual([]);
    });

    it('writes one owner-only file per instance', async () => {
      await storage.report(createReport('web-1'));
      await storage.report(createReport('web-1'));
      await storage.report(createReport('web-2'));
      await expect(readdir(reports())).resolves.toEqual(['web-1', 'web-2']);
      expect((await stat(join(reports(), 'web-1'))).mode & 0o7777).toBe(0o600);
    });

    it('writes reports only into their folder for any id', async () => {
      const ids = ['../../escape', '..', '', '/etc/passwd', 'a/b', 'a_b', 'x'.repeat(5000), 'ü\u0000'];
      const before = await readdir(folder);
      for (const id of ids) await storage.report(createReport(id));
      await expect(readdir(folder)).resolves.toEqual([...before, '.state.json.instances']);
      expect((await storage.reports()).map(({ id }) => id).sort()).toEqual([...ids].sort());
    });

    it('does not return expired reports and removes them with the next report', async () => {
      const tooLongAgo = new Date(Date.now() - 100_001);
      await storage.report(createReport('living', new Date(Date.now() - 90_000)));
      await storage.report(createReport('gone', tooLongAgo));
      expect((await storage.reports()).map(({ id }) => id)).toEqual(['living']);
      await expect(readdir(reports())).resolves.toHaveLength(2);
      await storage.report(createReport('new'));
      expect((await readdir(reports())).sort()).toEqual(['living', 'new']);
    });

    it('does not return invalid reports and removes old ones', async () => {
      await storage.report(createReport('living'));
      const broken = ['empty', 'null', 'half', 'foreign', `web-1.${randomUUID()}.tmp`];
      const contents = ['', 'null', '{"id":"a', '{"id":1}', '{"id":"a'];
      for (const [index, name] of broken.entries()) await writeFile(join(reports(), name), contents[index]!);
      await writeFile(join(reports(), 'README.md'), 'not ours');
      await storage.report(createReport('living'));
      expect((await storage.reports()).map(({ id }) => id)).toEqual(['living']);
      await expect(readdir(reports())).resolves.toHaveLength(broken.length + 2);
      for (const name of [...broken, 'README.md']) await utimes(join(reports(), name), 1, 1);
      await storage.report(createReport('living'));
      expect((await readdir(reports())).sort()).toEqual(['README.md', 'living']);
    });

    it('ignores pipes, sockets, folders and large files without blocking a thread', async () => {
      await storage.report(createReport('living'));
      // More than the thread pool has threads.
      for (let index = 0; index < 8; index++) execFileSync('mkfifo', [join(reports(), `pipe-${index}`)]);
      const server = createServer().listen(join(reports(), 'socket'));
      await once(server, 'listening');
      await mkdir(join(reports(), 'folder'));
      await writeFile(
        join(reports(), 'large'),
        JSON.stringify({ ...createReport('large'), x: 'x'.repeat(1024 * 1024) }),
      );
      for (let tries = 0; tries < 3; tries++) {
        await storage.report(createReport('living'));
        expect((await storage.reports()).map(({ id }) => id)).toEqual(['living']);
      }
      await expect(readFile(join(reports(), 'living'), 'utf8')).resolves.toContain('living');
      server.close();
      await once(server, 'close');
    });

    it('uses names that source watchers ignore: no extension, in a dot folder', async () => {
      await storage.report(createReport('ce905d53'));
      const entries = await readdir(folder, { recursive: true });
      expect(entries.sort()).toEqual(['.state.json.instances', '.state.json.instances/ce905d53']);
    });

    describe('of instances that shut down', () => {
      const finished = (id: string): InstanceReport => ({ ...createReport(id), stopped: true });

      it('leave no files where no state is stored', async () => {
        await storage.report(createReport('web-1'));
        await storage.report(finished('web-1'));
        await expect(readdir(folder)).resolves.toEqual([]);
      });

      it('leave no files if several shut down, while others start', async () => {
        for (let round = 0; round < 20; round++) {
          const instances = Array.from({ length: 8 }, () => new FileStateStorage(path));
          const work = instances.map(async (instance, index) => {
            await instance.report(createReport(`web-${index}`));
            await instance.report(finished(`web-${index}`));
          });
          await Promise.all(work);
        }
        // Whichever process created the folder last may have shut down before others.
        expect(
          (await readdir(folder, { recursive: true })).filter((entry) => entry !== '.state.json.instances'),
        ).toEqual([]);
      });

      it('stay while another instance reports', async () => {
        await storage.report(createReport('web-1'));
        await storage.report(createReport('web-2'));
        await storage.report(finished('web-1'));
        expect((await storage.reports()).map(({ id }) => id)).toEqual(['web-1', 'web-2']);
        await storage.report(finished('web-2'));
        await expect(readdir(folder)).resolves.toEqual([]);
      });

      it.each([
        ['a state is stored', () => storage.write(createState(1), null), {}],
        ['the content is no state', () => writeFile(path, 'half a st'), {}],
        ['requests are in flight', () => Promise.resolve(), { inFlight: 1 }],
      ])('stay if %s', async (_name, prepare, members) => {
        await storage.report(createReport('web-1'));
        await prepare();
        await storage.report({ ...finished('web-1'), ...members });
        await expect(storage.reports()).resolves.toMatchObject([{ id: 'web-1', stopped: true }]);
      });

      it('leave a folder that was there before, and files of others in it', async () => {
        await mkdir(reports());
        await chmod(reports(), 0o770);
        await storage.report(createReport('web-1'));
        await storage.report(finished('web-1'));
        expect((await stat(reports())).mode & 0o777).toBe(0o770);
        await expect(readdir(reports())).resolves.toEqual([]);
        await rmdir(reports());

        await storage.report(createReport('web-1'));
        await writeFile(join(reports(), 'README.md'), 'not ours');
        await expect(storage.report(finished('web-1'))).resolves.toBeUndefined();
        await expect(readdir(reports())).resolves.toEqual(['README.md']);
      });
    });

    it('writes reports next to the target of a symbolic link', async () => {
      await mkdir(join(folder, 'data'));
      await symlink('data/real.json', path);
      await storage.report(createReport('a'));
      const behind = new FileStateStorage(join(folder, 'data', 'real.json'));
      await expect(behind.reports()).resolves.toHaveLength(1);
    });

    it('rejects as denied if the user may not read the reports', async () => {
      await storage.report(createReport('a'));
      await chmod(reports(), 0o000);
      expect(await asNobody(() => captureStorageError(storage.reports()))).toMatchObject({ code: 'denied' });
      await chmod(reports(), 0o700);
    });
  });
});
