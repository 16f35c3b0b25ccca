export type { S3ClientLike, S3Credentials, S3StateStorageOptions } from './storage/s3/s3-options.js';
export { S3StateStorage } from './storage/s3/s3-state-storage.js';
