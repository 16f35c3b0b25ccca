export type { PostgresPoolClientLike, PostgresPoolLike } from './storage/postgres/postgres-client.js';
export type { PostgresStateStorageOptions } from './storage/postgres/postgres-options.js';
export { PostgresStateStorage } from './storage/postgres/postgres-state-storage.js';
