import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../..');
const DIST = join(ROOT, 'libs/maintenance/dist');

interface EntryPoint {
  /** The declarations, below `dist/esm` and `dist/cjs`. */
  file: string;
  values: string[];
  types: string[];
}

/** The public names of the package: a change here is a change for users. */
const ENTRY_POINTS: Record<string, EntryPoint> = {
  'nestjs-maintenance': {
    file: 'index',
    values: [
      'CachedStateStorage',
      'Clock',
      'FileStateStorage',
      'ForceMaintenance',
      'InvalidWindowError',
      'MaintenanceAbortedError',
      'MaintenanceAccess',
      'MaintenanceDrainError',
      'MaintenanceException',
      'MaintenanceExceptionFilter',
      'MaintenanceForcedError',
      'MaintenanceGuard',
      'MaintenanceInactiveError',
      'MaintenanceInterceptor',
      'MaintenanceModule',
      'MaintenanceOptionsError',
      'MaintenanceScope',
      'MaintenanceService',
      'MaintenanceStorageError',
      'NothingDrainsError',
      'RunInMaintenance',
      'SkipMaintenance',
      'StateStorage',
      'maintenanceConfig',
      'parseStoredState',
      'useMaintenance',
    ],
    types: [
      'Access',
      'AdminOptions',
      'AnnounceOptions',
      'BackgroundOptions',
      'BlockingWork',
      'BypassOptions',
      'CacheOptions',
      'CachedStateStorageOptions',
      'ChangeSource',
      'DisableOptions',
      'DrainReport',
      'DuringOptions',
      'EnableOptions',
      'ExemptOptions',
      'FileStateStorageOptions',
      'HeldWork',
      'HistoryEntry',
      'InstanceReport',
      'MaintenanceMode',
      'MaintenanceModuleAsyncOptions',
      'MaintenanceModuleExtras',
      'MaintenanceModuleOptions',
      'MaintenanceOptionsFactory',
      'MaintenanceState',
      'MaintenanceStatus',
      'MaintenanceStorageErrorCode',
      'MaintenanceWindow',
      'MicroservicesOptions',
      'PageContext',
      'PageOptions',
      'PageTexts',
      'PendingInstance',
      'PendingReason',
      'PlannedMaintenance',
      'Problem',
      'PublicStatus',
      'PublicStatusOptions',
      'RefusedEventHandler',
      'Refusal',
      'RefusedCall',
      'ResponseFormat',
      'ResponseOptions',
      'StateCache',
      'StatusSource',
      'StorageFailurePolicy',
      'StoredWindow',
      'VersionedState',
      'WindowBypass',
      'WindowRecurrence',
    ],
  },
  'nestjs-maintenance/s3': {
    file: 's3',
    values: ['S3StateStorage'],
    types: ['S3ClientLike', 'S3Credentials', 'S3StateStorageOptions'],
  },
  'nestjs-maintenance/redis': {
    file: 'redis',
    values: ['RedisStateStorage'],
    types: ['IoredisClientLike', 'NodeRedisClientLike', 'RedisClientLike', 'RedisStateStorageOptions'],
  },
  'nestjs-maintenance/mysql': {
    file: 'mysql',
    values: ['MysqlStateStorage'],
    types: [
      'MysqlCallbackPoolLike',
      'MysqlConnectionLike',
      'MysqlPoolLike',
      'MysqlPromisePoolLike',
      'MysqlStateStorageOptions',
      'MysqlTlsOptions',
    ],
  },
  'nestjs-maintenance/postgres': {
    file: 'postgres',
    values: ['PostgresStateStorage'],
    types: ['PostgresPoolClientLike', 'PostgresPoolLike', 'PostgresStateStorageOptions'],
  },
  'nestjs-maintenance/terminus': {
    file: 'terminus',
    values: ['MaintenanceHealthIndicator'],
    types: ['MaintenanceHealth'],
  },
  'nestjs-maintenance/client': {
    file: 'client',
    values: ['maintenanceOf', 'watchMaintenance'],
    types: ['MaintenanceMode', 'MaintenanceRefusal', 'PlannedMaintenance', 'PublicStatus'],
  },
  'nestjs-maintenance/cli': { file: 'cli/index', values: ['MaintenanceCliModule'], types: [] },
  'nestjs-maintenance/testing': {
    file: 'testing/index',
    values: ['ManualClock', 'MemoryStateStorage', 'describeStateStorage'],
    types: ['MemoryStateStorageOptions', 'StorageUnderTest'],
  },
};

const NAMES = Object.keys(ENTRY_POINTS);

/** Returns the names that each entry point exports at run time. */
async function getValues(load: (name: string) => string, flags: string[] = []): Promise<Record<string, string[]>> {
  const program = `void (async () => {
    const found = {};
    for (const name of ${JSON.stringify(NAMES)}) found[name] = Object.keys(${load('name')});
    console.log(JSON.stringify(found));
  })();`;
  const { stdout } = await run(process.execPath, [...flags, '-e', program], { cwd: ROOT });
  return JSON.parse(stdout) as Record<string, string[]>;
}

/** Returns the names that the declarations of each entry point export, apart from values. */
function getTypes(format: 'esm' | 'cjs'): Record<string, string[]> {
  const files = Object.values(ENTRY_POINTS).map(({ file }) => join(DIST, format, `${file}.d.ts`));
  const program = ts.createProgram(files, {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: [],
  });
  const checker = program.getTypeChecker();
  return Object.fromEntries(
    NAMES.map((name, index) => {
      const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(files[index]!)!)!);
      const types = exported.filter((symbol) => {
        const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
        return (target.flags & ts.SymbolFlags.Value) === 0;
      });
      return [name, types.map((symbol) => symbol.name)];
    }),
  );
}

function select(kind: 'values' | 'types'): Record<string, string[]> {
  return sort(Object.fromEntries(NAMES.map((name) => [name, ENTRY_POINTS[name]![kind]])));
}

function sort(names: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(names).map(([name, list]) => [name, [...list].sort()]));
}

describe('the entry points of the package', () => {
  it('are those that package.json lists', () => {
    const manifest = readFileSync(join(ROOT, 'libs/maintenance/package.json'), 'utf8');
    const { exports } = JSON.parse(manifest) as { exports: object };
    const listed = Object.keys(exports).filter((path) => path !== './package.json');
    expect(listed.map((path) => path.replace(/^\./, 'nestjs-maintenance')).sort()).toEqual([...NAMES].sort());
  });

  it('export the same values as ES modules and as CommonJS', async () => {
    const fromImport = await getValues((name) => `await import(${name})`, ['--input-type=module']);
    const fromRequire = await getValues((name) => `require(${name})`);
    expect(sort(fromImport)).toEqual(select('values'));
    expect(sort(fromRequire)).toEqual(select('values'));
  });

  it.each(['esm', 'cjs'] as const)('export the same types in the declarations for %s', (format) => {
    expect(sort(getTypes(format))).toEqual(select('types'));
  });
});
