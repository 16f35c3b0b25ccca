import { redactUrlCredentials } from '../utils/redact-credentials.js';
import { FileStateStorage } from './file/file-state-storage.js';
import { findDefaultFile, parseFileUrl } from './file/parse-file-url.js';
import { parseS3Url } from './s3/parse-s3-url.js';
import { createModuleStorage, isModulePath } from './module-storage.js';
import type { StateStorage } from './state-storage.js';

/** A kind of URL that selects a built-in storage. CONTRIBUTING.md lists what else a new storage needs. */
interface StorageScheme {
  schemes: string[];
  /** The URL that errors show as an example. */
  example: string;
  /** Creates the storage. Imports its client on use: only the storage in use needs its package. */
  create(url: string): StateStorage | Promise<StateStorage>;
}

const STORAGE_SCHEMES: StorageScheme[] = [
  {
    schemes: ['file'],
    example: 'file:path (such as file:/var/lib/app/maintenance.json)',
    create: (url) => new FileStateStorage(parseFileUrl(url)),
  },
  {
    schemes: ['s3'],
    example: 's3://bucket/key',
    create: async (url) => new (await import('./s3/s3-state-storage.js')).S3StateStorage(parseS3Url(url)),
  },
  {
    schemes: ['redis', 'rediss'],
    example: 'redis://host:port/db',
    create: async (url) => new (await import('./redis/redis-state-storage.js')).RedisStateStorage({ url }),
  },
  {
    schemes: ['postgres', 'postgresql'],
    example: 'postgres://user@host/database',
    create: async (url) => new (await import('./postgres/postgres-state-storage.js')).PostgresStateStorage({ url }),
  },
  {
    schemes: ['mysql', 'mariadb'],
    example: 'mysql://host/database',
    create: async (url) => new (await import('./mysql/mysql-state-storage.js')).MysqlStateStorage({ url }),
  },
  {
    schemes: ['module'],
    example: 'module:./my-storage.js',
    create: (url) => createModuleStorage(url.slice('module:'.length)),
  },
];

/**
 * Creates the storage that a URL selects.
 *
 * @param url - one of {@link STORAGE_SCHEMES}, or the path of a module; `undefined` selects the default file, see
 *   {@link findDefaultFile}
 * @throws Error that shows which URLs are supported
 */
export async function createStorage(url: string | undefined): Promise<StateStorage> {
  if (url === undefined) return new FileStateStorage(findDefaultFile(process.cwd()));
  if (isModulePath(url)) return createModuleStorage(url);
  const scheme = /^([a-z][a-z\d+.-]+):/i.exec(url)?.[1]?.toLowerCase();
  const match = STORAGE_SCHEMES.find(({ schemes }) => scheme !== undefined && schemes.includes(scheme));
  if (match) return match.create(url);
  const examples = STORAGE_SCHEMES.map(({ example }) => example).join(', ');
  throw new Error(
    `${JSON.stringify(redactUrlCredentials(url))} is not the URL of a storage; expected one of ${examples}`,
  );
}
