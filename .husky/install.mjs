/** Installs the Git hooks, except in CI, outside a clone and without the development dependencies. */
import { existsSync } from 'node:fs';

if (process.env.CI === undefined && existsSync('.git')) {
  const husky = await import('husky').catch(() => undefined);
  const problem = husky?.default();
  if (problem) console.warn(problem);
}
