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
  // Nest 12 is published as ES modules only, which Jest on Node 20 has to translate.
  transformIgnorePatterns: [],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1.ts', '$1.js', '$1'] },
};

export default {
  projects: [
    { ...common, displayName: 'unit', roots: ['<rootDir>/libs/maintenance/src'], testMatch: ['**/*.spec.ts'] },
    { ...common, displayName: 'nest12', roots: ['<rootDir>/test'], testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'], },
  ],
};
