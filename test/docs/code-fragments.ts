/** Pages that explain the code around a block once: their blocks have no imports. */
export const FRAGMENT_PAGES = new Set([
  'README.md',
  ...['cache', 'command-line', 'configuration', 'exemptions', 'limits', 'mysql', 'postgres', 'redis'].map(toFile),
  ...['response', 's3', 'serverless'].map(toFile),
]);

function toFile(name: string): string {
  return `docs/${name}.md`;
}

/** The names that blocks use without an import, by their module. */
const NAMES: Record<string, string[]> = {
  '@keyv/redis': ['createKeyv'],
  '@nestjs/cache-manager': ['CacheModule'],
  '@nestjs/common': ['Controller', 'Inject', 'Injectable', 'Module', 'Post'],
  '@nestjs/config': ['ConfigService', 'ConfigType'],
  '@nestjs/core': ['NestFactory'],
  '@nestjs/platform-express': ['NestExpressApplication'],
  '@nestjs/platform-fastify': ['FastifyAdapter', 'NestFastifyApplication'],
  'mysql2/promise': ['createPool'],
  'nestjs-maintenance': [
    'ForceMaintenance',
    'MaintenanceModule',
    'MaintenanceService',
    'SkipMaintenance',
    'maintenanceConfig',
    'useMaintenance',
  ],
  'nestjs-maintenance/cli': ['MaintenanceCliModule'],
  'nestjs-maintenance/mysql': ['MysqlStateStorage'],
  'nestjs-maintenance/postgres': ['PostgresStateStorage'],
  'nestjs-maintenance/redis': ['RedisStateStorage'],
  pg: ['Pool'],
};

/** Names that the application of a reader has, each with its declaration. */
const DECLARATIONS: Record<string, string> = {
  AppModule: 'class AppModule {}',
  accessKeyId: 'declare const accessKeyId: string;',
  bucket: 'declare const bucket: string;',
  ca: 'declare const ca: string;',
  endpoint: 'declare const endpoint: string;',
  key: 'declare const key: string;',
  maintenance: "declare const maintenance: import('nestjs-maintenance').MaintenanceService;",
  migrate: 'declare function migrate(): Promise<void>;',
  renderView: 'declare function renderView(name: string, context: object): Promise<string>;',
  secret: 'declare const secret: string;',
  secretAccessKey: 'declare const secretAccessKey: string;',
  session: "declare function session(options: object): import('express').RequestHandler;",
  sessions: 'declare const sessions: { findUser(request: unknown): Promise<{ roles: string[] }> };',
  signer: 'declare const signer: { getAuthToken(): Promise<string> };',
};

/** Adds what a block uses without an import or a declaration. */
export function completeFragment(code: string): string {
  const isFree = (name: string): boolean =>
    new RegExp(`(?<![.\\w'])${name}\\b(?!')`).test(code) &&
    !new RegExp(`import [^;]*\\b${name}\\b|(const|class|function) ${name}\\b`).test(code);
  const imports = Object.entries(NAMES).map(([module, names]) => {
    const used = names.filter(isFree);
    return used.length === 0 ? '' : `import { ${used.join(', ')} } from '${module}';\n`;
  });
  const declarations = Object.entries(DECLARATIONS).map(([name, text]) => (isFree(name) ? `${text}\n` : ''));
  return [...imports, ...declarations, code].join('');
}
