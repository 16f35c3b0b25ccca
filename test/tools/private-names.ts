import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { DynamicModule, INestApplication, ModuleMetadata, Type } from '@nestjs/common';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';

export type Kind = 'function' | 'object' | 'string' | 'number' | 'boolean';

/** Returns the version of a package, as another package or this file finds it. */
export function getVersion(name: string, user?: string): string {
  const find = user === undefined ? require : createRequire(require.resolve(user));
  for (let folder = dirname(find.resolve(name)); ; folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
      if (manifest.name === name) return manifest.version!;
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
}

/** Fails with a sentence that names the package, its version and the private name. */
export function assertFound(isFound: boolean, packageName: string, name: string, user?: string): void {
  if (isFound) return;
  throw new Error(
    `${packageName} ${getVersion(packageName, user)} has no ${name} any more. ` +
      'Find its replacement, change libs/maintenance/src/nest-internals.ts, and add the version there.',
  );
}

/** Checks the members of `Internals`; the compiler asks for all of them. */
export function assertMembers<Internals>(
  packageName: string,
  target: object,
  members: { [Name in keyof Internals]-?: Kind },
  user?: string,
): void {
  for (const [name, kind] of Object.entries<Kind>(members))
    assertFound(typeof Reflect.get(target, name) === kind, packageName, `${kind} \`${name}\``, user);
}

export function assertMetadata(packageName: string, key: string, target: object, expected?: unknown): void {
  const value: unknown = Reflect.getMetadata(key, target);
  const isFound = expected === undefined ? value !== undefined : value === expected;
  assertFound(
    isFound,
    packageName,
    `metadata \`${key}\`${expected === undefined ? '' : ` of ${JSON.stringify(expected)}`}`,
  );
}

/** Returns the classes that a dynamic module provides, with those of its imports, without creating any. */
export function collectClasses(module: unknown): Type[] {
  const { imports = [], providers = [] } = module as Partial<DynamicModule>;
  const own = typeof module === 'function' ? ((Reflect.getMetadata('providers', module) ?? []) as unknown[]) : [];
  const classes = [...providers, ...own].filter((provider) => typeof provider === 'function') as Type[];
  return [...classes, ...imports.flatMap((imported) => collectClasses(imported))];
}

export function getPrototype(packageName: string, classes: Type[], name: string): object {
  const found = classes.find((type) => type.name === name);
  assertFound(found !== undefined, packageName, `provider \`${name}\``);
  return found!.prototype as object;
}

let app: INestApplication | undefined;

export async function startApp(adapter: AbstractHttpAdapter, metadata: ModuleMetadata = {}): Promise<INestApplication> {
  class AppModule {}
  app = await NestFactory.create({ module: AppModule, ...metadata }, adapter, { logger: false, abortOnError: false });
  return app;
}

// Each file that starts an application closes it after each test.
afterEach(async () => {
  await app?.close();
  app = undefined;
});
