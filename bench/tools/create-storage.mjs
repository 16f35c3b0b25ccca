// Creates a storage from settings that can be sent to another process.
import { FileStateStorage } from 'nestjs-maintenance';
import { MysqlStateStorage } from 'nestjs-maintenance/mysql';
import { PostgresStateStorage } from 'nestjs-maintenance/postgres';
import { RedisStateStorage } from 'nestjs-maintenance/redis';
import { S3StateStorage } from 'nestjs-maintenance/s3';

/**
 * Returns a storage of this kind.
 *
 * @param options - the options of its class
 */
export function createStorage({ kind, path, ...settings }, options = {}) {
  if (kind === 'file') return new FileStateStorage(path, options);
  if (kind === 'mysql') return new MysqlStateStorage({ ...settings, ...options });
  if (kind === 'postgres') return new PostgresStateStorage({ ...settings, ...options });
  if (kind === 'redis') return new RedisStateStorage({ ...settings, ...options });
  // s3rver ignores conditional writes, which are not needed with a single writer.
  return new S3StateStorage({ onUnconditionalWrites: 'warn', ...settings, ...options });
}
