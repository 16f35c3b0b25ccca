/**
 * Returns the code of an error, such as `ENOENT`. Does not check with `instanceof`: under Jest the errors of Node.js
 * belong to another realm.
 */
export function getErrorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
