// A storage from settings that can be sent to another process.
import { FileStateStorage } from 'nestjs-maintenance';
import { RedisStateStorage } from 'nestjs-maintenance/redis';
import { S3StateStorage } from 'nestjs-maintenance/s3';

/** @param options - as each of the storages takes them */
export function storageOf({ kind, path, ...settings }, options = {}) {
  if (kind === 'file') return new FileStateStorage(path, options);
  if (kind === 'redis') return new RedisStateStorage({ ...settings, ...options });
  // s3rver ignores the conditions of writes, which does not matter where one writes alone.
  return new S3StateStorage({ onUnconditionalWrites: 'warn', ...settings, ...options });
}
