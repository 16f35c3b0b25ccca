import { mkdir, mkdtemp, readdir, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFile } from './file-lock.js';

const nothing = async (): Promise<void> => undefined;

describe('lockFile', () => {
  let folder: string;
  let path: string;
  let lock: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'file-lock-'));
    path = join(folder, 'state.json');
    lock = `${path}.lock`;
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await rm(folder, { recursive: true });
  });

  /** Stops the monotonic clock of this process, and returns a function that moves it. */
  function stopTime(): (milliseconds: number) => void {
    // A whole number, so that sums of milliseconds are exact.
    let now = Math.ceil(performance.now());
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    return (milliseconds) => void (now += milliseconds);
  }

  it('gives the lock to one holder at a time, and to each of many', async () => {
    let holders = 0;
    let mostHolders = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const release = await lockFile(path, Infinity, nothing);
        mostHolders = Math.max(mostHolders, ++holders);
        await stat(folder);
        holders--;
        await release();
      }),
    );
    expect(mostHolders).toBe(1);
    await expect(readdir(folder)).resolves.toEqual([]);
  });

  it.each([
    ['now', 0],
    ['a day ago', -86_400_000],
    ['tomorrow, by a clock that was wrong', 86_400_000],
  ])('takes over a lock that was left %s once it has not changed for 2 s', async (_title, offset) => {
    await mkdir(lock);
    const modifiedAt = new Date(Date.now() + offset);
    await utimes(lock, modifiedAt, modifiedAt);
    const pass = stopTime();
    let polls = 0;
    const release = await lockFile(path, Infinity, async () => {
      polls++;
      pass(500);
    });
    // The lock is seen at the first poll, and 2 s later at the fifth.
    expect(polls).toBe(5);
    await release();
    await expect(readdir(folder)).resolves.toEqual([]);
  });

  it('does not take over a lock that changes, whatever the time of day', async () => {
    await mkdir(lock);
    const pass = stopTime();
    let polls = 0;
    const release = await lockFile(path, Infinity, async () => {
      pass(1000);
      if (++polls === 20) await rmdir(lock);
      else await utimes(lock, 1000 - polls, 1000 - polls);
    });
    expect(polls).toBe(20);
    await release();
  });

  it('changes its lock while it holds it', async () => {
    const release = await lockFile(path, Infinity, nothing);
    const { mtimeMs } = await stat(lock);
    while ((await stat(lock)).mtimeMs === mtimeMs) await new Promise((resolve) => setTimeout(resolve, 20));
    await release();
  });

  it('does not release the lock of another process after it was suspended', async () => {
    const pass = stopTime();
    const release = await lockFile(path, Infinity, nothing);
    pass(2000);
    await release();
    await expect(readdir(folder)).resolves.toEqual(['state.json.lock']);
  });

  it.each([
    ['is held', () => mkdir(lock)],
    ['can not be removed', () => writeFile(lock, '')],
  ])('continues after the deadline without a lock that %s, and leaves it', async (_title, block) => {
    await block();
    const pass = stopTime();
    const release = await lockFile(path, performance.now() + 9000, async () => {
      pass(1000);
      await utimes(lock, new Date(), new Date());
    });
    await release();
    await expect(readdir(folder)).resolves.toEqual(['state.json.lock']);
  });

  it('stops waiting on request', async () => {
    await mkdir(lock);
    const conflict = new Error('conflict');
    await expect(lockFile(path, Infinity, () => Promise.reject(conflict))).rejects.toBe(conflict);
  });

  it('rejects if the folder is missing', async () => {
    await expect(lockFile(join(folder, 'missing', 'state.json'), 0, nothing)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
