// The layers of the library and the imports that ESLint allows between them. CONTRIBUTING.md shows the same table.
import { dirname, join, relative, sep } from 'node:path';

const SOURCE = join(import.meta.dirname, 'libs/maintenance/src');

/** Folders, from the inside out: their contents, and the layers that they may import besides themselves. */
export const ROOMS = {
  utils: { contents: 'clock, logger and small helpers', imports: [] },
  errors: { contents: 'error classes', imports: ['utils'] },
  core: {
    contents: 'windows, status, revision, monitor and publisher of changes: pure, no Nest, no I/O',
    imports: ['errors', 'utils'],
  },
  storage: {
    contents: 'the `StateStorage` interface, its drivers, reader and writer',
    imports: ['core', 'errors', 'utils'],
  },
  policy: {
    contents: 'the admission decision, readable from top to bottom in `maintenance-policy.ts`; exemptions, bypass',
    imports: ['core', 'errors', 'utils'],
  },
  page: {
    contents: 'the maintenance page, its languages and its browser script in `client/`',
    imports: ['core', 'errors', 'utils'],
  },
  options: {
    contents: 'the table of options, their validation, the environment',
    imports: ['page', 'policy', 'storage', 'core', 'errors', 'utils'],
  },
  drain: {
    contents: 'instance reports, in-flight tracking, waiting for all instances',
    imports: ['policy', 'storage', 'core', 'errors', 'utils'],
  },
  leases: {
    contents: 'windows that end with the program that started them',
    imports: ['storage', 'core', 'errors', 'utils'],
  },
  jobs: {
    contents: 'pausing of cron jobs and queue workers',
    imports: ['options', 'drain', 'policy', 'core', 'errors', 'utils'],
  },
  http: {
    contents: 'middleware, guard, filter and responder; one file each for Express and Fastify in `adapters/`',
    imports: ['maintenance.service.ts', 'options', 'page', 'drain', 'policy', 'core', 'errors', 'utils'],
  },
  transports: {
    contents: 'GraphQL, WebSockets, microservices and event streams, each loaded only if it is used',
    imports: ['http', 'options', 'drain', 'policy', 'core', 'errors', 'utils'],
  },
  admin: {
    contents: 'admin endpoints',
    imports: ['maintenance.service.ts', 'http', 'options', 'drain', 'policy', 'storage', 'core', 'errors', 'utils'],
  },
  health: { contents: 'the health indicator for `@nestjs/terminus`', imports: ['maintenance.service.ts'] },
  cli: {
    contents: 'the command line',
    imports: ['options', 'page', 'drain', 'leases', 'policy', 'storage', 'core', 'errors', 'utils'],
  },
  client: { contents: 'the client for browsers and Node, which contains nothing else', imports: ['core'] },
  testing: { contents: 'the test kit for storages and clocks', imports: ['storage', 'core', 'errors', 'utils'] },
};

/** Every file may import them; they import nothing. */
const SHARED = ['maintenance.constants.ts', 'nest-internals.ts', 'packages.cjs'];

/** Imports of `*.providers.ts` besides those of their folder: they connect it with the resolved options. */
export const PROVIDER_IMPORTS = ['maintenance.config.ts', 'options', 'storage'];

/** The rooms behind entry points of their own. */
const SEPARATE_ROOMS = ['health', 'client', 'cli', 'testing'];
const MODULE_ROOMS = Object.keys(ROOMS).filter((room) => !SEPARATE_ROOMS.includes(room));

/** The files beside the folders, and the layers that each may import. */
export const ROOT_FILES = {
  'maintenance.constants.ts': [],
  'nest-internals.ts': [],
  'maintenance.decorators.ts': ['policy'],
  'maintenance.config.ts': ['options'],
  'maintenance.service.ts': ['leases', 'drain', 'options', 'storage', 'core', 'errors', 'utils'],
  'diagnostics-channel.ts': ['core'],
  'boot-warnings.ts': ['maintenance.config.ts', 'options', 'utils'],
  'monitor.providers.ts': ['diagnostics-channel.ts', 'drain', 'options', 'storage', 'core', 'utils'],
  'maintenance.providers.ts': ['boot-warnings.ts', 'monitor.providers.ts', ...MODULE_ROOMS],
  'maintenance.module-definition.ts': [
    'maintenance.config.ts',
    'maintenance.providers.ts',
    'maintenance.service.ts',
    ...MODULE_ROOMS,
  ],
  'maintenance.module.ts': ['maintenance.module-definition.ts', ...MODULE_ROOMS],
  'index.ts': [
    'maintenance.config.ts',
    'maintenance.decorators.ts',
    'maintenance.module.ts',
    'maintenance.service.ts',
    ...MODULE_ROOMS,
  ],
  'mysql.ts': ['storage'],
  'postgres.ts': ['storage'],
  'redis.ts': ['storage'],
  's3.ts': ['storage'],
  'terminus.ts': ['health'],
  'client.ts': ['client', 'core'],
};

/** Returns the layer of a file of the library: its folder, or its own name. */
function getLayer(path) {
  return relative(SOURCE, path).split(sep)[0];
}

function getAllowedImports(path) {
  const layer = getLayer(path);
  const own = ROOMS[layer]?.imports ?? ROOT_FILES[layer];
  if (!own) return [];
  return [layer, ...SHARED, ...own, ...(path.endsWith('.providers.ts') ? PROVIDER_IMPORTS : [])];
}

const importDirection = {
  meta: {
    type: 'problem',
    messages: {
      direction: '{{layer}} may import {{allowed}} only, not {{imported}} (eslint.layers.mjs).',
      pure: 'core/ is pure: no Nest, no I/O.',
    },
  },
  create(context) {
    const layer = getLayer(context.filename);
    const allowed = getAllowedImports(context.filename);
    const check = (node) => {
      const source = node.source?.value;
      if (typeof source !== 'string') return;
      if (!source.startsWith('.')) {
        if (layer === 'core' && /^(?:@nestjs\/|node:)/.test(source)) context.report({ node, messageId: 'pure' });
        return;
      }
      const imported = getLayer(join(dirname(context.filename), source.replace(/\.js$/, '.ts')));
      if (allowed.includes(imported)) return;
      context.report({ node, messageId: 'direction', data: { layer, allowed: allowed.join(', '), imported } });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
    };
  },
};

/** The configuration of ESLint for the layers. */
export default {
  files: ['libs/maintenance/src/**/*.{ts,tsx}'],
  ignores: ['**/*.spec.ts'],
  plugins: { layers: { rules: { 'import-direction': importDirection } } },
  rules: { 'layers/import-direction': 'error' },
};
