import { escapeControlCharacters } from './escape-control-characters.js';
import { redactCredentials } from './redact-credentials.js';

/**
 * Returns the message of an error on one line and without credentials. Accepts any value that was thrown, even one that
 * can't be converted to a string.
 */
export function toErrorMessage(error: unknown): string {
  try {
    const { message, errors } = error as { message?: unknown; errors?: unknown };
    if (typeof message === 'string' && message !== '') return toSentence(message);
    // Node gives no message where every address of a host name refuses the connection.
    if (Array.isArray(errors) && errors.length > 0) return [...new Set(errors.map(toErrorMessage))].join('; ');
    return toSentence(String(error));
  } catch {
    return 'a value without a message was thrown';
  }
}

function toSentence(text: string): string {
  return escapeControlCharacters(redactCredentials(text));
}
