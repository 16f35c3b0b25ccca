import { Pool } from 'pg';
import { createStorage } from '../create-storage.js';
import { PostgresStateStorage } from './postgres-state-storage.js';

describe('PostgresStateStorage URL and location', () => {
  it.each([
    ['postgres://db.internal/shop', 'postgres://db.internal:5432/shop?table=maintenance_state&key=default'],
    ['postgresql://db:6432/shop?table=ops.switch', 'postgres://db:6432/shop?table=ops.switch&key=default'],
    [
      'postgres://shop:p%40ss@10.0.0.5/a%20b?key=a%26b',
      'postgres://10.0.0.5:5432/a%20b?table=maintenance_state&key=a%26b',
    ],
    ['postgres://shop:secret@[::1]/shop', 'postgres://[::1]:5432/shop?table=maintenance_state&key=default'],
    [
      'postgres:///shop?host=/run/postgresql',
      'postgres:///shop?table=maintenance_state&key=default&host=/run/postgresql',
    ],
    [
      'postgres://db/shop?sslmode=verify-full&application_name=shop&options=-c%20search_path%3Dops&key=shop&listen=false',
      'postgres://db:5432/shop?table=maintenance_state&key=shop',
    ],
  ])('resolves %s to the location %s', async (url, location) => {
    expect((await createStorage(url)).location).toBe(location);
    expect((await createStorage(location)).location).toBe(location);
  });

  it.each([
    [{ connectionString: 'postgres://shop:secret@[::1]/shop' }, 'postgres://[::1]:5432/shop'],
    [{ connectionString: 'postgres:///shop?host=/run/postgresql' }, 'postgres:///shop'],
    [{ host: '::1', port: 6432, database: 'shop', password: 'secret' }, 'postgres://[::1]:6432/shop'],
  ])('derives the location from a pool with %j', (options, place) => {
    const pool = new Pool(options);
    const { location } = new PostgresStateStorage({ pool, key: 'a' });
    expect(location.replace(/&host=.*$/, '')).toBe(`${place}?table=maintenance_state&key=a`);
  });

  it('takes missing parts of the URL from the environment, as psql does', async () => {
    process.env.PGHOST = 'db.internal';
    process.env.PGPORT = '6543';
    process.env.PGDATABASE = 'shop';
    const { location } = new PostgresStateStorage({ url: 'postgres://' });
    for (const name of ['PGHOST', 'PGPORT', 'PGDATABASE']) delete process.env[name];
    expect(location).toBe('postgres://db.internal:6543/shop?table=maintenance_state&key=default');
  });

  it.each([
    ['postgres:shop', /is not a Postgres URL; expected a URL such as postgres:\/\/user@host:5432/],
    ['postgres://host:port/shop', /is not a Postgres URL/],
    ['postgres://host/shop?tabel=x', /has the unknown parameter "tabel"/],
    ['postgres://host/shop?table=', /must have at most one table, which is not empty/],
    ['postgres://host/shop?key=a&key=b', /must have at most one key/],
    ['postgres://host/shop?listen=maybe', /must have true or false as listen/],
    ['postgres://host/shop?port=x', /has a port that is not a number/],
    ['postgres://host/shop#key', /"#"/],
    ['postgres://u%zz@host/shop', /"%"/],
    ['postgres://host/shop?table=a.b.c', /"a\.b\.c" is not the name of a table/],
    ['postgres://host/shop?table=a;drop', /"a;drop" is not the name of a table/],
    ['postgres://host/shop?table=a%22b', /is not the name of a table/],
    ['postgres://host/shop?key=%00', /the key must have 1 to 200 characters/],
  ])('refuses %s with one sentence', async (url, sentence) => {
    await expect(createStorage(url)).rejects.toThrow(sentence);
  });

  it.each([
    'postgres://shop:top-secret@host/db?x=1',
    'postgres://shop:top-secret@host:x',
    'postgres://shop:top-secret/@host?password=top-secret&x=1',
    'postgres://:top-secret%zz@host/db',
    'postgres://host/db?password=top-secret',
    'postgres:///shop:top-secret@host/db',
    'postgres://host/shop:top-secret@db',
  ])('does not reveal the credentials of %s in the error', async (url) => {
    const refused = expect(createStorage(url)).rejects;
    await refused.toThrow();
    await refused.not.toThrow(/secret/);
  });

  it('needs a URL or a pool', () => {
    expect(() => new PostgresStateStorage({})).toThrow('PostgresStateStorage requires the option `url` or `pool`');
  });

  it('asks for the option ssl where a password function replaces the URL', () => {
    const options = { url: 'postgres://shop@db/shop?sslmode=verify-full', password: () => 'token' };
    expect(() => new PostgresStateStorage(options)).toThrow('TLS is set by the option `ssl`');
    expect(new PostgresStateStorage({ ...options, ssl: true }).location).toMatch(/^postgres:\/\/db:5432/);
  });

  it('names the missing package if pg is not installed', async () => {
    jest.resetModules();
    jest.doMock('pg', () => {
      throw Object.assign(new Error("Cannot find module 'pg'"), { code: 'MODULE_NOT_FOUND' });
    });
    const fresh = jest.requireActual<{ PostgresStateStorage: typeof PostgresStateStorage }>(
      './postgres-state-storage.js',
    );
    const storage = new fresh.PostgresStateStorage({ url: 'postgres://shop:secret@db/shop' });
    await expect(storage.read()).rejects.toThrow(
      "postgres://db:5432/shop?table=maintenance_state&key=default can't be reached: the package `pg` is not installed. " +
        'Run npm install pg.',
    );
    jest.dontMock('pg');
  });
});
