import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { getProgramFor } from '../tools/other-user.js';

export const REPOSITORY = resolve(__dirname, '../..');
export const PACKAGE = join(REPOSITORY, 'libs/maintenance');
export const BIN = join(PACKAGE, 'bin/nestjs-maintenance.cjs');

/** Longer than any command takes on a busy machine: a command that does not end is killed and fails the test. */
const COMMAND_TIMEOUT_MS = 25_000;
// Tests run several commands one after the other, each of which ends in time by itself.
jest.setTimeout(5 * COMMAND_TIMEOUT_MS);

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd: string;
  env?: Record<string, string>;
  /** Arguments of node: the program to run. */
  program?: string[];
  /** Runs the command line as another user. */
  uid?: number;
  /** A file descriptor for stdout instead of a pipe; `'closed'`: a pipe without a reader. */
  stdout?: number | 'closed';
  /** Sends SIGINT, as Ctrl-C does, once stderr contains this text. */
  interruptAt?: string;
}

/** Runs the command line in a separate process. */
export function run(args: string[], { cwd, env, program, uid, stdout, interruptAt }: RunOptions): Promise<Ended> {
  const { node, bin } = uid === undefined ? { node: process.execPath, bin: BIN } : getProgramFor(uid);
  const child = spawn(node, [...(program ?? [bin]), ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, ...env },
    stdio: ['ignore', typeof stdout === 'number' ? stdout : 'pipe', 'pipe'],
    timeout: COMMAND_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    ...(uid !== undefined && { uid, gid: uid }),
  });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  let isInterrupted = false;
  if (stdout === 'closed') child.stdout?.destroy();
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (ended.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
    const isDue = interruptAt !== undefined && ended.stderr.includes(interruptAt) && !isInterrupted;
    if (isDue) isInterrupted = child.kill('SIGINT');
  });
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code) => done({ ...ended, code }));
  });
}

const root = mkdtempSync(join(tmpdir(), 'maintenance-cli-'));
// Some commands run as another user.
chmodSync(root, 0o755);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Creates the folder of an application with these files. */
export function folderWith(files: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(root, 'app-'));
  chmodSync(folder, 0o755);
  for (const [name, content] of Object.entries({ 'package.json': '{}', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}
