import { readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';

/** The program that this process runs. */
export interface Program {
  /** The `name` in its package.json, else its start file. */
  name: string;
  /** The version in its package.json. */
  version?: string;
  /** The file that was started, relative to its package.json. */
  startFile?: string;
}

interface Package {
  folder: string;
  name?: string;
  version?: string;
  /** Whether it is a Nest application, not a tool that runs one. */
  usesNest: boolean;
}

/**
 * Finds the program: the file that was started, with the nearest package.json above it. If that file is a tool that
 * runs the application, such as pm2 or Vitest, the program is pm2's script, or the package of the working directory.
 *
 * @param environment - the environment
 * @returns the program
 */
export function findProgram(environment: NodeJS.ProcessEnv = process.env): Program {
  for (const startFile of [process.argv[1], environment.pm_exec_path]) {
    if (!startFile) continue;
    const path = resolve(startFile);
    const found = findPackage(dirname(path));
    if (isTool(path, found)) continue;
    // On AWS Lambda, for example, the file that was started has no package.json and is not part of the application.
    if (!found) break;
    return toProgram(found, path);
  }
  const found = findPackage(process.cwd());
  const [, started] = process.argv;
  return found ? toProgram(found) : { name: started ? basename(started) : 'node' };
}

function toProgram({ folder, name, version }: Package, path?: string): Program {
  const startFile = path && relative(folder, path).split(sep).join('/');
  return {
    name: name ?? (path ? basename(path) : basename(folder)),
    ...(version !== undefined && { version }),
    ...(startFile && { startFile }),
  };
}

function isTool(path: string, found: Package | undefined): boolean {
  return path.split(sep).includes('node_modules') && found?.usesNest !== true;
}

/** Returns the nearest package with a name or a version: a package.json may only set `type`. */
function findPackage(from: string): Package | undefined {
  for (let at = resolve(from); ; at = dirname(at)) {
    const found = readPackage(at);
    if (found) return found;
    if (dirname(at) === at) return undefined;
  }
}

function readPackage(folder: string): Package | undefined {
  let content: Record<string, unknown>;
  try {
    content = (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) ?? {}) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { name, version } = content;
  if (!isNonEmptyString(name) && !isNonEmptyString(version)) return undefined;
  const dependencies = [content.dependencies, content.peerDependencies];
  return {
    folder,
    ...(isNonEmptyString(name) && { name }),
    ...(isNonEmptyString(version) && { version }),
    usesNest: dependencies.some((list) => typeof list === 'object' && list !== null && '@nestjs/core' in list),
  };
}

function isNonEmptyString(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
