export type { RedisClientLike } from './storage/redis/redis-client.js';
export { RedisStateStorage, type RedisStateStorageOptions } from './storage/redis/redis-state-storage.js';
