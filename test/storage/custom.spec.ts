import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { PGlite } from '@electric-sql/pglite';
import { Module, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  MaintenanceModule,
  MaintenanceService,
  type MaintenanceState,
  type StateStorage,
} from '../../libs/maintenance/src/index.js';
import { SystemClock } from '../../libs/maintenance/src/utils/clock.js';
import { StateWriter } from '../../libs/maintenance/src/storage/state-writer.js';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../..');
const LIBRARY = join(ROOT, 'libs/maintenance/src');
const PAGE = readFileSync(join(ROOT, 'docs/custom-storage.md'), 'utf8');

/** The code blocks of the page: storage, table, module and tests. */
const SHOWN = {
  storage: block('ts', 'implements StateStorage'),
  table: block('sql', 'CREATE TABLE'),
  module: block('ts', 'createStorage()'),
  tests: block('ts', 'describeStateStorage'),
};

function block(language: string, mark: string): string {
  const blocks = [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, code]) => code!);
  const found = blocks.filter((code) => code.includes(mark));
  if (found.length !== 1) throw new Error(`the page has ${found.length} blocks of ${language} with ${mark}`);
  return found[0]!;
}

// The code blocks as files of an application.
const folder = mkdtempSync(join(tmpdir(), 'custom-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Database {
  query: (sql: string, values?: string[]) => Promise<{ rows: never[] }>;
}

/** Places the code for this process, which has to share its classes: with the library's sources for the package. */
function place(file: string, code: string): string {
  const path = join(folder, file);
  const sources: Record<string, string> = {
    'nestjs-maintenance': join(LIBRARY, 'index.ts'),
    'nestjs-maintenance/testing': join(LIBRARY, 'testing/index.ts'),
    '@electric-sql/pglite': require.resolve('@electric-sql/pglite'),
  };
  const imported = code.replace(/(?<= from ')[^'.][^']*(?=';)/g, (name) => sources[name] ?? name);
  writeFileSync(path, imported);
  return path;
}

const { SettingsStateStorage } = jest.requireActual<{
  SettingsStateStorage: new (db: Database, location: string) => StateStorage;
}>(place('settings-state-storage.ts', SHOWN.storage));

describe('documentation page on custom storages', () => {
  it('shows a storage of at most 40 lines', () => {
    expect(SHOWN.storage.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
    expect(SHOWN.storage).toMatch(/^import /m);
  });

  it('creates the same table in both code blocks', () => {
    expect(SHOWN.tests).toContain(SHOWN.table.trim().replace(/;$/, ''));
  });

  it('shows code that compiles in strict mode', async () => {
    const application = mkdtempSync(join(folder, 'typed-'));
    symlinkSync(join(ROOT, 'node_modules'), join(application, 'node_modules'));
    const files = {
      'package.json': '{ "type": "commonjs" }',
      'settings-state-storage.ts': SHOWN.storage,
      'settings-state-storage.spec.ts': SHOWN.tests,
      'maintenance-storage.ts': SHOWN.module,
      'tsconfig.json': JSON.stringify({
        extends: join(ROOT, 'tsconfig.base.json'),
        compilerOptions: {
          noEmit: true,
          types: ['node', 'jest'],
          typeRoots: [join(ROOT, 'node_modules/@types')],
          paths: {
            'nestjs-maintenance': [join(LIBRARY, 'index.ts')],
            'nestjs-maintenance/testing': [join(LIBRARY, 'testing/index.ts')],
          },
        },
        include: ['*.ts'],
      }),
    };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(application, name), content);
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', '.', '--listFiles'], { cwd: application }).catch(
      (error: { stdout: string }) => {
        throw new Error(
          error.stdout
            .split('\n')
            .filter((line) => /error|^ /.test(line))
            .join('\n'),
        );
      },
    );
    for (const name of ['settings-state-storage.ts', 'settings-state-storage.spec.ts', 'maintenance-storage.ts']) {
      expect(stdout).toContain(`/${name}\n`);
    }
  }, 60_000);
});

describe('documented tests', () => {
  // The documented code calls `describe` itself.
  jest.requireActual(place('settings-state-storage.spec.ts', SHOWN.tests));
});

describe('documented SettingsStateStorage', () => {
  const LOCATION = 'db.internal/switches, table settings';
  let db: PGlite;

  beforeAll(async () => {
    db = new PGlite();
    await db.exec(SHOWN.table);
    await db.exec('CREATE ROLE reader; GRANT SELECT ON settings TO reader');
  });
  afterEach(async () => {
    await db.exec('RESET ROLE');
    await db.exec('DELETE FROM settings');
  });
  afterAll(() => db.close());

  const storageOn = (database: Database = db): StateStorage => new SettingsStateStorage(database, LOCATION);
  const put = (text: string) => db.query('INSERT INTO settings (state) VALUES ($1)', [text]);
  const stored = async (): Promise<string[]> =>
    (await db.query<{ state: string }>('SELECT state FROM settings')).rows.map(({ state }) => state);

  function createState(revision: number, lineage = 'spec'): MaintenanceState {
    return { format: 1, lineage, revision, windows: [], history: [] };
  }

  /** Starts an application on the storage and returns its log output. */
  async function boot(
    storage: StateStorage,
    look: (maintenance: MaintenanceService) => void | Promise<void>,
  ): Promise<string> {
    const lines: string[] = [];
    const note = (line: unknown): void => void lines.push(String(line));
    const logger: LoggerService = { log: note, warn: note, error: note };
    @Module({ imports: [MaintenanceModule.forRoot({ storage })] })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger, abortOnError: false });
    try {
      await look(app.get(MaintenanceService));
    } finally {
      await app.close();
    }
    return lines.join('\n');
  }

  it.each([
    ['the storage was empty', 'INSERT', []],
    ['both read the same version', 'UPDATE', [JSON.stringify(createState(1))]],
  ])('keeps both changes of two concurrent writers if %s', async (_what, statement, before) => {
    for (const text of before) await put(text);
    let overtaken = 0;
    const slow: Database = {
      query: async (sql, values) => {
        if (sql.startsWith(statement) && overtaken++ === 0) await change(storageOn(), 'fast');
        return db.query(sql, values);
      },
    };
    await change(storageOn(slow), 'slow');
    expect(overtaken).toBeGreaterThan(0);
    const state = JSON.parse((await stored())[0]!) as MaintenanceState;
    expect(state.windows.map(({ scope }) => scope)).toEqual(['fast', 'slow']);
    expect(state.revision).toBe(before.length + 2);
  });

  function change(storage: StateStorage, scope: string): Promise<unknown> {
    const now = new Date().toISOString();
    const window = { id: scope, scope, mode: 'full' as const, startsAt: now, endsAt: null, createdAt: now };
    return new StateWriter(storage, new SystemClock()).change(
      (windows) => ({ action: 'on', windows: [...windows, window], affected: [window] }),
      { via: 'code' },
    );
  }

  it('rejects an old version after the row was deleted and recreated', async () => {
    const storage = storageOn();
    const old = await storage.write(createState(1), null);
    await db.exec('DELETE FROM settings');
    await expect(storage.read()).resolves.toBeNull();
    await expect(storage.write(createState(2), old)).rejects.toMatchObject({ code: 'conflict' });
    const version = await storage.write(createState(1, 'another'), null);
    await expect(storage.write(createState(2), old)).rejects.toMatchObject({ code: 'conflict' });
    await expect(storage.read()).resolves.toEqual({ state: createState(1, 'another'), version });
    await storage.write(createState(2, 'another'), version);
    expect(await stored()).toEqual([JSON.stringify(createState(2, 'another'))]);
  });

  it('rejects an old version after a manual edit', async () => {
    const storage = storageOn();
    const old = await storage.write(createState(1), null);
    await db.query('UPDATE settings SET state = $1', [JSON.stringify(createState(1, 'edited'))]);
    await expect(storage.write(createState(2), old)).rejects.toMatchObject({ code: 'conflict' });
    const { version } = (await storage.read())!;
    await storage.write(createState(2, 'edited'), version);
  });

  it('reads without writing and without write permission', async () => {
    await put(JSON.stringify(createState(1)));
    await db.exec('SET ROLE reader');
    const { state, version } = (await storageOn().read())!;
    expect(state).toEqual(createState(1));
    await expect(storageOn().write(createState(2), version)).rejects.toThrow('permission denied');
  });

  it.each(['garbage', '', '{"format":1', '{"format":2}', 'null'])('reports %j as corrupt', async (text) => {
    for (const repair of ['enable', 'disable'] as const) {
      await put(text);
      const log = await boot(storageOn(), async (maintenance) => {
        const { active, source, storage } = maintenance.status();
        expect([active, source, storage.healthy]).toEqual([false, 'fallback', false]);
        expect(storage.error).toMatch(new RegExp(`^${LOCATION} does not contain a valid maintenance state`));
        expect(await stored()).toEqual([text]);
        const repaired = await maintenance[repair]();
        expect([repaired.active, repaired.storage.healthy]).toEqual([repair === 'enable', true]);
        expect(JSON.parse((await stored())[0]!)).toMatchObject({ format: 1, revision: 1 });
      });
      expect(log).toContain(`The storage ${LOCATION} fails`);
      await db.exec('DELETE FROM settings');
    }
  });

  it('reports invalid content as corrupt, with a version that allows replacing it', async () => {
    await put('garbage');
    const error = (await storageOn()
      .read()
      .catch((reason: unknown) => reason)) as { code: string; version: string };
    expect(error).toMatchObject({ name: 'MaintenanceStorageError', code: 'corrupt', version: expect.any(String) });
    await storageOn().write(createState(1), error.version);
    expect((await storageOn().read())!.state).toEqual(createState(1));
  });

  it('names the missing table', async () => {
    await db.exec('ALTER TABLE settings RENAME TO elsewhere');
    try {
      const log = await boot(storageOn(), async (maintenance) => {
        expect(maintenance.status().storage).toMatchObject({
          kind: 'settings',
          location: LOCATION,
          healthy: false,
          error: 'relation "settings" does not exist',
        });
        await expect(maintenance.enable()).rejects.toMatchObject({
          name: 'MaintenanceStorageError',
          code: 'unavailable',
          message: `${LOCATION}: relation "settings" does not exist`,
        });
      });
      expect(log).toContain(`The storage ${LOCATION} fails`);
      expect(log).toContain('relation "settings" does not exist');
    } finally {
      await db.exec('ALTER TABLE elsewhere RENAME TO settings');
    }
  });

  it('redacts the password even if the connection error contains it', async () => {
    const broken: Database = {
      query: async () => {
        throw new Error('no route to postgres://shop:open-sesame@db.internal:5432/switches');
      },
    };
    const shown: string[] = [];
    const log = await boot(storageOn(broken), async (maintenance) => {
      shown.push(JSON.stringify(maintenance.status()));
      await maintenance.enable().catch((error: Error) => shown.push(error.message));
    });
    shown.push(log);
    for (const text of shown) expect(text).toContain('no route to postgres://***@db.internal');
    expect(shown).toHaveLength(3);
    expect(shown.join()).not.toContain('open-sesame');
  });

  it('makes a change visible to another application with its next read', async () => {
    await boot(storageOn(), async (one) => {
      await boot(storageOn(), async (other) => {
        await one.enable({ message: 'Back at four' });
        expect(other.isActive()).toBe(false);
        await other.refresh();
        expect(other.status().windows.active).toMatchObject([{ message: 'Back at four' }]);
        await other.disable();
        await one.refresh();
        expect(one.isActive()).toBe(false);
      });
    });
  });
});
