import { withoutCredentials } from './without-credentials.js';

/** What an error says, for a sentence of ours. Anything can be thrown, even what can't be made a string. */
export function reasonOf(error: unknown): string {
  try {
    const { message, errors } = error as { message?: unknown; errors?: unknown };
    if (typeof message === 'string' && message !== '') return withoutCredentials(message);
    // Node says nothing of its own where each address of a name refuses a connection.
    if (Array.isArray(errors) && errors.length > 0) return [...new Set(errors.map(reasonOf))].join('; ');
    return withoutCredentials(String(error));
  } catch {
    return 'something that says nothing was thrown';
  }
}
