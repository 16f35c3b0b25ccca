/** Thrown for options of a window that contradict each other or are invalid. The message says what to change. */
export class InvalidWindowError extends Error {
  override readonly name = 'InvalidWindowError';
}
