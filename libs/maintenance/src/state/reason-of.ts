import { withoutCredentials } from './without-credentials.js';

/** What an error says, for a sentence of ours. Anything can be thrown, even what can't be made a string. */
export function reasonOf(error: unknown): string {
  try {
    const { message } = error as { message?: unknown };
    return withoutCredentials(typeof message === 'string' && message !== '' ? message : String(error));
  } catch {
    return 'something that says nothing was thrown';
  }
}
