export { describeStateStorage } from './describe-state-storage.js';
export { ManualClock } from './manual-clock.js';
export { MemoryStateStorage, type MemoryStateStorageOptions } from './memory-state-storage.js';
export type { StorageUnderTest } from './storage-under-test.js';
