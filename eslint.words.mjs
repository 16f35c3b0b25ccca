import tsdoc from 'eslint-plugin-tsdoc';

/** The public functions and options whose names end in Of. */
const PUBLIC_OF = '^(scopesOf|maintenanceOf)$';

/** Names and comments read as a Nest developer writes them: verbs for functions, comments that fit a line. */
export default [
  { rules: { 'max-len': ['error', { code: 1000, comments: 120, ignoreUrls: true }] } },
  {
    files: ['**/*.{ts,tsx}'],
    rules: {
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: ['function', 'variable', 'classMethod', 'objectLiteralMethod', 'typeMethod'],
          filter: { regex: PUBLIC_OF, match: false },
          format: null,
          custom: { regex: 'Of$', match: false },
        },
        {
          selector: ['interface', 'typeAlias', 'class'],
          format: ['PascalCase'],
          custom: { regex: 'Parts$', match: false },
        },
      ],
    },
  },
  {
    files: ['libs/maintenance/src/**/*.{ts,tsx}'],
    ignores: ['**/*.spec.ts'],
    plugins: { tsdoc },
    rules: { 'tsdoc/syntax': 'error' },
  },
];
