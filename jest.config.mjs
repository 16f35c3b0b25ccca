const swc = [
  '@swc/jest',
  {
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true, dynamicImport: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
    module: { type: 'commonjs' },
  },
];

const common = {
  testEnvironment: 'node',
  transform: { '^.+\\.(t|j|mj|cj)s$': swc },
  // Nest 12 is published as ES modules only, which Jest on Node 20 has to translate. Playwright is CommonJS.
  transformIgnorePatterns: ['/node_modules/(playwright-core|@axe-core|axe-core)/'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1.ts', '$1.js', '$1'] },
};
const onNest12 = { ...common, globals: { NEST_MAJOR: '12' } };
const onNest11 = {
  ...common,
  globals: { NEST_MAJOR: '11' },
  moduleNameMapper: {
    ...common.moduleNameMapper,
    '^@nestjs/([^/]+)(.*)$': '<rootDir>/test/nest11/node_modules/@nestjs/$1$2',
  },
};

const SOURCE = '<rootDir>/libs/maintenance/src';
// Specs that take long, or measure time, memory or agreement, which other work on the machine disturbs.
const SLOW = '\\.slow\\.spec\\.ts$';
// Those of them that measure nothing. They wait for leases, servers and browsers, and disturb each other little.
const WAITING = [
  'browser/panel-night',
  'browser/panel-screens',
  'browser/panel-states',
  'cli/completion',
  'docs/site',
  'e2e/brokers',
  'e2e/bull-queues',
  'fleet/application-names',
  'fleet/lease',
  'fleet/suspended-instances',
  'project/release',
  'storage/postgres-processes',
  'storage/postgres-setups',
  'storage/storage-recipes',
];

const inTest = (folders, files = '*.spec.ts') => ({
  roots: ['<rootDir>/test'],
  testMatch: folders.map((folder) => `<rootDir>/test/${folder}/**/${files}`),
});
const withoutSlow = (project) => ({ ...project, testPathIgnorePatterns: ['/node_modules/', SLOW] });

/** The projects of `npm test`. */
export const QUICK = [
  withoutSlow({ ...common, displayName: 'unit', roots: [SOURCE], testMatch: ['**/*.spec.ts'] }),
  withoutSlow({ ...onNest12, displayName: 'nest12', ...inTest(['e2e']) }),
  withoutSlow({ ...common, displayName: 'process', ...inTest(['storage', 'cli', 'docs', 'project', 'terminus']) }),
];

/** The further projects of `npm run test:all`. */
const REST = [
  withoutSlow({ ...onNest11, displayName: 'nest11', ...inTest(['e2e']) }),
  { ...common, displayName: 'fuzz', ...inTest(['fuzz']) },
  withoutSlow({
    ...common,
    displayName: 'system',
    ...inTest(['fleet', 'soak', 'browser', 'demo', 'package', 'proxies']),
  }),
  // These at the same time, see package.json.
  {
    ...onNest12,
    displayName: 'waiting',
    roots: ['<rootDir>/test'],
    testMatch: WAITING.map((name) => `<rootDir>/test/${name}.slow.spec.ts`),
  },
  // These one file after the other.
  {
    ...onNest12,
    displayName: 'slow',
    roots: [SOURCE, '<rootDir>/test'],
    testMatch: ['**/*.slow.spec.ts'],
    testPathIgnorePatterns: ['/node_modules/', `/test/(${WAITING.join('|')})${SLOW}`],
  },
  { ...onNest11, displayName: 'slow-nest11', ...inTest(['e2e'], '*.slow.spec.ts') },
];

/** Tests that gain by repetition, with the project of each: `npm run test:long` runs them in their long form. */
export const LONG = [
  ['nest12', 'test/e2e/corrupt-state.spec.ts'],
  ['slow', 'test/e2e/middleware-and-guard.slow.spec.ts'],
  ['slow', 'test/storage/{crash,race}.slow.spec.ts'],
  ['slow', 'test/fleet/{concurrent-changes,drain-under-load,load}.slow.spec.ts'],
];

export default {
  // A suite that starts servers, processes or a browser needs more than the default of 5 s on a busy machine.
  testTimeout: 30_000,
  maxWorkers: '100%',
  projects: [...QUICK, ...REST],
};
