export type {
  MysqlCallbackPoolLike,
  MysqlConnectionLike,
  MysqlPoolLike,
  MysqlPromisePoolLike,
  MysqlTlsOptions,
} from './storage/mysql/mysql-client.js';
export { MysqlStateStorage, type MysqlStateStorageOptions } from './storage/mysql/mysql-state-storage.js';
