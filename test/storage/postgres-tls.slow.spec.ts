// Postgres that requires TLS, and the ways to give a password: in the storage and on the command line.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'pg';
import { PostgresStateStorage, type PostgresStateStorageOptions } from '../../libs/maintenance/src/postgres.js';
import { folderWith, run } from '../cli/program.js';
import { CertificateAuthority, type CertificateFiles } from '../tools/certificates.js';
import { until } from '../tools/waiting.js';
import { closeLater } from '../tools/close-later.js';
import { captureStorageError } from './capture-storage-error.js';
import { createState } from './monitors.js';
import { describeWithPostgres, PostgresServer } from './postgres-server.js';

function open(options: PostgresStateStorageOptions): PostgresStateStorage {
  return closeLater(new PostgresStateStorage(options), (storage) => storage.close());
}

// `shop` must use TLS, and `certified` shows a certificate as well.
const HOST_ACCESS = `
host all postgres 127.0.0.1/32 trust
hostssl all shop 127.0.0.1/32 scram-sha-256
hostssl all certified 127.0.0.1/32 cert
`;

describeWithPostgres('PostgresStateStorage with TLS', () => {
  let authority: CertificateAuthority;
  let another: CertificateAuthority;
  let client: CertificateFiles;
  let server: PostgresServer;

  beforeAll(async () => {
    [authority, another] = [new CertificateAuthority(), new CertificateAuthority()];
    const { cert, key } = authority.issue('localhost');
    client = authority.issue('certified');
    server = await PostgresServer.start(
      'ssl=on',
      `ssl_cert_file=${cert}`,
      `ssl_key_file=${key}`,
      `ssl_ca_file=${authority.ca}`,
    );
    await server.ask('CREATE ROLE certified LOGIN');
    writeFileSync(join(server.data, 'pg_hba.conf'), HOST_ACCESS);
    await server.kill();
    await server.restart();
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
    authority?.remove();
    another?.remove();
  });

  const getUrl = (parameters: string, host = 'localhost', user = 'shop:secret'): string =>
    `postgres://${user}@${host}:${server.port}/shop?${parameters}`.replace(/\?$/, '');
  const trusted = (): string => `sslmode=verify-full&sslrootcert=${authority.ca}`;

  it.each([
    ['sslmode=verify-full with the authority', () => getUrl(trusted())],
    ['sslmode=no-verify', () => getUrl('sslmode=no-verify', '127.0.0.1')],
    ['sslmode=require as in libpq', () => getUrl('uselibpqcompat=true&sslmode=require', '127.0.0.1')],
    [
      'a certificate of the user',
      () => getUrl(`${trusted()}&sslcert=${client.cert}&sslkey=${client.key}`, 'localhost', 'certified'),
    ],
  ])('connects by %s', async (_title, url) => {
    await expect(open({ url: url() }).read()).resolves.toBeNull();
  });

  it.each([
    ['no TLS', () => getUrl(''), 'denied', /the server requires TLS for this user \(28000\)\. Add sslmode=verify-full/],
    [
      'an authority that is not known',
      () => getUrl('sslmode=verify-full'),
      'unavailable',
      /its certificate is not trusted \(SELF_SIGNED_CERT_IN_CHAIN.*sslrootcert/,
    ],
    // pg 8 treats it as verify-full.
    ['sslmode=require of pg', () => getUrl('sslmode=require'), 'unavailable', /its certificate is not trusted/],
    [
      'another authority',
      () => getUrl(`sslmode=verify-full&sslrootcert=${another.ca}`),
      'unavailable',
      /its certificate is not trusted/,
    ],
    [
      'another host name',
      () => getUrl(trusted(), '127.0.0.1'),
      'unavailable',
      /its certificate is for another host \(ERR_TLS_CERT_ALTNAME_INVALID: .*127\.0\.0\.1.*Use a name of the certificate/,
    ],
    [
      'a file that does not exist',
      () => getUrl('sslmode=verify-full&sslrootcert=/no/ca.pem'),
      'unavailable',
      /a file of its TLS settings can't be read \(ENOENT: \/no\/ca\.pem\)\. Correct sslrootcert/,
    ],
    [
      'a missing certificate of the user',
      () => getUrl(trusted(), 'localhost', 'certified'),
      'denied',
      /the server requires a certificate of the user \(28000\)\. Set sslcert and sslkey/,
    ],
    [
      'the key of another certificate',
      () => getUrl(`${trusted()}&sslcert=${client.cert}&sslkey=${authority.issue('other').key}`),
      'unavailable',
      /the certificate or key of the client can't be used \(ERR_OSSL/,
    ],
  ])('explains %s', async (_title, url, code, sentence) => {
    expect(await captureStorageError(open({ url: url() }).read())).toMatchObject({
      code,
      message: expect.stringMatching(sentence),
    });
  });

  it('encrypts statements and notifications, with the options of pg or of a pool', async () => {
    const ssl = { ca: readFileSync(authority.ca, 'utf8') };
    const pool = closeLater(new Pool({ connectionString: getUrl(''), ssl }), (one) => one.end());
    const storages = [open({ url: getUrl('', 'localhost', 'shop'), ssl, password: () => 'secret' }), open({ pool })];
    let calls = 0;
    for (const storage of storages) await storage.watch(() => calls++);
    await storages[0]!.write(createState(1), null);
    await until('both were told', () => calls >= 2);
    const rows = await server.ask<{ ssl: boolean }>(
      `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'shop'`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(3);
    expect(rows.every((row) => row.ssl)).toBe(true);
  });

  it('takes settings, password and mode from where psql does, on the command line', async () => {
    const cwd = folderWith({ '.pgpass': `localhost:${server.port}:shop:shop:secret\n` });
    const elsewhere = folderWith({ passwords: '*:*:*:shop:secret\n' });
    const file = { PGPASSFILE: join(elsewhere, 'passwords') };
    for (const path of [join(cwd, '.pgpass'), file.PGPASSFILE]) chmodSync(path, 0o600);
    const env = { PGHOST: 'localhost', PGPORT: String(server.port), PGUSER: 'shop', PGDATABASE: 'shop' };
    const args = ['status', '--storage', `postgres:///?key=cli&${trusted()}`];
    const isOff = { code: 0, stdout: expect.stringContaining(`postgres://localhost:${server.port}/shop?`) };
    await expect(run(args, { cwd, env })).resolves.toMatchObject(isOff);
    await expect(run(args, { cwd: elsewhere, env: { ...env, ...file } })).resolves.toMatchObject(isOff);
    await expect(run(args, { cwd: elsewhere, env: { ...env, PGPASSWORD: 'secret' } })).resolves.toMatchObject(isOff);
    await expect(run(args, { cwd: elsewhere, env })).resolves.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the server requires a password. Add it to the URL'),
    });
    await expect(run(['sql', 'postgres', ...args.slice(1)], { cwd })).resolves.toMatchObject({
      code: 0,
      stdout: expect.stringContaining('CREATE TABLE IF NOT EXISTS "maintenance_state"'),
    });
  }, 60_000);
});
