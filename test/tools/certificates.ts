import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The files of a certificate. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** The user that runs the servers where tests run as root. */
const UNPRIVILEGED_ID = 65534;

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** A certificate authority of a test's own, made by openssl. */
export class CertificateAuthority {
  readonly folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  /** Path of its own certificate. */
  readonly ca = join(this.folder, 'ca.pem');
  readonly #key = join(this.folder, 'ca.key');

  constructor() {
    chmodSync(this.folder, 0o755);
    const request = ['req', '-x509', ...NEW_KEY, '-days', '2', '-subj', '/CN=Test authority'];
    this.#openssl(...request, '-keyout', this.#key, '-out', this.ca);
  }

  /**
   * Issues a certificate for a server that runs without privileges.
   *
   * @param names - as in `subjectAltName`, such as `DNS:localhost`
   */
  issue(commonName: string, names = `DNS:${commonName}`): CertificateFiles {
    const [cert, key, extensions] = ['pem', 'key', 'cnf'].map((end) => join(this.folder, `${commonName}.${end}`)) as [
      string,
      string,
      string,
    ];
    const request = `${cert}.csr`;
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    this.#openssl('req', '-new', ...NEW_KEY, '-subj', `/CN=${commonName}`, '-keyout', key, '-out', request);
    this.#openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      this.ca,
      '-CAkey',
      this.#key,
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      extensions,
      '-out',
      cert,
    );
    // Postgres refuses a key that others may read.
    chmodSync(key, 0o600);
    if (process.getuid?.() === 0) chownSync(key, UNPRIVILEGED_ID, UNPRIVILEGED_ID);
    return { cert, key };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}
