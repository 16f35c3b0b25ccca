export type { RedisClientLike } from './storage/redis-client.js';
export { RedisStateStorage, type RedisStateStorageOptions } from './storage/redis-state-storage.js';
