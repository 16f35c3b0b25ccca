import { escapeControlCharacters } from './escape-control-characters.js';
import { redactCredentials } from './redact-credentials.js';

/**
 * Returns what an error says, for a sentence of ours: without credentials, on one line. Anything can be thrown, even what can't be made a
 * string.
 */
export function toErrorMessage(error: unknown): string {
  try {
    const { message, errors } = error as { message?: unknown; errors?: unknown };
    if (typeof message === 'string' && message !== '') return toSentence(message);
    // Node says nothing of its own where each address of a name refuses a connection.
    if (Array.isArray(errors) && errors.length > 0) return [...new Set(errors.map(toErrorMessage))].join('; ');
    return toSentence(String(error));
  } catch {
    return 'something that says nothing was thrown';
  }
}

function toSentence(text: string): string {
  return escapeControlCharacters(redactCredentials(text));
}
