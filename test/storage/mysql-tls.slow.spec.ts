// MySQL or MariaDB with TLS: in the storage and on the command line.
import { readFileSync, writeFileSync } from 'node:fs';
import { createPool } from 'mysql2/promise';
import { MysqlStateStorage, type MysqlStateStorageOptions } from '../../libs/maintenance/src/mysql.js';
import { folderWith, run } from '../cli/program.js';
import { CertificateAuthority, type CertificateFiles } from '../tools/certificates.js';
import { closeLater } from '../tools/close-later.js';
import { captureStorageError } from './capture-storage-error.js';
import { describeWithMysql, MysqlServer } from './mysql-server.js';

function open(options: MysqlStateStorageOptions): MysqlStateStorage {
  return closeLater(new MysqlStateStorage({ key: 'tls', ...options }), (storage) => storage.close());
}

const read = (path: string): string => readFileSync(path, 'utf8');

describeWithMysql('MysqlStateStorage with TLS', () => {
  let authority: CertificateAuthority;
  let another: CertificateAuthority;
  let server: MysqlServer;
  let files: CertificateFiles;
  let client: CertificateFiles;

  beforeAll(async () => {
    [authority, another] = [new CertificateAuthority(), new CertificateAuthority()];
    files = authority.issue('localhost');
    client = authority.issue('certified');
    server = await MysqlServer.start(`--ssl-cert=${files.cert}`, `--ssl-key=${files.key}`, `--ssl-ca=${authority.ca}`);
    await server.createUser('encrypted', 'pw', 'REQUIRE SSL');
    await server.createUser('certified', 'pw', 'REQUIRE X509');
    for (const user of ['encrypted', 'certified']) await server.ask(`GRANT ALL ON ops.* TO '${user}'@'%'`);
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
    authority?.remove();
    another?.remove();
  });

  const getUrl = (user: string, mode = '', host = 'localhost'): string =>
    `mysql://${user}:pw@${host}:${server.port}/ops${mode && `?ssl-mode=${mode}`}`;

  it.each([
    ['ssl-mode=REQUIRED', () => ({ url: getUrl('encrypted', 'REQUIRED', '127.0.0.1') })],
    ['an authority', () => ({ url: getUrl('encrypted', '', '127.0.0.1'), ssl: { ca: read(authority.ca) } })],
    [
      'an authority and a name',
      () => ({ url: getUrl('encrypted'), ssl: { ca: read(authority.ca), verifyIdentity: true } }),
    ],
    [
      'a certificate of the user',
      () => ({
        url: getUrl('certified'),
        ssl: { ca: read(authority.ca), cert: read(client.cert), key: read(client.key) },
      }),
    ],
  ])('connects by %s', async (_title, getOptions) => {
    await expect(open(getOptions()).read()).resolves.toBeNull();
  });

  it.each([
    ['no TLS', () => ({ url: getUrl('encrypted') }), 'denied', /or the user must use TLS .* add ssl-mode/],
    [
      'no certificate of the user',
      () => ({ url: getUrl('certified', 'REQUIRED') }),
      'denied',
      /or the user must use TLS \(ER_ACCESS_DENIED_ERROR\)/,
    ],
    [
      'an authority that is not known',
      () => ({ url: getUrl('encrypted', 'VERIFY_CA') }),
      'unavailable',
      /its certificate is not trusted .*NODE_EXTRA_CA_CERTS or the option `ssl`/,
    ],
    [
      'another authority',
      () => ({ url: getUrl('encrypted'), ssl: { ca: read(another.ca) } }),
      'unavailable',
      /its certificate is not trusted/,
    ],
    [
      'the key of another certificate',
      () => ({
        url: getUrl('certified'),
        ssl: { ca: read(authority.ca), cert: read(client.cert), key: read(authority.issue('other').key) },
      }),
      'unavailable',
      /the certificate or key of the client can't be used \(.*\)\. Correct the option `ssl`/,
    ],
  ])('explains %s', async (_title, getOptions, code, sentence) => {
    expect(await captureStorageError(open(getOptions()).read())).toMatchObject({
      code,
      message: expect.stringMatching(sentence),
    });
  });

  it('explains a certificate for another host', async () => {
    const [own, other] = [files, authority.issue('db.internal')];
    const saved = [read(own.cert), read(own.key)] as const;
    const replace = async (cert: string, key: string): Promise<void> => {
      writeFileSync(own.cert, cert);
      writeFileSync(own.key, key);
      await server.reloadCertificate();
    };
    const ssl = { ca: read(authority.ca), verifyIdentity: true };
    await replace(read(other.cert), read(other.key));
    expect(await captureStorageError(open({ url: getUrl('encrypted'), ssl }).read())).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /its certificate is for another host \(.*db\.internal.*Use a name of the certificate/,
      ),
    });
    await replace(...saved);
    await expect(open({ url: getUrl('encrypted'), ssl }).read()).resolves.toBeNull();
  });

  // mysql2 compares the certificate with `localhost` then.
  it('refuses to verify an address instead of a name', () => {
    const url = getUrl('encrypted', 'VERIFY_IDENTITY', '127.0.0.1');
    const sentence = "127.0.0.1 can't be verified: mysql2 compares names only. Use the host name";
    expect(() => open({ url })).toThrow(sentence);
    const ssl = { ca: read(authority.ca), verifyIdentity: true };
    expect(() => open({ url: getUrl('encrypted', '', '[::1]'), ssl })).toThrow("::1 can't be verified");
  });

  it('takes the settings of a pool', async () => {
    const ssl = { ca: read(authority.ca), verifyIdentity: true };
    const pool = closeLater(createPool({ uri: getUrl('encrypted'), ssl }), (created) => created.end());
    await expect(open({ pool }).read()).resolves.toBeNull();
  });

  it('connects on the command line with the authority in NODE_EXTRA_CA_CERTS, and the password in MYSQL_PWD', async () => {
    const cwd = folderWith();
    const url = getUrl('encrypted', 'VERIFY_IDENTITY').replace(':pw@', '@');
    const env = { NODE_EXTRA_CA_CERTS: authority.ca, MYSQL_PWD: 'pw' };
    await expect(run(['status', '--storage', url], { cwd, env })).resolves.toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`mysql://localhost:${server.port}/ops?`),
    });
    await expect(run(['status', '--storage', url], { cwd, env: { MYSQL_PWD: 'pw' } })).resolves.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('its certificate is not trusted'),
    });
    await expect(run(['sql', 'mysql', '--storage', url], { cwd })).resolves.toMatchObject({ code: 0 });
  }, 60_000);
});
