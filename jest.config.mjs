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

const e2e = { ...common, roots: ['<rootDir>/test'] };
const nest11 = '<rootDir>/test/nest11/node_modules/@nestjs';

export default {
  // A suite that starts servers, processes or a browser needs more than the default of 5 s on a busy machine.
  testTimeout: 30_000,
  maxWorkers: '100%',
  projects: [
    { ...common, displayName: 'unit', roots: ['<rootDir>/libs/maintenance/src'], testMatch: ['**/*.spec.ts'] },
    { ...e2e, displayName: 'nest12', globals: { NEST_MAJOR: '12' }, testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'] },
    {
      ...e2e,
      displayName: 'nest11',
      globals: { NEST_MAJOR: '11' },
      testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'],
      moduleNameMapper: { ...common.moduleNameMapper, '^@nestjs/([^/]+)(.*)$': `${nest11}/$1$2` },
    },
    { ...e2e, displayName: 'fuzz', testMatch: ['<rootDir>/test/fuzz/**/*.spec.ts'] },
    {
      ...e2e,
      displayName: 'process',
      testMatch: ['storage', 'fleet', 'soak', 'cli', 'demo', 'browser', 'package', 'terminus', 'docs', 'proxies'].map(
        (room) => `<rootDir>/test/${room}/**/*.spec.ts`,
      ),
    },
  ],
};
