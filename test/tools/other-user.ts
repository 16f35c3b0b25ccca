import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';

const REPOSITORY = resolve(__dirname, '../..');
/** The packages that the command line loads, besides what they depend on. */
const ROOTS = ['nestjs-maintenance'];

interface Program {
  /** The path of Node. */
  node: string;
  /** The path of the command line. */
  bin: string;
}

interface Manifest {
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

let copied: Program | undefined;
afterAll(() => copied && rmSync(dirname(copied.node), { recursive: true, force: true }));

/**
 * Returns the command line as another user can run it: itself, or a copy where that user may not enter the folder of
 * the repository or of Node, such as `/root`.
 */
export function getProgramFor(uid: number): Program {
  const original = { node: process.execPath, bin: join(REPOSITORY, 'libs/maintenance/bin/nestjs-maintenance.cjs') };
  return canRun(original, uid) ? original : (copied ??= copyProgram(original));
}

function canRun({ node, bin }: Program, uid: number): boolean {
  const args = ['-e', 'fs.readFileSync(process.argv[1])', bin];
  return spawnSync(node, args, { cwd: '/', uid, gid: uid, stdio: 'ignore' }).status === 0;
}

function copyProgram({ node, bin }: Program): Program {
  const folder = mkdtempSync(join(tmpdir(), 'maintenance-program-'));
  for (const from of findPackages())
    cpSync(from, join(folder, relative(REPOSITORY, from)), {
      recursive: true,
      filter: (path) => !isNested(from, path),
    });
  copyFileSync(node, join(folder, 'node'));
  chmodSync(join(folder, 'node'), 0o755);
  spawnSync('chmod', ['-R', 'a+rX', folder]);
  return { node: join(folder, 'node'), bin: join(folder, relative(REPOSITORY, bin)) };
}

/** Whether it belongs to another package, which is copied itself where it is needed. */
function isNested(folder: string, path: string): boolean {
  return relative(folder, path).split('/').includes('node_modules');
}

/** Returns the folders of the packages that the command line needs. */
function findPackages(): Set<string> {
  const found = new Set<string>();
  const add = (name: string, from: string): void => {
    const folder = findPackage(name, from);
    if (!folder || found.has(folder)) return;
    found.add(folder);
    const { dependencies, peerDependencies = {}, peerDependenciesMeta } = readManifest(folder);
    const peers = Object.keys(peerDependencies).filter((peer) => !peerDependenciesMeta?.[peer]?.optional);
    for (const needed of [...Object.keys(dependencies ?? {}), ...peers]) add(needed, folder);
  };
  for (const name of ROOTS) add(name, REPOSITORY);
  return found;
}

/** Finds a package as Node does: in `node_modules` of the folder or of one above it. */
function findPackage(name: string, from: string): string | undefined {
  if (name === 'nestjs-maintenance') return join(REPOSITORY, 'libs/maintenance');
  for (let folder = from; folder.startsWith(REPOSITORY); folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(candidate)) return candidate;
  }
  return undefined;
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}
