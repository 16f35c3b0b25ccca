/**
 * Thrown for options of a window that contradict each other or are invalid. The message says what to change.
 *
 * @remarks
 * Correct the option that the message names. The admin endpoints respond with 400, the command line exits with 2.
 */
export class InvalidWindowError extends Error {
  override readonly name = 'InvalidWindowError';
}
