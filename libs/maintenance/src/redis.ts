export type { IoredisClientLike, NodeRedisClientLike, RedisClientLike } from './storage/redis/redis-client.js';
export { RedisStateStorage, type RedisStateStorageOptions } from './storage/redis/redis-state-storage.js';
