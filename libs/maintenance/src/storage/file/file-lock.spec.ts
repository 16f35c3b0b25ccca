import { lock } from 'proper-lockfile';
import { lockFile } from './file-lock.js';

jest.mock('proper-lockfile', () => ({ lock: jest.fn() }));

const lockMock = jest.mocked(lock);
const nothing = async (): Promise<void> => undefined;

function createError(code: string, syscall?: string): Error {
  return Object.assign(new Error(code), { code, syscall });
}

beforeEach(() => lockMock.mockReset().mockResolvedValue(nothing));

describe('lockFile', () => {
  it('waits while another process has the lock, and checks before each wait whether to continue', async () => {
    lockMock.mockRejectedValueOnce(createError('ELOCKED')).mockRejectedValueOnce(createError('ELOCKED'));
    const beforeWaiting = jest.fn(nothing);
    await lockFile('/somewhere/state.json', Infinity, beforeWaiting);
    expect(lockMock).toHaveBeenCalledTimes(3);
    expect(beforeWaiting).toHaveBeenCalledTimes(2);
  });

  it('retries if another process removed its new lock as stale', async () => {
    lockMock.mockRejectedValueOnce(createError('ENOENT', 'stat'));
    await lockFile('/somewhere/state.json', Infinity, nothing);
    expect(lockMock).toHaveBeenCalledTimes(2);
  });

  it.each([createError('ENOENT', 'mkdir'), createError('EACCES', 'mkdir')])(
    'rejects if the lock cannot be created',
    async (error) => {
      lockMock.mockRejectedValueOnce(error);
      await expect(lockFile('/somewhere/state.json', Infinity, nothing)).rejects.toBe(error);
    },
  );

  it('stops waiting on request', async () => {
    lockMock.mockRejectedValue(createError('ELOCKED'));
    const conflict = new Error('conflict');
    await expect(lockFile('/somewhere/state.json', Infinity, () => Promise.reject(conflict))).rejects.toBe(conflict);
    expect(lockMock).toHaveBeenCalledTimes(1);
  });

  it('tries once more after the deadline, then names the lock', async () => {
    await expect(lockFile('/somewhere/state.json', 0, nothing)).resolves.toMatchObject({ isLost: false });
    lockMock.mockReset().mockRejectedValue(createError('ELOCKED'));
    const attempt = lockFile('/somewhere/state.json', 0, nothing);
    await expect(attempt).rejects.toMatchObject({ code: 'unavailable' });
    await expect(attempt).rejects.toThrow('Timed out waiting for the lock /somewhere/state.json.lock');
  });

  it('detects a lost lock and ignores the failure to release it', async () => {
    lockMock.mockResolvedValue(() => Promise.reject(createError('ERELEASED')));
    const held = await lockFile('/somewhere/state.json', Infinity, nothing);
    expect(held.isLost).toBe(false);
    lockMock.mock.calls[0]![1]!.onCompromised!(createError('ECOMPROMISED'));
    expect(held.isLost).toBe(true);
    await expect(held.release()).resolves.toBeUndefined();
  });
});
